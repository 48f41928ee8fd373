"""Open-loop traffic against a cluster: requests leave at their time, whether or not earlier ones were answered."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import aiohttp
import dns.exception

from tests.harness.cluster import CLIENTS, INGRESS_PORT, ZONE, Cluster


class Traffic:
    """Requests to one function, round-robin over nodes (or, with *resolve*, over clients by DNS), until the block ends.

    A failure is any reply but 200, or no reply; each is kept with its time.
    """

    def __init__(
        self, cluster: Cluster, function: str, *, rate: float, nodes: Sequence[str] | None = None, resolve: bool = False
    ) -> None:
        self.failures: list[str] = []
        self.bodies: set[str] = set()
        self.finished = 0
        self.rate_reached = 0.0
        self._cluster = cluster
        self._function = function
        self._interval = 1 / rate
        self._targets = itertools.cycle(sorted(CLIENTS.values()) if resolve else nodes or sorted(cluster.nodes))
        self._resolve = resolve
        self._stop = asyncio.Event()
        self._driver: asyncio.Task[None]
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        # aiohttp parses in C: the client shares two cores with everything that it asks.
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200))
        self._driver = asyncio.get_running_loop().create_task(self._drive(), name="traffic")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        await self._driver
        await self._session.close()

    async def _drive(self) -> None:
        begin = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                due = begin + number * self._interval
                if (wait := due - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                if self._stop.is_set():
                    break
                group.create_task(self._one(next(self._targets)), name=f"request {number}")
        self.rate_reached = self.finished / (time.monotonic() - begin)

    async def _one(self, target: str) -> None:
        begin = time.monotonic()
        host = f"{self._function}.{ZONE}"
        try:
            if self._resolve:
                (address, *_) = await self._cluster.router.resolve(host, subnet=target)
            else:
                address = self._cluster.nodes[target].address
            async with self._session.get(f"http://{address}:{INGRESS_PORT}/", headers={"host": host}) as reply:
                text = await reply.text()
        except (aiohttp.ClientError, OSError, ValueError, dns.exception.DNSException) as error:
            self.failures.append(f"{begin:.3f} {target}: {error!r} after {time.monotonic() - begin:.3f} s")
            return
        self.finished += 1
        self.bodies.add(text)
        if reply.status != 200:
            reason = reply.headers.get("x-nearhop-reason")
            self.failures.append(f"{begin:.3f} {target}: {reply.status} {reason} {text[:100]!r}")
