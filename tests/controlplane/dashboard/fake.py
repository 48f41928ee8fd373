"""A control plane in memory that speaks the whole API which the dashboard uses, over real gRPC.

It behaves as the .proto files say: events wake watchers, answers flow to the nearest node that is up, tokens carry roles. Run as a module it
serves a fleet of any size: python -m tests.controlplane.dashboard.fake --nodes 50 --functions 200.
"""

import argparse
import asyncio
import itertools
import math
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Self

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from nearhop.v1 import (
    deployments_pb2,
    deployments_pb2_grpc,
    events_pb2,
    events_pb2_grpc,
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

ZONE = "nearhop.test"
REGIONS = {
    "tokyo": (35.69, 139.69),
    "london": (51.51, -0.13),
    "virginia": (39.04, -77.49),
    "sydney": (-33.87, 151.21),
    "saopaulo": (-23.55, -46.63),
    "mumbai": (19.08, 72.88),
    "frankfurt": (50.11, 8.68),
    "singapore": (1.35, 103.82),
    "capetown": (-33.92, 18.42),
    "oregon": (45.84, -119.7),
}
# What the fake's geo database knows: address -> (city, country, latitude, longitude).
ADDRESSES = {
    "133.11.0.1": ("Tokyo", "JP", 35.69, 139.69),
    "81.2.69.142": ("London", "GB", 51.51, -0.13),
    "129.78.5.1": ("Sydney", "AU", -33.87, 151.21),
}
# Where clients are, and how many answers per second they ask for.
CLIENTS = {
    "JP": (36.0, 138.0, 220.0), "GB": (52.5, -1.5, 180.0), "US": (39.5, -98.4, 310.0), "AU": (-25.0, 134.0, 60.0),
    "BR": (-10.8, -53.1, 140.0), "DE": (51.1, 10.4, 150.0), "IN": (22.9, 79.6, 240.0), "FR": (46.2, 2.2, 110.0),
    "ZA": (-29.0, 25.1, 35.0), "KR": (36.4, 127.8, 90.0), "CA": (57.0, -101.0, 70.0), "ID": (-2.2, 117.0, 80.0),
    "NG": (9.6, 8.1, 45.0), "AR": (-35.2, -65.2, 40.0), "MX": (23.9, -102.5, 55.0), "TR": (39.1, 35.2, 50.0),
}  # fmt: skip

Node = nodes_pb2.Node
Event = events_pb2.Event


class FakeControlPlane:
    """The fleet and its server. The methods without an underscore are what a test does to it."""

    def __init__(self, nodes: int = 5, functions: int = 3, *, tokens: Mapping[str, str] | None = None) -> None:
        self.tokens = dict(tokens) if tokens is not None else None  # token -> "admin" or "viewer"
        self.credentials: grpc.ServerCredentials | None = None
        self.calls: list[str] = []
        self.nodes: dict[str, nodes_pb2.Node] = {}
        self.functions: dict[str, functions_pb2.Function] = {}
        self.versions: dict[str, list[versions_pb2.Version]] = {}
        self.deployments: dict[str, deployments_pb2.Deployment] = {}
        self.log: list[Event] = []
        self.offers_events = True
        self.offers_flows = True
        self.deploy_takes_s = 0.2
        self.port = 0
        self._ids = itertools.count(1)
        self._changed = asyncio.Condition()
        self._random = random.Random(7)
        self._server: grpc.aio.Server | None = None
        regions = list(REGIONS)
        for index in range(nodes):
            self.add_node(f"{regions[index % len(regions)]}-{index // len(regions) + 1}", regions[index % len(regions)])
        names = ["hello", "checkout", "images", *(f"worker-{index:03}" for index in range(4, 1000))]
        for name in names[:functions]:
            self.add_function(name, versions=3)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Serve, on the port of the last time when there was one."""
        interceptor = _Gate(self)
        self._server = grpc.aio.server(interceptors=[interceptor])
        nodes_pb2_grpc.add_NodesServicer_to_server(_Nodes(self), self._server)
        functions_pb2_grpc.add_FunctionsServicer_to_server(_Functions(self), self._server)
        versions_pb2_grpc.add_VersionsServicer_to_server(_Versions(self), self._server)
        deployments_pb2_grpc.add_DeploymentsServicer_to_server(_Deployments(self), self._server)
        routing_pb2_grpc.add_RoutingServicer_to_server(_Routing(self), self._server)
        events_pb2_grpc.add_EventsServicer_to_server(_Events(self), self._server)
        if self.credentials is None:
            self.port = self._server.add_insecure_port(self.address)
        else:
            self.port = self._server.add_secure_port(self.address, self.credentials)
        await self._server.start()

    async def stop(self) -> None:
        """End at once, as a killed process does."""
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def add_node(self, name: str, region: str, *, at: tuple[float, float] | None = None) -> None:
        latitude, longitude = at or REGIONS[region]
        node = Node(id=name, region=region, site=f"{region}-a", health=Node.HEALTH_HEALTHY, connected=True)
        node.health_reason = "connected, and every router sees its ingress up"
        node.location.latitude, node.location.longitude = latitude, longitude
        node.ingress.ipv4.append(f"192.0.2.{len(self.nodes) + 1}")
        node.ingress.port = 7480
        node.witnesses.append(_witness(name, nodes_pb2.Witness.VERDICT_UP, "the probe was answered"))
        node.last_seen_at.GetCurrentTime()
        report = node.report
        report.snapshot_revision, report.cpus = 40, 4
        report.load_1m = round(self._random.uniform(0.1, 3.4), 2)
        report.memory_available_bytes = 3 * 2**30
        report.isolation, report.deno_version, report.haproxy_version = "full", "2.9.8", "2.8.25"
        report.ingress_ready = True
        self.nodes[name] = node

    def add_function(self, name: str, *, versions: int = 1, message: str = "") -> None:
        function = functions_pb2.Function(name=name, hostnames=[f"{name}.{ZONE}"], active_version=versions)
        function.created_at.GetCurrentTime()
        self.functions[name] = function
        self.versions[name] = []
        for number in range(1, versions + 1):
            version = versions_pb2.Version(
                function=name, number=number, digest=f"{abs(hash((name, number))):064x}"[:64], size_bytes=18_000 + number,
                dialect=1, entrypoint="worker.ts", author="ana", message=message or f"change {number}",
            )  # fmt: skip
            version.created_at.GetCurrentTime()
            self.versions[name].append(version)
        deployment = deployments_pb2.Deployment(
            function=name, generation=versions, phase=deployments_pb2.Deployment.PHASE_COMPLETE,
            reason="every connected node serves it",
        )  # fmt: skip
        deployment.shares.add(version=versions, percent=100)
        deployment.created_at.GetCurrentTime()
        deployment.ended_at.GetCurrentTime()
        for node in self.nodes.values():
            deployment.nodes.add(node=node.id, region=node.region, state=deployments_pb2.NodeProgress.STATE_ACTIVE)
            node.report.placements.add(
                function=name, generation=versions, active_version=versions,
                state=node_control_pb2.PlacementStatus.STATE_ACTIVE,
            )  # fmt: skip
            node.report.sandboxes.add(
                function=name, version=versions, state="ready", memory_bytes=46 * 2**20, cpu_s=1.5, requests=100
            )
        self.deployments[name] = deployment

    async def happen(self, kind: "Event.Kind.ValueType", message: str, **subject: Any) -> Event:
        """Log an event and wake whoever watches."""
        event = Event(id=next(self._ids), kind=kind, message=message, **subject)
        event.time.GetCurrentTime()
        async with self._changed:
            self.log.append(event)
            self._changed.notify_all()
        return event

    async def set_health(self, name: str, health: "Node.Health.ValueType", reason: str) -> None:
        """Change a node's health as its witnesses would."""
        node = self.nodes[name]
        node.health, node.health_reason = health, reason
        node.draining = health == Node.HEALTH_DRAINING
        down = health == Node.HEALTH_UNHEALTHY
        node.connected = health not in (Node.HEALTH_UNHEALTHY, Node.HEALTH_STALE)
        verdict = nodes_pb2.Witness.VERDICT_DOWN if down else nodes_pb2.Witness.VERDICT_UP
        del node.witnesses[:]
        node.witnesses.append(_witness(name, verdict, "connection refused" if down else "the probe was answered"))
        await self.happen(Event.KIND_HEALTH_CHANGED, reason, node=name, region=node.region)

    def heartbeat(self) -> None:
        """Let every connected node report: requests grow, load moves."""
        for node in self.nodes.values():
            if not node.connected:
                continue
            node.last_seen_at.GetCurrentTime()
            drift = self._random.uniform(-0.25, 0.25)
            node.report.load_1m = max(0.05, min(4.0, node.report.load_1m + drift))
            for sandbox in node.report.sandboxes:
                sandbox.requests += self._random.randrange(0, 40)
                sandbox.cpu_s += 0.02

    def ranked(self, latitude: float, longitude: float) -> list[tuple[float, nodes_pb2.Node]]:
        """The nodes by preference: eligible ones first, by distance."""
        return sorted(
            ((_distance_km(latitude, longitude, node), node) for node in self.nodes.values()),
            key=lambda item: (not _eligible(item[1]), item[0], item[1].id),
        )

    def flows(self, function: str = "") -> routing_pb2.Flows:
        """What the routers answer now."""
        batch = routing_pb2.Flows(window_s=1.0)
        names = [function] if function else list(self.functions)[:4]
        for country, (latitude, longitude, rate) in CLIENTS.items():
            ranked = self.ranked(latitude, longitude)
            for index, name in enumerate(names):
                batch.flows.add(
                    country=country, node=ranked[0][1].id if ranked else "", function=name,
                    answers_per_s=rate / 2 ** (index + 1) * self._random.uniform(0.85, 1.15),
                )  # fmt: skip
        return batch

    async def wait_for_more(self, seen: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.log) > seen)


class _Gate(grpc.aio.ServerInterceptor):
    """Tokens and roles, as the real API refuses: UNAUTHENTICATED without a known token, PERMISSION_DENIED for a viewer who acts."""

    _MUTATING = ("DrainNode", "UncordonNode", "Rollback", "Deploy", "DeleteFunction", "CreateFunction")

    def __init__(self, fake: FakeControlPlane) -> None:
        self._fake = fake

    async def intercept_service(self, continuation: Callable[..., Any], details: grpc.HandlerCallDetails) -> Any:
        method = details.method.rpartition("/")[2]
        self._fake.calls.append(method)
        handler = await continuation(details)
        if self._fake.tokens is None or handler is None:
            return handler
        given = dict(details.invocation_metadata).get("authorization", "")
        role = self._fake.tokens.get(str(given).removeprefix("Bearer "))
        if role is None:
            return _refusing(handler, grpc.StatusCode.UNAUTHENTICATED, "an API token is required")
        if role == "viewer" and method in self._MUTATING:
            return _refusing(
                handler, grpc.StatusCode.PERMISSION_DENIED, "this token may look, not act: its role is viewer"
            )
        return handler


def _refusing(handler: Any, code: grpc.StatusCode, message: str) -> Any:
    async def unary(_request: Any, context: Any) -> None:
        await context.abort(code, message)

    async def stream(_request: Any, context: Any) -> AsyncIterator[Any]:
        await context.abort(code, message)
        yield

    make = grpc.unary_stream_rpc_method_handler if handler.response_streaming else grpc.unary_unary_rpc_method_handler
    return make(
        stream if handler.response_streaming else unary,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


class _Nodes(nodes_pb2_grpc.NodesServicer):
    def __init__(self, fake: FakeControlPlane) -> None:
        self._fake = fake

    async def ListNodes(self, request: Any, context: Any) -> nodes_pb2.ListNodesResponse:
        return nodes_pb2.ListNodesResponse(nodes=self._fake.nodes.values())

    async def GetNode(self, request: nodes_pb2.GetNodeRequest, context: Any) -> nodes_pb2.Node:
        return await _found(self._fake.nodes, request.id, "node", context)

    async def DrainNode(self, request: nodes_pb2.DrainNodeRequest, context: Any) -> nodes_pb2.Node:
        node = await _found(self._fake.nodes, request.id, "node", context)
        node.draining, node.health, node.health_reason = True, Node.HEALTH_DRAINING, "drained by an operator"
        await self._fake.happen(Event.KIND_NODE_DRAINED, "drained by an operator", node=node.id, region=node.region)
        return node

    async def UncordonNode(self, request: nodes_pb2.UncordonNodeRequest, context: Any) -> nodes_pb2.Node:
        node = await _found(self._fake.nodes, request.id, "node", context)
        node.draining, node.health, node.health_reason = (
            False,
            Node.HEALTH_HEALTHY,
            "connected, and every router sees it up",
        )
        await self._fake.happen(Event.KIND_NODE_UNCORDONED, "back in the answers", node=node.id, region=node.region)
        return node


class _Functions(functions_pb2_grpc.FunctionsServicer):
    def __init__(self, fake: FakeControlPlane) -> None:
        self._fake = fake

    async def ListFunctions(self, request: Any, context: Any) -> functions_pb2.ListFunctionsResponse:
        return functions_pb2.ListFunctionsResponse(functions=self._fake.functions.values())

    async def GetFunction(self, request: functions_pb2.GetFunctionRequest, context: Any) -> functions_pb2.Function:
        return await _found(self._fake.functions, request.name, "function", context)


class _Versions(versions_pb2_grpc.VersionsServicer):
    def __init__(self, fake: FakeControlPlane) -> None:
        self._fake = fake

    async def ListVersions(self, request: versions_pb2.ListVersionsRequest, context: Any) -> Any:
        found = await _found(self._fake.versions, request.function, "function", context)
        return versions_pb2.ListVersionsResponse(versions=reversed(found))


class _Deployments(deployments_pb2_grpc.DeploymentsServicer):
    def __init__(self, fake: FakeControlPlane) -> None:
        self._fake = fake
        self._running: set[asyncio.Task[None]] = set()

    async def GetDeployment(self, request: deployments_pb2.GetDeploymentRequest, context: Any) -> Any:
        return await _found(self._fake.deployments, request.function, "deployment", context)

    async def Rollback(self, request: deployments_pb2.RollbackRequest, context: Any) -> AsyncIterator[Any]:
        fake = self._fake
        before = await _found(fake.deployments, request.function, "deployment", context)
        present = fake.functions[request.function].active_version
        wanted = request.to_version or present - 1
        if not 1 <= wanted <= len(fake.versions[request.function]) or wanted == present:
            violation = error_details_pb2.BadRequest()
            violation.field_violations.add(
                field="to_version", description=f"there is no version {wanted} to go back to"
            )
            detail = any_pb2.Any()
            detail.Pack(violation)
            status = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message="to_version is wrong", details=[detail])
            await context.abort_with_status(rpc_status.to_status(status))
        deployment = deployments_pb2.Deployment(
            function=request.function, generation=before.generation + 1, previous=before.shares,
            phase=deployments_pb2.Deployment.PHASE_PROGRESSING, reason="nodes are switching",
        )  # fmt: skip
        deployment.shares.add(version=wanted, percent=100)
        deployment.created_at.GetCurrentTime()
        for node in fake.nodes.values():
            deployment.nodes.add(node=node.id, region=node.region, state=deployments_pb2.NodeProgress.STATE_PENDING)
        fake.deployments[request.function] = deployment
        fake.functions[request.function].active_version = wanted
        task = asyncio.get_running_loop().create_task(self._switch(deployment, wanted), name="fake-switch")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        yield deployment
        await asyncio.shield(task)  # a client that goes away does not stop it
        yield deployment

    async def _switch(self, deployment: deployments_pb2.Deployment, wanted: int) -> None:
        fake, name = self._fake, deployment.function
        await fake.happen(Event.KIND_ROLLBACK, f"back to version {wanted}", function=name, version=wanted)
        for progress in deployment.nodes:
            await asyncio.sleep(fake.deploy_takes_s / len(deployment.nodes))
            progress.state = deployments_pb2.NodeProgress.STATE_ACTIVE
            for placement in fake.nodes[progress.node].report.placements:
                if placement.function == name:
                    placement.active_version, placement.generation = wanted, deployment.generation
        deployment.phase, deployment.reason = (
            deployments_pb2.Deployment.PHASE_COMPLETE,
            "every connected node serves it",
        )
        deployment.ended_at.GetCurrentTime()
        await fake.happen(Event.KIND_DEPLOY_COMPLETE, "every connected node serves it", function=name, version=wanted)


class _Routing(routing_pb2_grpc.RoutingServicer):
    def __init__(self, fake: FakeControlPlane) -> None:
        self._fake = fake

    async def ListRouters(self, request: Any, context: Any) -> routing_pb2.ListRoutersResponse:
        router = routing_pb2.Router(id="r1", dns="127.0.0.1:7453", http="127.0.0.1:7454", epoch=12, zone=ZONE)
        return routing_pb2.ListRoutersResponse(routers=[router])

    async def Explain(self, request: routing_pb2.ExplainRequest, context: Any) -> routing_pb2.ExplainResponse:
        reply = routing_pb2.ExplainResponse(ttl_s=30)
        if request.HasField("location"):
            reply.client.source, reply.client.country = "given", request.country
            reply.client.location.CopyFrom(request.location)
        elif request.ip in ADDRESSES:
            city, country, latitude, longitude = ADDRESSES[request.ip]
            reply.client.ip, reply.client.source, reply.client.city, reply.client.country = (
                request.ip,
                "city",
                city,
                country,
            )
            reply.client.network = request.ip.rpartition(".")[0] + ".0/24"
            reply.client.location.latitude, reply.client.location.longitude = latitude, longitude
            reply.scope_prefix_length = 24
        else:
            reply.client.ip, reply.client.source = request.ip, "none"
        self._rank(reply)
        return reply

    def _rank(self, reply: routing_pb2.ExplainResponse) -> None:
        located = reply.client.HasField("location")
        here = reply.client.location
        for index, (distance, node) in enumerate(self._fake.ranked(here.latitude, here.longitude)):
            eligible = _eligible(node)
            first = index == 0
            best = reply.candidates[0] if reply.candidates else None
            reply.candidates.add(
                node=node.id, region=node.region, distance_km=distance if located else -1, chosen=first, eligible=eligible,
                reason="eligible and nearest" if first else node.health_reason if not eligible
                else f"eligible, but {distance - (best.distance_km if best else 0):.0f} km farther than {best.node if best else ''}",
            )  # fmt: skip
            if first:
                reply.answers.extend(node.ingress.ipv4)
                place = reply.client.city or reply.client.country or "the given place"
                reply.reason = (
                    f"{node.id} is {distance:.0f} km from {place}" if located else f"{node.id}: the place is unknown"
                )

    async def WatchFlows(self, request: routing_pb2.WatchFlowsRequest, context: Any) -> AsyncIterator[Any]:
        if not self._fake.offers_flows:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "no flows here")
        while True:
            yield self._fake.flows(request.function)
            await asyncio.sleep(request.interval_s or 1.0)


class _Events(events_pb2_grpc.EventsServicer):
    def __init__(self, fake: FakeControlPlane) -> None:
        self._fake = fake

    async def ListEvents(self, request: events_pb2.ListEventsRequest, context: Any) -> events_pb2.ListEventsResponse:
        if not self._fake.offers_events:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "no events here")
        limit = request.limit or 100
        matching = [
            event
            for event in reversed(self._fake.log)
            if (not request.before_id or event.id < request.before_id)
            and (not request.function or event.function == request.function)
            and (not request.node or event.node == request.node)
        ]
        return events_pb2.ListEventsResponse(events=matching[:limit], more=len(matching) > limit)

    async def WatchEvents(self, request: events_pb2.WatchEventsRequest, context: Any) -> AsyncIterator[Any]:
        newest = self._fake.log[-1].id if self._fake.log else 0
        after = request.after_id if request.HasField("after_id") else newest
        while True:
            seen = len(self._fake.log)
            for event in [event for event in self._fake.log if event.id > after]:
                after = event.id
                yield event
            await self._fake.wait_for_more(seen)


async def _found(records: Mapping[str, Any], name: str, what: str, context: Any) -> Any:
    if name not in records:
        await context.abort(grpc.StatusCode.NOT_FOUND, f'there is no {what} "{name}"')
    return records[name]


def _eligible(node: nodes_pb2.Node) -> bool:
    return not node.draining and node.health != Node.HEALTH_UNHEALTHY


def _witness(node: str, verdict: "nodes_pb2.Witness.Verdict.ValueType", reason: str) -> nodes_pb2.Witness:
    witness = nodes_pb2.Witness(router="r1", node=node, verdict=verdict, reason=reason, rtt_s=0.0012)
    witness.since.GetCurrentTime()
    return witness


def _distance_km(latitude: float, longitude: float, node: nodes_pb2.Node) -> float:
    a, b = math.radians(latitude), math.radians(node.location.latitude)
    cosine = math.sin(a) * math.sin(b) + math.cos(a) * math.cos(b) * math.cos(
        math.radians(longitude - node.location.longitude)
    )
    return 6371.0 * math.acos(max(-1.0, min(1.0, cosine)))


async def _serve(nodes: int, functions: int, port: int, seconds: float) -> None:
    fake = FakeControlPlane(nodes, functions)
    fake.port = port
    async with fake:
        for name in list(fake.nodes)[:6]:
            await fake.happen(Event.KIND_NODE_JOINED, "introduced itself", node=name, region=fake.nodes[name].region)
        await fake.happen(Event.KIND_DEPLOY_COMPLETE, "every connected node serves it", function="hello", version=3)
        await fake.happen(
            Event.KIND_DEPLOY_FAILED,
            "refused by tokyo-1: ReferenceError: jwks is not defined",
            function="checkout",
            version=3,
        )
        if len(fake.nodes) > 4:
            await fake.set_health("saopaulo-1", Node.HEALTH_UNHEALTHY, "r1 sees its ingress down: connection refused")
        print(fake.address, flush=True)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            fake.heartbeat()
            await asyncio.sleep(2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--functions", type=int, default=12)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=600)
    given = parser.parse_args()
    asyncio.run(_serve(given.nodes, given.functions, given.port, given.seconds))
