"""A control plane's end of the Sync stream, a real node process, and small programs to deploy."""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import grpc
import httpx
import pytest

from nearhop import children
from nearhop.v1 import common_pb2
from nearhop.v1 import node_control_pb2 as pb
from nearhop.v1 import node_control_pb2_grpc as rpc

WORKERS = common_pb2.DIALECT_WORKERS
DENO = common_pb2.DIALECT_DENO


class Control(rpc.NodeControlServicer):
    """Pushes a snapshot and bundles to whoever connects, and keeps the reports."""

    def __init__(self) -> None:
        self.bundles: dict[str, bytes] = {}
        self.placements: dict[str, pb.Placement] = {}
        self.revision = 0
        self.reports: list[pb.NodeReport] = []
        self.hellos: list[pb.Hello] = []
        self.requests: list[str] = []
        self.logs: list[pb.NodeLog] = []
        self.results: list[pb.ScheduledResult] = []
        self.refuse = ""
        self.port = 0
        self._streams: list[asyncio.Queue[pb.NodeInstruction]] = []
        self._server: grpc.aio.Server | None = None

    async def start(self, port: int = 0) -> None:
        self._server = grpc.aio.server()
        rpc.add_NodeControlServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.31.7.1:{port}")
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
            self._server = None
        self._streams.clear()

    async def Sync(self, request_iterator, context):  # noqa: N802  # the contract's name
        queue: asyncio.Queue[pb.NodeInstruction] = asyncio.Queue()
        await queue.put(pb.NodeInstruction(welcome=pb.Welcome(session="s", heartbeat_interval_s=0.5, lease_ttl_s=3)))
        await queue.put(pb.NodeInstruction(snapshot=self.snapshot()))
        self._streams.append(queue)

        async def read() -> None:
            async for message in request_iterator:
                match message.WhichOneof("message"):
                    case "hello":
                        self.hellos.append(message.hello)
                    case "report":
                        self.reports.append(message.report)
                    case "log":
                        self.logs.append(message.log)
                    case "scheduled_result":
                        self.results.append(message.scheduled_result)
                    case "bundle_request":
                        await self._send_bundle(queue, message.bundle_request.digest)

        async with asyncio.TaskGroup() as group:
            reader = group.create_task(read(), name="reader")
            try:
                while True:
                    yield await queue.get()
            finally:
                reader.cancel()

    async def _send_bundle(self, queue: asyncio.Queue[pb.NodeInstruction], digest: str) -> None:
        self.requests.append(digest)
        if self.refuse:
            await queue.put(pb.NodeInstruction(bundle_refusal=pb.BundleRefusal(digest=digest, reason=self.refuse)))
            return
        body = self.bundles[digest]
        half = len(body) // 2
        for offset, data, last in ((0, body[:half], False), (half, body[half:], True)):
            chunk = pb.BundleChunk(digest=digest, offset=offset, data=data, last=last)
            await queue.put(pb.NodeInstruction(bundle_chunk=chunk))

    def snapshot(self) -> pb.Snapshot:
        return pb.Snapshot(
            revision=self.revision,
            zone="example.org",
            placements=[self.placements[name] for name in sorted(self.placements)],
        )

    async def push(self) -> None:
        self.revision += 1
        for queue in self._streams:
            await queue.put(pb.NodeInstruction(snapshot=self.snapshot()))

    async def instruct(self, instruction: pb.NodeInstruction) -> None:
        for queue in self._streams:
            await queue.put(instruction)

    async def deploy(
        self,
        function: str,
        number: int,
        source: str,
        *,
        dialect: int = WORKERS,
        aliases: Sequence[str] = (),
        **limits: int,
    ) -> None:
        body = source.encode()
        digest = hashlib.sha256(body).hexdigest()
        self.bundles[digest] = body
        before = self.placements.get(function)
        self.placements[function] = pb.Placement(
            function=function,
            generation=(before.generation if before else 0) + 1,
            hostnames=[f"{function}.example.org", *aliases],
            limits=common_pb2.Limits(**limits),
            versions=[
                pb.PlacedVersion(number=number, digest=digest, size_bytes=len(body), dialect=dialect, percent=100)
            ],
        )
        await self.push()

    def status(self, function: str) -> pb.PlacementStatus | None:
        """Return what the newest report says of the function's newest generation."""
        generation = self.placements[function].generation
        for item in self.reports[-1].placements if self.reports else ():
            if item.function == function and item.generation == generation:
                return item
        return None

    async def until(self, function: str, state: int, within: float = 15) -> pb.PlacementStatus:
        def reached() -> bool:
            status = self.status(function)
            return status is not None and status.state == state

        await eventually(reached, within)
        status = self.status(function)
        assert status is not None
        return status

    async def until_active(self, function: str, within: float = 15) -> pb.PlacementStatus:
        return await self.until(function, pb.PlacementStatus.STATE_ACTIVE, within)


async def eventually(check: Callable[[], bool], within: float = 10) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while not check():
        if loop.time() > deadline:
            raise AssertionError(f"{check} did not hold within {within} s")
        await asyncio.sleep(0.02)


class Node:
    """A real `python -m node` process with its own state directory and address."""

    def __init__(self, state: Path, address: str, control_port: int, **keys: object) -> None:
        self.state = state
        self.address = address
        self.url = f"http://{address}"
        self.log = state.with_name(f"{state.name}.log")
        self.config = state.with_name(f"{state.name}.toml")
        defaults: dict[str, object] = {
            "id": "tokyo-1",
            "region": "tokyo",
            "latitude": 35.68,
            "longitude": 139.69,
            "control_planes": [f"127.31.7.1:{control_port}"],
            "insecure": True,
            "listen": [address],
            "advertise_ipv4": [address.rpartition(":")[0]],
            "port": int(address.rpartition(":")[2]),
            "state_dir": str(state),
            "slots": 8,
            "trusted_proxies": ["127.0.0.0/8"],
            "log_level": "debug",
        }
        self.config.write_text("".join(f"{key} = {_toml(value)}\n" for key, value in (defaults | keys).items()))
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, *, wait: bool = True) -> None:
        with self.log.open("ab") as out:
            self.process = await children.spawn(
                [sys.executable, "-m", "node", "--config", self.config], stdout=out, stderr=out, env=_environment()
            )
        if wait:
            await self.until_healthy()

    async def until_healthy(self, within: float = 10) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        async with httpx.AsyncClient() as client:
            while loop.time() < deadline:
                if self.process is not None and self.process.returncode is not None:
                    break
                with contextlib.suppress(httpx.TransportError):
                    answer = await client.get(f"{self.url}/.nearhop/health", timeout=1)
                    if answer.headers.get("x-nearhop-node") == "tokyo-1":
                        return
                await asyncio.sleep(0.02)
        raise AssertionError(f"the node is not healthy:\n{self.log.read_text()[-3000:]}")

    async def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> int:
        assert self.process is not None
        return await children.stop(self.process, grace_s=10)

    def children(self, name: str) -> list[int]:
        """Return the pids of what the node has started, itself or through another, and whose command is *name*."""
        assert self.process is not None
        own = self.process.pid
        return [pid for pid in _pids() if _command(pid) == name and own in (_parent(pid), _parent(_parent(pid)))]


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _stat(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _parent(pid: int) -> int:
    fields = _stat(pid).rpartition(")")[2].split()
    return int(fields[1]) if fields else -1


def _command(pid: int) -> str:
    return _stat(pid).partition("(")[2].rpartition(")")[0]


def _environment() -> dict[str, str]:
    root = Path(__file__).parents[2]
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'proto'}"}


def _toml(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, str) else str(value)


@pytest.fixture
async def control() -> AsyncIterator[Control]:
    control = Control()
    await control.start()
    yield control
    await control.stop()


_next_address = iter(range(2, 250))


@pytest.fixture
async def make_node(tmp_path: Path, control: Control, real: None) -> AsyncIterator[Callable[..., Node]]:
    made: list[Node] = []

    def make(name: str = "n1", **keys: object) -> Node:
        address = f"127.31.{os.getpid() % 200 + 20}.{next(_next_address)}:7480"
        node = Node(tmp_path / name, address, control.port, **keys)
        made.append(node)
        return node

    yield make
    for node in made:
        if node.process is not None and node.process.returncode is None:
            await node.stop()


@pytest.fixture
async def node(make_node: Callable[..., Node]) -> Node:
    node = make_node()
    await node.start()
    return node


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(timeout=10, limits=limits) as client:
        yield client
