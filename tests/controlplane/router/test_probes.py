import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from controlplane.model import FleetView, Ingress, Location, RoutedNode
from controlplane.router import probes
from controlplane.router.config import ProbeConfig
from controlplane.router.probes import Outcome, Probes, fault_of
from controlplane.steering import Answered, Failed
from nearhop.tasks import cancel

GOOD = b"HTTP/1.1 200 OK\r\nX-Nearhop-Node: tokyo-1\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize(("head", "fault"), [
    (GOOD, ""),
    (b"HTTP/1.0 200\r\nx-nearhop-node:tokyo-1\r\n\r\n", ""),
    (GOOD.replace(b"200", b"503"), "answered 503"),
    (GOOD.replace(b"tokyo-1", b"tokyo-2"), 'answered as node "tokyo-2"'),
    (b"HTTP/1.1 200 OK\r\n\r\n", "answered without x-nearhop-node"),
    (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not speak HTTP"),
    (b"\xff\xfe\r\n\r\n", "does not speak HTTP"),
])  # fmt: skip
def test_fault_of_a_response_head(head: bytes, fault: str) -> None:
    assert fault_of(head, "tokyo-1") == fault


class Ingresses:
    """Little HTTP servers on addresses of their own, and a prober that watches them."""

    def __init__(self) -> None:
        self.servers: list[asyncio.Server] = []
        self.requests: list[bytes] = []
        self.outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        self.probes = Probes(
            ProbeConfig(interval_s=0.05, timeout_s=0.2), "r1", self.outcomes.put_nowait, random.Random(1)
        )

    async def serve(self, answer: bytes | None) -> int:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            if answer is None:
                await reader.read()  # says nothing until the prober goes
            else:
                writer.write(answer)
            writer.close()

        server = await asyncio.start_server(handle, "127.53.3.1", 0)
        self.servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def until(self, wanted: Callable[[Outcome], bool]) -> Outcome:
        while not wanted(outcome := await self.outcomes.get()):
            pass
        return outcome


@asynccontextmanager
async def ingresses() -> AsyncIterator[Ingresses]:
    made = Ingresses()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        task = group.create_task(made.probes.run())
        yield made
        await cancel(task)
        for server in made.servers:
            server.close()


def node(port: int, name: str = "tokyo-1", address: str = "127.53.3.1") -> RoutedNode:
    return RoutedNode(name, "tokyo", Location(35.6, 139.6), Ingress(port, (address,) if address else ()))


def view(*nodes: RoutedNode) -> FleetView:
    return FleetView(1, "edge.example.org", nodes)


async def test_a_good_answer_carries_its_round_trip() -> None:
    async with ingresses() as made:
        made.probes.follow(view(node(await made.serve(GOOD))))
        outcome = await made.outcomes.get()
        assert isinstance(outcome, Answered)
        assert 0 < outcome.rtt_s < 1
        assert made.requests[0].startswith(b"GET /.nearhop/health HTTP/1.1\r\nHost: 127.53.3.1:")


@pytest.mark.parametrize(("answer", "reason"), [
    (GOOD.replace(b"tokyo-1", b"tokyo-2"), 'answered as node "tokyo-2"'),
    (b"HTTP/1.1 500 no\r\n\r\n", "answered 500"),
    (b"", "no HTTP response head within 8192 bytes"),
    (b"HTTP/1.1 200 OK\r\n", "no HTTP response head within 8192 bytes"),
    (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 50_000 + b"\r\n\r\n", "no HTTP response head within 8192 bytes"),
    (None, "no answer within 0.2 s"),
])  # fmt: skip
async def test_another_answer_is_a_failure_with_its_reason(answer: bytes | None, reason: str) -> None:
    async with ingresses() as made:
        port = await made.serve(answer)
        made.probes.follow(view(node(port)))
        reached = answer is not None
        assert await made.outcomes.get() == Failed("tokyo-1", f"127.53.3.1:{port}: {reason}", reached)


async def test_a_refused_connection_and_a_node_without_an_address_are_failures() -> None:
    async with ingresses() as made:
        port = await made.serve(GOOD)
        made.servers[0].close()
        made.probes.follow(view(node(port), node(80, "bare-1", "")))
        failures = {(await made.outcomes.get()) for _ in range(2)}
        assert Failed("bare-1", "has no address") in failures
        assert Failed("tokyo-1", f"127.53.3.1:{port}: Connection refused", reached=True) in failures


async def test_probes_follow_the_view() -> None:
    async with ingresses() as made:
        first, second = await made.serve(GOOD), await made.serve(GOOD.replace(b"tokyo-1", b"tokyo-2"))
        made.probes.follow(view(node(first)))
        await made.until(lambda outcome: isinstance(outcome, Answered) and outcome.node == "tokyo-1")
        made.probes.follow(view(node(first), node(second, "tokyo-2")))
        await made.until(lambda outcome: isinstance(outcome, Answered) and outcome.node == "tokyo-2")
        made.probes.follow(view(node(second)))  # the same node, now elsewhere: that ingress names another
        await made.until(lambda outcome: isinstance(outcome, Failed) and outcome.node == "tokyo-1")
        made.probes.follow(view())
        while not made.outcomes.empty():
            made.outcomes.get_nowait()
        count = len(made.requests)
        await asyncio.sleep(0.2)
        assert made.outcomes.empty()
        assert len(made.requests) == count


async def test_a_probe_that_this_process_delayed_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "LATE_S", -0.1)  # as if the loop had been busy for that long
    async with ingresses() as made:
        made.probes.follow(view(node(await made.serve(None))))
        while made.probes.inconclusive < 2:
            await asyncio.sleep(0.02)
        assert made.outcomes.empty()
