"""A control plane in memory behind the real gRPC API, and the real command line run against it."""

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from nearhop import names
from nearhop.v1 import (
    common_pb2,
    deployments_pb2,
    deployments_pb2_grpc,
    functions_pb2,
    functions_pb2_grpc,
    node_control_pb2,
    nodes_pb2,
    nodes_pb2_grpc,
    routing_pb2,
    routing_pb2_grpc,
    versions_pb2,
    versions_pb2_grpc,
)

REGIONS = ("london", "tokyo")


@dataclass
class Fleet:
    """What the services serve; *refuse* makes a node refuse the next deployment with that text, *down* every call."""

    functions: dict[str, list[versions_pb2.Version]] = field(default_factory=dict)
    active: dict[str, int] = field(default_factory=dict)
    bundles: dict[str, bytes] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    updates: list[functions_pb2.UpdateFunctionRequest] = field(default_factory=list)
    draining: set[str] = field(default_factory=set)
    uploads: int = 0
    refuse: str = ""
    down: bool = False
    asked: list[Any] = field(default_factory=list)
    rollouts: dict[str, deployments_pb2.Deployment] = field(default_factory=dict)
    changes: list[int] = field(default_factory=list)
    routers: list[routing_pb2.Router] = field(
        default_factory=lambda: [routing_pb2.Router(id="r1", dns="127.0.0.1:7453", http="127.0.0.1:7454")]
    )

    def function(self, name: str) -> functions_pb2.Function:
        return functions_pb2.Function(
            name=name,
            hostnames=[f"{name}.nearhop.test"],
            active_version=self.active.get(name, 0),
            shares=self.rollouts[name].shares if name in self.rollouts else [],
        )

    def node(self, region: str) -> nodes_pb2.Node:
        drained = f"{region}-1" in self.draining
        return nodes_pb2.Node(
            id=f"{region}-1",
            region=region,
            location=common_pb2.Location(latitude=1.5, longitude=2.5),
            ingress=common_pb2.Ingress(ipv4=[f"127.77.0.{REGIONS.index(region) + 1}"], port=7480),
            draining=drained,
            health=nodes_pb2.Node.HEALTH_DRAINING if drained else nodes_pb2.Node.HEALTH_HEALTHY,
            connected=True,
            report=node_control_pb2.NodeReport(
                placements=[
                    node_control_pb2.PlacementStatus(function=name, active_version=version)
                    for name, version in self.active.items()
                ]
            ),
        )


async def _check(fleet: Fleet, context: Any) -> None:
    if fleet.down:
        # As every refusal of a control plane, with a google.rpc.Status: gRPC's own UNAVAILABLE has none.
        status = status_pb2.Status(code=code_pb2.UNAVAILABLE, message="the store does not answer")
        details = (("grpc-status-details-bin", status.SerializeToString()),)
        await context.abort(grpc.StatusCode.UNAVAILABLE, status.message, trailing_metadata=details)


async def _missing(context: Any, what: str) -> None:
    await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no {what}")


class Functions(functions_pb2_grpc.FunctionsServicer):
    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    async def GetFunction(self, request: Any, context: Any) -> Any:  # noqa: N802
        await _check(self.fleet, context)
        if request.name not in self.fleet.functions:
            await _missing(context, f"function {request.name}")
        return self.fleet.function(request.name)

    async def ListFunctions(self, request: Any, context: Any) -> Any:  # noqa: N802
        await _check(self.fleet, context)
        return functions_pb2.ListFunctionsResponse(
            functions=[self.fleet.function(name) for name in self.fleet.functions]
        )

    async def CreateFunction(self, request: Any, context: Any) -> Any:  # noqa: N802
        if reasons := names.function_name_reasons(request.name):
            bad = error_details_pb2.BadRequest(
                field_violations=[{"field": "name", "description": reason} for reason in reasons]
            )
            status = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message="; ".join(reasons))
            status.details.add().Pack(bad)
            rich = rpc_status.to_status(status)
            context.set_trailing_metadata(rich.trailing_metadata)
            await context.abort(rich.code, rich.details, rich.trailing_metadata)
        self.fleet.functions[request.name] = []
        return self.fleet.function(request.name)

    async def UpdateFunction(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.fleet.updates.append(request)
        return self.fleet.function(request.name)

    async def DeleteFunction(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self.fleet.functions.pop(request.name, None) is None:
            await _missing(context, f"function {request.name}")
        return functions_pb2.DeleteFunctionResponse()


class Versions(versions_pb2_grpc.VersionsServicer):
    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    async def StatBundle(self, request: Any, context: Any) -> Any:  # noqa: N802
        return versions_pb2.StatBundleResponse(stored=request.digest in self.fleet.bundles)

    async def UploadBundle(self, requests: Any, context: Any) -> Any:  # noqa: N802
        header, data = None, b""
        async for request in requests:
            if request.HasField("header"):
                header = request.header
            else:
                assert len(request.chunk) <= 512 * 1024
                data += request.chunk
        assert header is not None
        assert (len(data), hashlib.sha256(data).hexdigest()) == (header.size_bytes, header.digest)
        self.fleet.bundles[header.digest] = data
        self.fleet.kinds[header.digest] = header.kind
        self.fleet.uploads += 1
        return versions_pb2.UploadBundleResponse(digest=header.digest, size_bytes=len(data))

    async def CreateVersion(self, request: Any, context: Any) -> Any:  # noqa: N802
        versions = self.fleet.functions[request.function]
        version = versions_pb2.Version(
            function=request.function,
            number=len(versions) + 1,
            digest=request.digest,
            size_bytes=len(self.fleet.bundles[request.digest]),
            dialect=request.dialect,
            entrypoint=request.entrypoint,
            author=request.author,
            message=request.message,
            manifest=request.manifest,
        )
        version.created_at.FromSeconds(1_700_000_000)
        versions.append(version)
        return version

    async def ListVersions(self, request: Any, context: Any) -> Any:  # noqa: N802
        return versions_pb2.ListVersionsResponse(versions=self.fleet.functions[request.function][::-1])


class Deployments(deployments_pb2_grpc.DeploymentsServicer):
    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    async def Deploy(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        if request.HasField("gradual") and request.function in self.fleet.active:
            yield self._first_step(request)
            await asyncio.Event().wait()
        for step in self._steps(request.function, request.version):
            if request.HasField("gradual"):
                step.note = "all at once"
            yield step

    def _first_step(self, request: Any) -> deployments_pb2.Deployment:
        percent, stable = request.gradual.steps[0], self.fleet.active[request.function]
        deployment = deployments_pb2.Deployment(
            function=request.function,
            generation=2,
            shares=[
                common_pb2.Share(version=stable, percent=100 - percent),
                common_pb2.Share(version=request.version, percent=percent),
            ],
            previous=[common_pb2.Share(version=stable, percent=100)],
            phase=deployments_pb2.Deployment.PHASE_PROGRESSING,
            reason=f"version {request.version} has {percent} % of the traffic",
            rollout=deployments_pb2.Rollout(version=request.version, gradual=request.gradual, failures=1),
        )
        deployment.rollout.reached_at.FromSeconds(1_700_000_000)
        deployment.rollout.next_at.FromSeconds(1_700_000_060)
        self.fleet.rollouts[request.function] = deployment
        return deployment

    async def GetDeployment(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.fleet.rollouts[request.function]

    async def ChangeRollout(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.function not in self.fleet.rollouts:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no gradual deployment is under way")
        self.fleet.changes.append(request.change)
        deployment = self.fleet.rollouts[request.function]
        if request.change == deployments_pb2.ChangeRolloutRequest.CHANGE_ABORT:
            deployment.phase, deployment.reason = deployments_pb2.Deployment.PHASE_ROLLED_BACK, "aborted by ada"
        return deployment

    async def Rollback(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        to = request.to_version or self.fleet.active[request.function] - 1
        if to < 1:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "there is no version before the present one")
        for step in self._steps(request.function, to):
            yield step

    def _steps(self, function: str, version: int) -> Iterable[deployments_pb2.Deployment]:
        progress = deployments_pb2.NodeProgress
        deployment = deployments_pb2.Deployment(
            function=function,
            generation=1,
            shares=[common_pb2.Share(version=version, percent=100)],
            previous=[common_pb2.Share(version=self.fleet.active[function], percent=100)]
            if function in self.fleet.active
            else [],
            phase=deployments_pb2.Deployment.PHASE_PROGRESSING,
            nodes=[progress(node=f"{region}-1", region=region, state=progress.STATE_PENDING) for region in REGIONS],
        )
        yield deployment
        for node in deployment.nodes:
            node.state = progress.STATE_REFUSED if self.fleet.refuse else progress.STATE_ACTIVE
            node.error = self.fleet.refuse
            yield deployment
        if self.fleet.refuse:
            deployment.phase, deployment.reason = deployments_pb2.Deployment.PHASE_FAILED, "2 nodes refused it"
        else:
            self.fleet.active[function] = version
            deployment.phase = deployments_pb2.Deployment.PHASE_COMPLETE
        yield deployment


class Nodes(nodes_pb2_grpc.NodesServicer):
    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    async def ListNodes(self, request: Any, context: Any) -> Any:  # noqa: N802
        await _check(self.fleet, context)
        return nodes_pb2.ListNodesResponse(nodes=[self.fleet.node(region) for region in REGIONS])

    async def DrainNode(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._set(request.id, context, draining=True)

    async def UncordonNode(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._set(request.id, context, draining=False)

    async def _set(self, node: str, context: Any, *, draining: bool) -> nodes_pb2.Node:
        region = node.removesuffix("-1")
        if region not in REGIONS:
            await _missing(context, f"node {node}")
        (self.fleet.draining.add if draining else self.fleet.draining.discard)(node)
        return self.fleet.node(region)


class Routing(routing_pb2_grpc.RoutingServicer):
    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    async def ListRouters(self, request: Any, context: Any) -> Any:  # noqa: N802
        await _check(self.fleet, context)
        return routing_pb2.ListRoutersResponse(routers=self.fleet.routers)

    async def Simulate(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.fleet.asked.append(request)
        now = routing_pb2.Distribution(
            nodes=[
                routing_pb2.NodeShare(node="london-1", region="london", share=0.75, median_km=340, p95_km=1200),
                routing_pb2.NodeShare(node="tokyo-1", region="tokyo", share=0.25, median_km=-1, p95_km=-1),
            ],
            median_km=340, p95_km=1300, unlocated=0.25,
        )  # fmt: skip
        answer = routing_pb2.SimulateResponse(sample=request.sample, now=now)
        if request.drain:
            answer.drained.nodes.add(node="london-1", region="london", share=1, median_km=500, p95_km=9000)
            answer.drained.median_km, answer.drained.p95_km = 500, 9000
            answer.moved = 0.25
        return answer

    async def Explain(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.fleet.asked.append(request)
        return routing_pb2.ExplainResponse(
            client=routing_pb2.ClientLocation(
                ip=request.ip,
                network="192.0.2.0/24",
                source="city",
                location=common_pb2.Location(latitude=35.7, longitude=139.7),
                country="JP",
                city="Tokyo",
            ),
            candidates=[
                routing_pb2.Candidate(
                    node="tokyo-1", region="tokyo", distance_km=7.25, chosen=True, eligible=True, reason="nearest"
                ),
                routing_pb2.Candidate(node="london-1", region="london", distance_km=-1, reason="down"),
            ],
            answers=["127.77.0.2"],
            ttl_s=20,
            scope_prefix_length=24,
            reason="tokyo-1 is the nearest healthy node",
        )


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Terminal:
    """Runs the command line as a user does, in a process of its own."""

    endpoint: str
    home: Path

    async def run(self, *words: str | Path, stdin: bytes = b"", **environment: str) -> Ran:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("NEARHOP_", "XDG_"))}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-c",
            "from controlplane.cli.main import main; main()",
            *words,
            env={**inherited, "HOME": str(self.home), "NEARHOP_ENDPOINT": self.endpoint, **environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            out, err = await process.communicate(stdin)
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
async def terminal(fleet: Fleet, tmp_path: Path, real: None) -> AsyncIterator[Terminal]:
    server = grpc.aio.server()
    functions_pb2_grpc.add_FunctionsServicer_to_server(Functions(fleet), server)
    versions_pb2_grpc.add_VersionsServicer_to_server(Versions(fleet), server)
    deployments_pb2_grpc.add_DeploymentsServicer_to_server(Deployments(fleet), server)
    nodes_pb2_grpc.add_NodesServicer_to_server(Nodes(fleet), server)
    routing_pb2_grpc.add_RoutingServicer_to_server(Routing(fleet), server)
    port = server.add_insecure_port("127.91.4.1:0")
    await server.start()
    try:
        yield Terminal(f"127.91.4.1:{port}", tmp_path)
    finally:
        await server.stop(None)
