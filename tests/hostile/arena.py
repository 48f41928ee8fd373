"""A real node with a neighbor that must not notice, and servers that tell when they are reached."""

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from nearhop.v1 import common_pb2
from nearhop.v1 import node_control_pb2 as pb
from tests.hostile.programs import CANARY, FRIEND, End, Program
from tests.node.conftest import Control, Node

NODE = "127.91.5.1:7480"
FRIENDLY = "127.91.5.2"
NEIGHBOR = "export default { fetch() { return new Response('neighbor') } }"
_DIALECTS = {"workers": common_pb2.DIALECT_WORKERS, "deno": common_pb2.DIALECT_DENO}
_PAUSE_S = 0.005


@dataclass
class Outcome:
    """What came of one program; *ok* is whether it ended as it must."""

    program: Program
    ok: bool
    said: str
    took_s: float
    neighbor: list[float] = field(default_factory=list)  # seconds of each request meanwhile
    after: list[float] = field(default_factory=list)  # and once it is gone
    neighbor_failures: list[str] = field(default_factory=list)

    @property
    def neighbor_p99(self) -> float:
        return percentile(self.neighbor, 99)


def percentile(values: list[float], share: int) -> float:
    if len(values) < 2:
        return values[0] if values else 0.0
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


class Arena:
    """Use opened(); then run() one program after the other."""

    def __init__(self, control: Control, node: Node, client: httpx.AsyncClient, ports: dict[str, str]) -> None:
        self.control = control
        self.node = node
        self.solo: list[float] = []
        self.reached: list[str] = []
        self._client = client
        self.ports = ports

    async def run(self, program: Program, *, after: int = 3) -> Outcome:
        """Deploy the program, let it try, and watch the neighbor meanwhile and for *after* requests more."""
        neighbor: list[float] = []
        later: list[float] = []
        failures: list[str] = []
        began = time.monotonic()
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(neighbor, failures, stop), name="neighbor")
            try:
                ok, said = await self._try(program)
            finally:
                stop.set()
        took = time.monotonic() - began
        await self._watch(later, failures, stop, at_least=after)
        return Outcome(program, ok, said, took, neighbor, later, failures)

    async def _try(self, program: Program) -> tuple[bool, str]:
        source = program.source.replace(CANARY, self.ports[CANARY]).replace(FRIEND, self.ports[FRIEND])
        dialect = _DIALECTS[program.dialect]
        await self.control.deploy(program.id, 1, source, dialect=dialect, **program.limits)
        try:
            if program.end is End.REFUSED:
                status = await self.control.until(program.id, pb.PlacementStatus.STATE_REFUSED, within=30)
                return program.says in status.error, status.error
            await self.control.until_active(program.id, within=30)
            answer = await self.get(program.id, accept="application/json")
            return await self._judge(program, answer)
        finally:
            del self.control.placements[program.id]
            await self.control.push()

    async def _judge(self, program: Program, answer: httpx.Response) -> tuple[bool, str]:
        reason = answer.headers.get("x-nearhop-reason", "")
        match program.end:
            case End.SHUT if answer.status_code == 200:
                said = answer.json()
                return "shut" in said and program.says in said["shut"], str(said)
            case End.ENDED:
                return answer.status_code >= 500 and program.says in reason, f"{answer.status_code} {reason}"
            case End.HARMLESS:
                return answer.status_code < 500 or reason == "exception", f"{answer.status_code} {answer.text[:60]}"
            case _:
                return False, f"{answer.status_code} {reason} {answer.text[:200]}"

    async def get(self, function: str, path: str = "/", **headers: str) -> httpx.Response:
        """Ask the function."""
        url = f"{self.node.url}{path}"
        return await self._client.get(url, headers={"host": f"{function}.example.org", **headers}, timeout=45)

    async def _watch(self, times: list[float], failures: list[str], stop: asyncio.Event, *, at_least: int = 0) -> None:
        done = 0
        while not stop.is_set() or done < at_least:
            began = time.monotonic()
            try:
                answer = await self.get("neighbor")
                if answer.text != "neighbor":
                    failures.append(f"{answer.status_code} {answer.text[:80]}")
            except httpx.TransportError as error:
                failures.append(repr(error))
            times.append(time.monotonic() - began)
            done += 1
            await asyncio.sleep(_PAUSE_S)

    async def measure_solo(self, requests: int = 100) -> None:
        """Time the neighbor while nobody is hostile."""
        failures: list[str] = []
        stop = asyncio.Event()
        stop.set()
        await self._watch(self.solo, failures, stop, at_least=requests)
        if failures:
            raise AssertionError(f"the neighbor fails by itself: {failures[0]}")


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Arena]:
    """Start the node, the neighbor and the servers on loopback."""
    reached: list[str] = []

    async def canary(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(str(writer.get_extra_info("sockname")))
        writer.close()

    async def friend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            line = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
            target = line.partition(b"?")[2]
            status = b"302 Found\r\nlocation: " + target if target else b"200 OK"
            writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
        writer.close()

    control = Control()
    await control.start()
    forbidden = await asyncio.start_server(canary, "127.0.0.1", 0)
    port = forbidden.sockets[0].getsockname()[1]
    forbidden6 = await asyncio.start_server(canary, "::1", port)
    friendly = await asyncio.start_server(friend, FRIENDLY, 0)
    authority = f"{FRIENDLY}:{friendly.sockets[0].getsockname()[1]}"
    allow = [f"{FRIENDLY}/32"]
    node = Node(folder / "node", NODE, control.port, slots=24, boot_wall_s=3.0, egress_allow=allow, log_level="debug")
    try:
        await node.start()
        async with httpx.AsyncClient() as client:
            arena = Arena(control, node, client, {CANARY: str(port), FRIEND: authority})
            arena.reached = reached
            await control.deploy("neighbor", 1, NEIGHBOR)
            await control.until_active("neighbor", within=30)
            await arena.measure_solo()
            yield arena
    finally:
        if node.process is not None:
            await node.stop()
        await control.stop()
        for server in (forbidden, forbidden6, friendly):
            server.close()
            await server.wait_closed()
