"""Probes: one small HTTP request to each node's ingress, again and again, on a connection of its own each time.

A probe that was late because this process was late says nothing about the node and is not counted.
"""

import asyncio
import os
import random
from collections.abc import Callable

from controlplane.model import FleetView, RoutedNode
from controlplane.router.config import Endpoint, ProbeConfig
from controlplane.steering import Answered, Failed
from nearhop import log
from nearhop.tasks import spawn

PATH = "/.nearhop/health"
HEAD_MAX_BYTES = 8192
LATE_S = 0.25  # how much later than its time limit a probe may end before the delay is this process's own

_log = log.get(__name__)

Outcome = Answered | Failed


class Probes:
    """One task for each node of the view, restarted when its ingress changes. *observe* is called with every outcome."""

    def __init__(
        self, config: ProbeConfig, router: str, observe: Callable[[Outcome], None], rng: random.Random
    ) -> None:
        self._config = config
        self._router = router
        self._observe = observe
        self._rng = rng
        self._group: asyncio.TaskGroup | None = None
        self._wanted: tuple[RoutedNode, ...] = ()
        self._tasks: dict[str, tuple[RoutedNode, asyncio.Task[None]]] = {}
        self.inconclusive = 0

    async def run(self) -> None:
        """Probe until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._reconcile()
            await asyncio.Event().wait()  # the tasks' own ends are errors and end the group

    def follow(self, view: FleetView) -> None:
        """Probe the nodes of *view* from now on."""
        self._wanted = view.nodes
        if self._group is not None:
            self._reconcile()

    def _reconcile(self) -> None:
        assert self._group is not None  # noqa: S101  # both callers see to it
        wanted = {node.id: node for node in self._wanted}
        for name, (node, task) in list(self._tasks.items()):
            if name not in wanted or wanted[name].ingress != node.ingress:
                task.cancel()
                del self._tasks[name]
        for name, node in wanted.items():
            if name not in self._tasks:
                self._tasks[name] = node, spawn(self._group, self._watch(node), name=f"probe-{name}")

    async def _watch(self, node: RoutedNode) -> None:
        loop = asyncio.get_running_loop()
        # The first at once, the others out of step with the other nodes'.
        next_at = loop.time() + self._rng.uniform(0.5, 1.0) * self._config.interval_s
        while True:
            try:
                outcome = await self._probe(node)
            except Exception:  # noqa: BLE001  # logged and counted
                # The rim: a fault in probing one node must not end the answering of all.
                self.inconclusive += 1
                _log.exception("a probe failed", node=node.id)
            else:
                if outcome is not None:
                    self._observe(outcome)
            await asyncio.sleep(next_at - loop.time())
            next_at = max(next_at + self._config.interval_s, loop.time())

    async def _probe(self, node: RoutedNode) -> Outcome | None:
        addresses = node.ingress.ipv4 + node.ingress.ipv6
        if not addresses:
            return Failed(node.id, "has no address")
        endpoint = Endpoint(addresses[0], node.ingress.port)
        loop = asyncio.get_running_loop()
        started = loop.time()
        reached = True
        try:
            async with asyncio.timeout(self._config.timeout_s):
                reason = fault_of(await self._ask(endpoint), node.id)
        except TimeoutError:
            if loop.time() - started > self._config.timeout_s + LATE_S:
                self.inconclusive += 1
                return None
            reason, reached = f"no answer within {self._config.timeout_s:g} s", False
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            reason = f"no HTTP response head within {HEAD_MAX_BYTES} bytes"
        except OSError as error:
            reached = isinstance(error, ConnectionError)  # refused or reset by the other end, not unreachable
            reason = os.strerror(error.errno) if error.errno else str(error)  # asyncio's own text repeats the address
        return Failed(node.id, f"{endpoint}: {reason}", reached) if reason else Answered(node.id, loop.time() - started)

    async def _ask(self, endpoint: Endpoint) -> bytes:
        reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port, limit=HEAD_MAX_BYTES)
        try:
            writer.write(
                f"GET {PATH} HTTP/1.1\r\nHost: {endpoint}\r\nUser-Agent: nearhop-router/{self._router}\r\n"
                "Connection: close\r\n\r\n".encode()
            )
            return await reader.readuntil(b"\r\n\r\n")
        finally:
            writer.close()


def fault_of(head: bytes, node: str) -> str:
    """Say what is wrong with the response *head*; empty when it is *node*'s own good answer."""
    status, *fields = head.decode("latin-1").split("\r\n")
    parts = status.split(" ", 2)
    if len(parts) < 2 or not parts[0].startswith("HTTP/1."):
        return "does not speak HTTP"
    if parts[1] != "200":
        return f"answered {parts[1]}"
    headers = {name.strip().lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    answered_by = headers.get("x-nearhop-node", "")
    if answered_by != node:
        return f'answered as node "{answered_by}"' if answered_by else "answered without x-nearhop-node"
    return ""
