"""Several control planes over one etcd cluster: leaders, nodes' control planes and etcd are killed, and nothing acknowledged is lost."""

import asyncio
import contextlib
import hashlib
import itertools
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest

from controlplane.model import Deployment, Phase
from controlplane.store import codec, keys
from controlplane.store.client import Store
from controlplane.store.election import leader
from controlplane.store.errors import StoreError
from controlplane.store.keys import Kind
from nearhop import enroll, tasks, tls
from nearhop.spiffe import Part, Role
from nearhop.v1 import (
    common_pb2,
    deployments_pb2,
    deployments_pb2_grpc,
    functions_pb2,
    functions_pb2_grpc,
    node_control_pb2,
    node_control_pb2_grpc,
    nodes_pb2,
    routing_pb2,
    routing_pb2_grpc,
    versions_pb2,
    versions_pb2_grpc,
)
from tests.harness.cluster import CLIENTS, ZONE, Cluster, ControlPlane
from tests.harness.eventually import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

T = TypeVar("T")

SECONDS = 60
A_SECOND = 20
FUNCTIONS = [f"load-{number}" for number in range(10)]
SOURCE = b'export default { fetch() { return new Response("hello"); } };\n'
AGAIN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.UNKNOWN,
}


async def leading(cluster: Cluster, store: Store, controller: str = "deployments") -> ControlPlane:
    """Return the control plane that leads *controller*."""

    async def found() -> ControlPlane | None:
        item = await store.get(keys.leader(controller))
        address = leader(item.value).split()[0] if item else ""
        return next((plane for plane in cluster.control_planes if plane.address == address and plane.running), None)

    plane = await eventually(found, within=15, reason=f"nobody leads {controller}")
    assert plane is not None
    return plane


class Clients:
    """A client of each control plane; a call that one of them cannot do now is repeated at another, with its request_id."""

    def __init__(self, cluster: Cluster, rng: random.Random) -> None:
        self._channels = [cluster.channel_to(plane) for plane in cluster.control_planes]
        self._rng = rng
        self.repeated = 0

    async def call(self, invoke: Callable[[grpc.aio.Channel], Awaitable[T]], *, within: float = 60) -> T:
        until = time.monotonic() + within
        while True:
            try:
                return await invoke(self._rng.choice(self._channels))
            except grpc.aio.AioRpcError as error:
                if error.code() not in AGAIN or time.monotonic() > until:
                    raise
                self.repeated += 1
            await asyncio.sleep(self._rng.uniform(0.02, 0.2))

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close(None)


@dataclass
class Acknowledged:
    """What one function's client was told: the versions and the deployments of them, in order."""

    versions: list[int] = field(default_factory=list)
    generations: list[int] = field(default_factory=list)


async def deploy_on_and_on(clients: Clients, function: str, digest: str, count: int, pause_s: float) -> Acknowledged:
    told = Acknowledged()
    began = time.monotonic()
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number * pause_s - time.monotonic()))
        version = versions_pb2.CreateVersionRequest(
            request_id=uuid.uuid4().hex, function=function, digest=digest, dialect=common_pb2.DIALECT_WORKERS
        )
        made = await clients.call(lambda it, v=version: versions_pb2_grpc.VersionsStub(it).CreateVersion(v, timeout=10))
        told.versions.append(made.number)
        request = deployments_pb2.DeployRequest(request_id=uuid.uuid4().hex, function=function, version=made.number)
        told.generations.append((await clients.call(lambda it, r=request: started(it, r))).generation)
    return told


async def started(channel: grpc.aio.Channel, request: deployments_pb2.DeployRequest) -> deployments_pb2.Deployment:
    """Deploy, and go away with the first message: that is the acknowledgement."""
    call: Any = deployments_pb2_grpc.DeploymentsStub(channel).Deploy(request, timeout=10)
    try:
        message = await call.read()
        assert message is not grpc.aio.EOF
        return message
    finally:
        call.cancel()


class SimulatedNode:
    """A node with its own certificate that accepts everything at once, and goes to the next control plane whenever its stream ends."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.part = Part(Role.NODE, name, "tokyo")
        self.snapshot = node_control_pb2.Snapshot()
        self.streams = 0
        self._cluster = cluster
        self._instance = uuid.uuid4().hex
        self._reports: asyncio.Queue[None] = asyncio.Queue()
        self._credentials: tls.Credentials

    async def join(self) -> None:
        token = await self._cluster.join_token(self.part)
        endpoints = [plane.address for plane in self._cluster.control_planes]
        folder = self._cluster.folder / self.part.id
        self._credentials = await enroll.join(folder, self.part, token=token, endpoints=endpoints)

    async def run(self) -> None:
        for plane in itertools.cycle(self._cluster.control_planes):
            with contextlib.suppress(grpc.aio.AioRpcError):
                authorities = self._credentials.authorities
                async with tls.channel(plane.fleet, authorities=authorities, credentials=self._credentials) as channel:
                    await self._follow(node_control_pb2_grpc.NodeControlStub(channel).Sync(self._messages()))
            await asyncio.sleep(0.2)

    async def _follow(self, call: Any) -> None:
        self.streams += 1
        async for instruction in call:
            if instruction.HasField("snapshot"):
                assert instruction.snapshot.revision >= self.snapshot.revision, "a snapshot went back"
                self.snapshot = instruction.snapshot
                self._reports.put_nowait(None)

    async def _messages(self) -> AsyncIterator[node_control_pb2.NodeMessage]:
        number = int(self.part.id.rpartition("-")[2])
        yield node_control_pb2.NodeMessage(
            hello=node_control_pb2.Hello(
                node=self.part.id,
                region=self.part.region,
                location=common_pb2.Location(latitude=35.68, longitude=139.69),
                ingress=common_pb2.Ingress(ipv4=[f"192.0.2.{number}"], port=80),
                instance=self._instance,
                snapshot_revision=self.snapshot.revision,
            )
        )
        while True:
            yield node_control_pb2.NodeMessage(report=self._report())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._reports.get()

    def _report(self) -> node_control_pb2.NodeReport:
        return node_control_pb2.NodeReport(
            snapshot_revision=self.snapshot.revision,
            ingress_ready=True,
            placements=[
                node_control_pb2.PlacementStatus(
                    function=placement.function,
                    generation=placement.generation,
                    state=node_control_pb2.PlacementStatus.STATE_ACTIVE,
                    active_version=placement.versions[0].number,
                )
                for placement in self.snapshot.placements
            ],
        )

    def serves(self) -> dict[str, int]:
        return {placement.function: placement.versions[0].number for placement in self.snapshot.placements}


async def record(store: Store, after: int, history: list[tuple[int, Deployment]]) -> None:
    """Note every deployment record that is ever written, in order."""
    prefix = keys.prefix(Kind.DEPLOYMENTS)
    while True:
        changes = store.watch(prefix, keys.range_end(prefix), after=after)
        async for batch in changes:
            for change in batch:
                assert change.value is not None
                history.append((change.revision, codec.decode(Deployment, change.value)))
                after = change.revision
        await asyncio.sleep(0.05)


def check_history(history: list[tuple[int, Deployment]], told: dict[str, Acknowledged]) -> None:
    """Every generation comes once, after the one before it, with the version that was acknowledged; what has ended stays as it ended."""
    for function, acknowledged in told.items():
        records = [record for _, record in history if record.function == function]
        begun = [record for record, before in zip(records, [None, *records], strict=False)
                 if before is None or record.generation != before.generation]  # fmt: skip
        assert [record.generation for record in begun] == acknowledged.generations
        assert [record.shares[0].version for record in begun] == acknowledged.versions
        for before, record in itertools.pairwise(records):
            if record.generation == before.generation:
                assert before.phase is Phase.PROGRESSING, f"{function} {record.generation} ended twice"
        assert len({record.request_id for record in begun}) == len(begun)


async def kill_leaders(cluster: Cluster, store: Store, rng: random.Random, killed: list[str]) -> None:
    while True:
        await asyncio.sleep(rng.uniform(3.0, 6.0))
        plane = await leading(cluster, store)
        await plane.kill()
        killed.append(plane.name)
        await asyncio.sleep(rng.uniform(0.5, 6.0))
        await plane.start()


async def test_under_continuous_deploys_killed_leaders_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    rng = random.Random(20)
    async with Cluster([], folder=tmp_path, control_planes=2, etcd_members=3) as cluster:
        store, clients = cluster.store(), Clients(cluster, rng)
        nodes = [SimulatedNode(cluster, f"simulated-{number}") for number in (1, 2, 3)]
        for node in nodes:
            await node.join()
        digest = await upload(cluster)
        for function in FUNCTIONS:
            request = functions_pb2.CreateFunctionRequest(request_id=uuid.uuid4().hex, name=function)
            await clients.call(lambda it, r=request: functions_pb2_grpc.FunctionsStub(it).CreateFunction(r, timeout=10))
        history: list[tuple[int, Deployment]] = []
        killed: list[str] = []
        begins = (await store.list(keys.prefix(Kind.FUNCTIONS))).revision
        async with asyncio.TaskGroup() as group:
            others = [tasks.spawn(group, node.run(), name=node.part.id) for node in nodes]
            others.append(tasks.spawn(group, record(store, begins, history), name="history"))
            killing = tasks.spawn(group, kill_leaders(cluster, store, rng, killed), name="kills")
            began = time.monotonic()
            count, pause_s = SECONDS * A_SECOND // len(FUNCTIONS), len(FUNCTIONS) / A_SECOND
            deploying = {
                function: tasks.spawn(group, deploy_on_and_on(clients, function, digest, count, pause_s), name=function)
                for function in FUNCTIONS
            }
            await asyncio.wait(deploying.values())
            took_s = time.monotonic() - began
            await tasks.cancel(killing)
            for plane in cluster.control_planes:
                if not plane.running:
                    await plane.start()
                await plane.wait_ready()
            told = {function: task.result() for function, task in deploying.items()}
            last = {function: acknowledged.versions[-1] for function, acknowledged in told.items()}

            async def settled() -> bool:
                for node in nodes:
                    assert node.serves() == last, node.part.id
                newest = {record.function: record for _, record in history}
                assert all(record.phase is Phase.COMPLETE for record in newest.values()), newest
                return True

            await eventually(settled, within=20)
            for task in others:
                task.cancel()
        print(
            f"{len(FUNCTIONS) * count} deploys in {took_s:.0f} s, {len(killed)} leaders killed, {clients.repeated} calls repeated"
        )
        assert len(killed) >= 4
        for function, acknowledged in told.items():
            assert acknowledged.versions == list(range(1, count + 1)), function
            assert acknowledged.generations == list(range(1, count + 1)), function
        check_history(history, told)
        for plane in cluster.control_planes:
            async with cluster.channel_to(plane) as channel:
                for function in FUNCTIONS:
                    listed = await versions_pb2_grpc.VersionsStub(channel).ListVersions(
                        versions_pb2.ListVersionsRequest(function=function), timeout=10
                    )
                    assert [version.number for version in listed.versions] == list(range(count, 0, -1))
        await clients.close()
        await store.close()


async def upload(cluster: Cluster) -> str:
    digest = hashlib.sha256(SOURCE).hexdigest()

    async def parts() -> AsyncIterator[versions_pb2.UploadBundleRequest]:
        header = versions_pb2.UploadBundleRequest.Header(digest=digest, size_bytes=len(SOURCE))
        yield versions_pb2.UploadBundleRequest(header=header)
        yield versions_pb2.UploadBundleRequest(chunk=SOURCE)

    async with cluster.channel() as channel:
        return (await versions_pb2_grpc.VersionsStub(channel).UploadBundle(parts(), timeout=30)).digest


async def test_a_node_whose_control_plane_dies_moves_and_never_leaves_the_answers(
    tmp_path: Path, geo_cache: Path
) -> None:
    async with Cluster(["tokyo", "london"], folder=tmp_path, cache=geo_cache, control_planes=2) as cluster:
        ran = await cluster.deploy_source("hello", 'export default { fetch() { return new Response("one"); } };')
        assert ran.status == 0, ran.stderr
        first, second = cluster.control_planes
        # Every control plane tells of every node and of the router's verdicts, whoever is connected to it.
        for plane in cluster.control_planes:
            await healthy(cluster, plane)
            assert await routers(cluster, plane) == ["r1"]
        name, client = f"hello.{ZONE}", CLIENTS["tokyo"]
        wrong: list[list[str]] = []
        async with asyncio.TaskGroup() as group:
            asking = tasks.spawn(group, ask(cluster, name, client, wrong), name="dns")
            await first.kill()  # tokyo's
            await healthy(cluster, second, within=8)
            ran = await cluster.deploy_source("hello", 'export default { fetch() { return new Response("two"); } };')
            assert ran.status == 0, ran.stderr
            assert (await cluster.fetch("hello", client)).text == "two"
            asking.cancel()
        assert wrong == []
        await first.start()
        await healthy(cluster, first)


async def ask(cluster: Cluster, name: str, client: str, wrong: list[list[str]]) -> None:
    expected = [cluster.nodes["tokyo-1"].address]
    while True:
        if (answer := await cluster.router.resolve(name, subnet=client)) != expected:
            wrong.append(answer)
        await asyncio.sleep(0.02)


async def healthy(cluster: Cluster, plane: ControlPlane, within: float = 15) -> None:
    async def check() -> bool:
        found = {node.id: node.health for node in await cluster.list_nodes(plane)}
        assert found == dict.fromkeys(cluster.nodes, nodes_pb2.Node.HEALTH_HEALTHY), found
        return True

    await eventually(check, within=within)


async def routers(cluster: Cluster, plane: ControlPlane) -> list[str]:
    async with cluster.channel_to(plane) as channel:
        listed = await routing_pb2_grpc.RoutingStub(channel).ListRouters(routing_pb2.ListRoutersRequest(), timeout=5)
    return [router.id for router in listed.routers if len(router.verdicts) == len(cluster.nodes)]


async def test_all_of_etcd_restarts_and_nothing_is_lost(tmp_path: Path, geo_cache: Path) -> None:
    async with Cluster(["tokyo"], folder=tmp_path, cache=geo_cache, control_planes=2, etcd_members=3) as cluster:
        ran = await cluster.deploy_source("hello", 'export default { fetch() { return new Response("one"); } };')
        assert ran.status == 0, ran.stderr
        one = cluster.etcds.members[0]
        await one.kill()  # a quorum is left: deploys go on
        ran = await cluster.deploy_source("hello", 'export default { fetch() { return new Response("two"); } };')
        assert ran.status == 0, ran.stderr
        for plane in cluster.control_planes:
            assert await plane.ready()
        await cluster.etcds.kill()
        assert (await cluster.fetch("hello", CLIENTS["tokyo"])).text == "two"
        await cluster.etcds.start()
        store = cluster.store()

        async def back() -> bool:
            try:
                return bool((await store.list(keys.versions_of("hello"))).items)
            except StoreError as error:
                raise AssertionError(str(error)) from error

        await eventually(back, within=20)
        assert len((await store.list(keys.versions_of("hello"))).items) == 2
        await store.close()
        ran = await cluster.deploy_source("hello", 'export default { fetch() { return new Response("three"); } };')
        assert ran.status == 0, ran.stderr
        assert (await cluster.fetch("hello", CLIENTS["tokyo"])).text == "three"
        for plane in cluster.control_planes:
            await healthy(cluster, plane)
