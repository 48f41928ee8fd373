"""Clients of five continents that ask again and again: each request resolves by DNS and goes to the first address; nothing is cached."""

import asyncio
import itertools
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import dns.exception
import httpx

from tests.compose import fleet
from tests.harness.cluster import CLIENTS


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that got no 200: when it began, where it went (empty: nowhere, the router gave no answer), why."""

    at: float
    address: str
    reason: str


class Traffic:
    """*rate* requests a second, round-robin over clients and routers, until the block ends."""

    def __init__(self, rate: float = 25.0) -> None:
        self.failures: list[Failure] = []
        self.served: list[fleet.Served] = []
        self._interval = 1 / rate
        self._stop = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._http = httpx.AsyncClient(limits=httpx.Limits(max_connections=100, max_keepalive_connections=0))
        self._driver = asyncio.get_running_loop().create_task(self._drive(), name="traffic")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        await self._driver
        await self._http.aclose()

    def failures_but(self, address: str, *, until: float) -> list[Failure]:
        """Return the failures that the death of the node at *address* does not explain, its clients having left by *until*."""
        return [failure for failure in self.failures if failure.address != address or failure.at > until]

    async def _drive(self) -> None:
        begin = time.monotonic()
        pairs = itertools.cycle([(client, router) for router in fleet.ROUTERS for client in CLIENTS.values()])
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                due = begin + number * self._interval
                if (wait := due - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                if self._stop.is_set():
                    return
                group.create_task(self._one(*next(pairs)), name=f"request {number}")

    async def _one(self, client: str, router: str) -> None:
        begin, address = time.monotonic(), ""
        try:
            (address, *_) = await fleet.resolve(client, router=router)
            self.served.append(await fleet.get(self._http, address))
        except (httpx.HTTPError, OSError, ValueError, dns.exception.DNSException) as error:
            self.failures.append(Failure(begin, address, f"{router}: {error!r}"))
