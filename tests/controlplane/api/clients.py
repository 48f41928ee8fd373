"""What talks to a control plane in these tests: calls over a real channel, and an agent that speaks NodeControl and runs nothing."""

import asyncio
import contextlib
import hashlib
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from nearhop import tasks
from nearhop.v1 import (
    common_pb2,
    deployments_pb2,
    deployments_pb2_grpc,
    events_pb2_grpc,
    functions_pb2,
    functions_pb2_grpc,
    node_control_pb2,
    node_control_pb2_grpc,
    nodes_pb2,
    nodes_pb2_grpc,
    router_control_pb2,
    router_control_pb2_grpc,
    routing_pb2_grpc,
    versions_pb2,
    versions_pb2_grpc,
)

SOURCE = b'export default { fetch() { return new Response("hello"); } };\n'
PHASE = deployments_pb2.Deployment
STATE = node_control_pb2.PlacementStatus

Judge = Callable[[node_control_pb2.Placement], tuple["STATE.State", str]]


def fresh() -> str:
    return str(uuid.uuid4())


class Client:
    """Every service over one channel, and the steps that most tests begin with."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.channel = channel(address)
        self.functions: Any = functions_pb2_grpc.FunctionsStub(self.channel)
        self.versions: Any = versions_pb2_grpc.VersionsStub(self.channel)
        self.deployments: Any = deployments_pb2_grpc.DeploymentsStub(self.channel)
        self.nodes: Any = nodes_pb2_grpc.NodesStub(self.channel)
        self.events: Any = events_pb2_grpc.EventsStub(self.channel)
        self.routing: Any = routing_pb2_grpc.RoutingStub(self.channel)

    async def create(self, name: str = "hello", **more: Any) -> functions_pb2.Function:
        request = functions_pb2.CreateFunctionRequest(**{"request_id": fresh(), "name": name, **more})
        return await self.functions.CreateFunction(request, timeout=10)

    async def upload(self, source: bytes = SOURCE, *, digest: str | None = None, size: int | None = None) -> str:
        digest = digest_of(source) if digest is None else digest

        async def parts() -> AsyncIterator[versions_pb2.UploadBundleRequest]:
            header = versions_pb2.UploadBundleRequest.Header(
                digest=digest, size_bytes=len(source) if size is None else size
            )
            yield versions_pb2.UploadBundleRequest(header=header)
            for offset in range(0, len(source), 512 << 10):
                yield versions_pb2.UploadBundleRequest(chunk=source[offset : offset + (512 << 10)])

        return (await self.versions.UploadBundle(parts(), timeout=30)).digest

    async def version(self, source: bytes = SOURCE, function: str = "hello", **more: Any) -> versions_pb2.Version:
        digest = await self.upload(source)
        fields = {"request_id": fresh(), "function": function, "digest": digest, "dialect": common_pb2.DIALECT_WORKERS}
        return await self.versions.CreateVersion(versions_pb2.CreateVersionRequest(**{**fields, **more}), timeout=10)

    def deploy(self, version: int, function: str = "hello", request_id: str | None = None, **gradual: Any) -> Any:
        request = deployments_pb2.DeployRequest(
            request_id=request_id or fresh(),
            function=function,
            version=version,
            gradual=deployments_pb2.Gradual(**gradual) if gradual else None,
        )
        return self.deployments.Deploy(request, timeout=30)

    async def deployed(self, version: int, function: str = "hello") -> deployments_pb2.Deployment:
        return await last(self.deploy(version, function))

    async def node(self, name: str) -> nodes_pb2.Node:
        return await self.nodes.GetNode(nodes_pb2.GetNodeRequest(id=name), timeout=10)

    async def drain(self, name: str, request_id: str | None = None) -> nodes_pb2.Node:
        request = nodes_pb2.DrainNodeRequest(request_id=request_id or fresh(), id=name)
        return await self.nodes.DrainNode(request, timeout=10)


def channel(address: str) -> grpc.aio.Channel:
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_reconnect_backoff_ms", 200)]
    return grpc.aio.insecure_channel(address, options=options)


def digest_of(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()


async def last(call: Any) -> Any:
    """Return a stream's last message."""
    message = None
    while (following := await call.read()) is not grpc.aio.EOF:
        message = following
    return message


@dataclass
class Failure:
    """How a call failed."""

    code: grpc.StatusCode
    details: str
    violations: dict[str, str] = field(default_factory=dict)
    reason: str = ""


async def failure(call: Any) -> Failure:
    """Return how *call*, unary or a stream, fails."""
    try:
        if hasattr(call, "__aiter__"):
            await last(call)
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return explain(error)
    raise AssertionError("the call did not fail")


def explain(error: grpc.aio.AioRpcError) -> Failure:
    found = Failure(error.code(), error.details() or "")
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        if detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad_request = error_details_pb2.BadRequest.FromString(detail.value)
            found.violations |= {entry.field: entry.description for entry in bad_request.field_violations}
        else:
            found.reason = error_details_pb2.ErrorInfo.FromString(detail.value).reason
    return found


def accept(placement: node_control_pb2.Placement) -> tuple[Any, str]:
    return STATE.STATE_ACTIVE, ""


def refuse(version: int, error: str) -> Judge:
    """Accept every version but *version*."""

    def judge(placement: node_control_pb2.Placement) -> tuple[Any, str]:
        bad = any(placed.number == version for placed in placement.versions)
        return (STATE.STATE_REFUSED, error) if bad else (STATE.STATE_ACTIVE, "")

    return judge


def hello(node: str = "tokyo-1", **more: Any) -> node_control_pb2.NodeMessage:
    fields = {
        "node": node,
        "region": "tokyo",
        "location": common_pb2.Location(latitude=35.68, longitude=139.69),
        "ingress": common_pb2.Ingress(ipv4=["192.0.2.1"], port=80),
        "instance": fresh(),
    }
    return node_control_pb2.NodeMessage(hello=node_control_pb2.Hello(**{**fields, **more}))


class Agent:
    """An agent whose functions *judge* starts or refuses: `async with Agent(address, "tokyo-1") as agent`."""

    def __init__(self, address: str, node: str, judge: Judge = accept, **more: Any) -> None:
        self.node = node
        self.judge = judge
        self.instance = more.pop("instance", fresh())
        self.snapshot = node_control_pb2.Snapshot()
        self.snapshots: list[node_control_pb2.Snapshot] = []
        self.bundles: dict[str, bytes] = {}
        self.refusals: dict[str, str] = {}
        self.interest: list[str] = []
        self.scheduled: list[node_control_pb2.ScheduledEvent] = []
        self.ended: grpc.aio.AioRpcError | None = None
        self.welcomed = asyncio.Event()
        self.failures: dict[int, int] = {}  # by version
        self._more = more
        self._address = address
        self._changed = asyncio.Event()
        self._writing = asyncio.Lock()

    async def __aenter__(self) -> "Agent":
        self.channel = channel(self._address)
        self._call: Any = node_control_pb2_grpc.NodeControlStub(self.channel).Sync()
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._tasks = [tasks.spawn(self._group, self._run(), name=f"agent {self.node}")]
        async with asyncio.timeout(10):
            await self.welcomed.wait()
        if self.ended is None:
            self._tasks.append(tasks.spawn(self._group, self._beat(), name=f"agent {self.node}: heartbeat"))
        return self

    async def __aexit__(self, *error: Any) -> None:
        for task in self._tasks:
            task.cancel()
        await self._group.__aexit__(None, None, None)
        await self.channel.close(None)

    async def until(self, check: Callable[["Agent"], Any], *, within: float = 10.0) -> None:
        """Wait until *check* of this agent is true."""
        async with asyncio.timeout(within):
            while not check(self):
                self._changed.clear()
                await self._changed.wait()

    def versions(self) -> dict[str, list[int]]:
        """Tell what the newest snapshot wants."""
        return {
            placement.function: [placed.number for placed in placement.versions]
            for placement in self.snapshot.placements
        }

    async def ask(self, digest: str) -> None:
        await self.send(node_control_pb2.NodeMessage(bundle_request=node_control_pb2.BundleRequest(digest=digest)))

    async def send(self, message: node_control_pb2.NodeMessage) -> None:
        async with self._writing:  # gRPC takes one write at a time
            await self._call.write(message)

    async def report(self) -> None:
        statuses = []
        for placement in self.snapshot.placements:
            state, error = self.judge(placement)
            active = placement.versions[0].number if state == STATE.STATE_ACTIVE else 0
            statuses.append(
                STATE(
                    function=placement.function,
                    generation=placement.generation,
                    state=state,
                    active_version=active,
                    error=error,
                    versions=[
                        node_control_pb2.VersionStatus(number=number, failures={"exception": count})
                        for number, count in self.failures.items()
                    ],
                )
            )
        report = node_control_pb2.NodeReport(
            snapshot_revision=self.snapshot.revision, placements=statuses, ingress_ready=True
        )
        await self.send(node_control_pb2.NodeMessage(report=report))

    def hush(self) -> None:
        """Send no more heartbeats."""
        self._tasks[1].cancel()

    async def _run(self) -> None:
        try:
            await self.send(hello(self.node, instance=self.instance, **self._more))
            while (instruction := await self._call.read()) is not grpc.aio.EOF:
                await self._take(instruction)
                self._changed.set()
        except grpc.aio.AioRpcError as error:
            self.ended = error
        except asyncio.InvalidStateError:
            pass  # the stream ended between reading and writing
        finally:
            self.welcomed.set()
            self._changed.set()

    async def _take(self, instruction: node_control_pb2.NodeInstruction) -> None:
        match instruction.WhichOneof("instruction"):
            case "welcome":
                self.welcomed.set()
            case "snapshot":
                assert instruction.snapshot.revision > self.snapshot.revision
                self.snapshot = instruction.snapshot
                self.snapshots.append(instruction.snapshot)
                await self.report()
            case "bundle_chunk":
                chunk = instruction.bundle_chunk
                assert chunk.offset == len(self.bundles.get(chunk.digest, b""))
                self.bundles[chunk.digest] = self.bundles.get(chunk.digest, b"") + chunk.data
            case "log_interest":
                self.interest = list(instruction.log_interest.functions)
            case "scheduled":
                self.scheduled.append(instruction.scheduled)
            case "bundle_refusal":
                self.refusals[instruction.bundle_refusal.digest] = instruction.bundle_refusal.reason

    async def _beat(self) -> None:
        while self.ended is None:
            await asyncio.sleep(0.3)
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await self.report()


class Router:
    """A router that takes over views and says what it is told to."""

    def __init__(self, address: str, name: str = "r1") -> None:
        self.name = name
        self.views: list[router_control_pb2.RoutingView] = []
        self.signals: list[router_control_pb2.Signals] = []
        self.heard = 0
        self._address = address
        self._changed = asyncio.Event()

    async def __aenter__(self) -> "Router":
        self._channel = channel(self._address)
        self._call: Any = router_control_pb2_grpc.RouterControlStub(self._channel).Sync()
        introduction = router_control_pb2.RouterHello(router=self.name, dns="192.0.2.9:53", http="192.0.2.9:80")
        await self._call.write(router_control_pb2.RouterMessage(hello=introduction))
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._task = tasks.spawn(self._group, self._run(), name="router")
        await self.until(lambda view: True)
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._task.cancel()
        await self._group.__aexit__(None, None, None)
        await self._channel.close(None)

    async def until(self, check: Callable[[router_control_pb2.RoutingView], bool], *, within: float = 10.0) -> None:
        """Wait until the newest view passes *check*."""
        async with asyncio.timeout(within):
            while not (self.views and check(self.views[-1])):
                self._changed.clear()
                await self._changed.wait()

    async def say(self, **verdicts: "nodes_pb2.Witness.Verdict") -> None:
        witnesses = [
            nodes_pb2.Witness(node=node.replace("_", "-"), verdict=verdict, reason="probe", router="somebody else")
            for node, verdict in verdicts.items()
        ]
        report = router_control_pb2.RouterReport(epoch=self.views[-1].epoch, verdicts=witnesses)
        await self._call.write(router_control_pb2.RouterMessage(report=report))

    async def see(self, up: Sequence[str] = (), down: Sequence[str] = ()) -> None:
        """Report what the router's own probes say."""
        report = router_control_pb2.RouterReport(epoch=self.views[-1].epoch, seen_up=up, seen_down=down)
        await self._call.write(router_control_pb2.RouterMessage(report=report))

    async def count(self, **counts: int) -> None:
        """Report answers to clients in Japan for "hello", by node."""
        answers = [
            router_control_pb2.AnswerCount(
                function="hello", node=node.replace("_", "-"), country="JP", reason="nearest", count=count
            )
            for node, count in counts.items()
        ]
        report = router_control_pb2.RouterReport(epoch=self.views[-1].epoch, answers=answers)
        await self._call.write(router_control_pb2.RouterMessage(report=report))

    async def _run(self) -> None:
        while (view := await self._call.read()) is not grpc.aio.EOF:
            self.heard += view.HasField("signals")
            if view.HasField("signals") and not view.signals.unchanged:
                self.signals.append(view.signals)
            if not view.signals_only:
                self.views.append(view)
            self._changed.set()
