"""Two control planes on one store, as agents and clients meet them."""

import contextlib
from collections.abc import AsyncIterator

import grpc
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from controlplane.config import Config
from controlplane.server import ControlPlane, leading
from controlplane.store import keys
from controlplane.store.client import Put, Store
from controlplane.store.keys import Key, Kind
from nearhop.v1 import nodes_pb2
from tests.controlplane.api.clients import PHASE, Agent, Client, Router, explain, fresh
from tests.controlplane.api.conftest import LIMITS
from tests.harness.etcd import Etcd
from tests.harness.eventually import eventually


@pytest_asyncio.fixture
async def other(plane: ControlPlane, shared_etcd: Etcd) -> AsyncIterator[Client]:
    """A client of a second control plane."""
    config = Config([shared_etcd.endpoint], "example.org", listen="127.0.0.1:0", limits=LIMITS, insecure=True)
    second = ControlPlane(config)
    async with second.running() as port:
        await second.cache.synced.wait()
        client = Client(f"127.0.0.1:{port}")
        client.plane = second  # type: ignore[attr-defined]
        yield client
        await client.channel.close(None)


async def test_another_agent_of_the_same_name_is_refused_wherever_the_first_is_connected(
    client: Client, other: Client
) -> None:
    async with Agent(client.address, "tokyo-1") as first:
        async with Agent(other.address, "tokyo-1", region="london") as second:
            assert second.ended is not None
            failed = explain(second.ended)
            assert (failed.code, failed.reason) == (grpc.StatusCode.ALREADY_EXISTS, "NODE_CONNECTED")
        assert first.ended is None
        assert (await client.node("tokyo-1")).region == "tokyo"  # nothing of the second has been written


async def test_an_agent_moves_at_once_and_its_older_session_ends(client: Client, other: Client, store: Store) -> None:
    instance, path = fresh(), str(Key(Kind.HEALTH, "tokyo-1"))
    async with Agent(client.address, "tokyo-1", instance=instance) as older:
        await older.until(lambda agent: bool(agent.snapshots))
        async with Agent(other.address, "tokyo-1", instance=instance) as newer:
            assert newer.ended is None
            await older.until(lambda agent: agent.ended is not None)
            assert older.ended is not None
            assert explain(older.ended).reason == "SESSION_REPLACED"
            assert await store.get(path) is not None  # ending, the older one took nothing with it
            assert (await client.node("tokyo-1")).connected
            assert (await other.node("tokyo-1")).connected


async def test_what_an_agent_is_sent_first_is_never_older_than_what_it_has(
    client: Client, other: Client, store: Store
) -> None:
    async with Agent(client.address, "tokyo-1") as agent:
        await client.create()
        await client.version()
        await client.deployed(1)
        await agent.until(lambda agent: agent.versions() == {"hello": [1]})
    # A write outside of what control planes watch: a control plane that starts now gives snapshots this revision, the others know of none such.
    revision = await store.commit([], [Put(keys.chunk("d" * 64, 0), b"x")])
    async with Agent(other.address, "tokyo-1", snapshot_revision=revision) as agent:
        await agent.until(lambda agent: bool(agent.snapshots))
        assert agent.ended is None
        assert agent.snapshots[0].revision >= revision
        assert agent.versions() == {"hello": [1]}


async def test_any_control_plane_takes_a_deploy_and_tells_its_progress_while_one_leads(
    client: Client, other: Client, plane: ControlPlane
) -> None:
    async def one_leads() -> bool:
        return [it.elections["deployments"].leads.is_set() for it in (plane, other.plane)].count(True) == 1  # type: ignore[attr-defined]

    await eventually(one_leads, within=8)
    await client.create()
    async with Agent(client.address, "tokyo-1"), Agent(other.address, "london-1", region="london"):
        for number, at in enumerate((client, other), start=1):
            assert (await at.version()).number == number
            ended = await at.deployed(number)
            assert ended.phase == PHASE.PHASE_COMPLETE
            assert [node.node for node in ended.nodes] == ["london-1", "tokyo-1"]
    assert await one_leads()


async def test_leadership_is_handed_over_at_once_when_a_control_plane_stops(store: Store, shared_etcd: Etcd) -> None:
    config = Config([shared_etcd.endpoint], "example.org", listen="127.0.0.1:0", limits=LIMITS, insecure=True)
    first, second = ControlPlane(config), ControlPlane(config)

    async def leads(plane: ControlPlane) -> bool:
        return all(election.leads.is_set() for election in plane.elections.values())

    async with contextlib.AsyncExitStack() as stack:
        async with first.running():
            await eventually(lambda: leads(first), within=8)
            await stack.enter_async_context(second.running())
            await second.cache.synced.wait()
        # Less than the lease's time, within which it would lead in any case.
        await eventually(lambda: leads(second), within=LIMITS.leader_ttl_s / 2)


async def test_the_health_service_tells_who_leads(client: Client, plane: ControlPlane) -> None:
    stub = health_pb2_grpc.HealthStub(client.channel)

    async def leads() -> bool:
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=leading("deployments")), timeout=5)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    await eventually(leads, within=8)


async def test_a_router_tells_each_control_plane_what_it_sees(client: Client, other: Client) -> None:
    async with Agent(client.address, "tokyo-1"):
        for at in (client, other):
            async with Router(at.address) as router:
                await router.until(lambda view: len(view.nodes) == 1)
                await router.say(tokyo_1=nodes_pb2.Witness.VERDICT_DOWN)

                async def unhealthy(at: Client = at) -> bool:
                    return (await at.node("tokyo-1")).health == nodes_pb2.Node.HEALTH_UNHEALTHY

                await eventually(unhealthy, within=5)
