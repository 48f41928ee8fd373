"""What people see of a running fleet: flows that follow the traffic, and events that tell what happened, in order."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from nearhop.v1 import events_pb2, events_pb2_grpc, nodes_pb2, routing_pb2, routing_pb2_grpc
from tests.harness.cluster import CLIENTS, ZONE, Cluster
from tests.harness.eventually import eventually

pytestmark = pytest.mark.acceptance

HELLO = 'export default { fetch() { return new Response("hello"); } };'
COUNTRIES = {"tokyo": "JP", "london": "GB", "virginia": "US"}
KIND = events_pb2.Event
NOT_WITHIN_S = 3.0  # the dashboard's promise


class Flows:
    """The newest picture of who is sent where, as WatchFlows tells it: pairs of country and node with answers per second."""

    def __init__(self) -> None:
        self.now: dict[tuple[str, str], float] = {}

    async def follow(self, cluster: Cluster) -> None:
        async with cluster.channel() as channel:
            stub = routing_pb2_grpc.RoutingStub(channel)
            async for flows in stub.WatchFlows(routing_pb2.WatchFlowsRequest(function="hello")):
                self.now = {(flow.country, flow.node): flow.answers_per_s for flow in flows.flows}


@contextlib.asynccontextmanager
async def traffic(cluster: Cluster) -> AsyncIterator[Flows]:
    """Ask the router for clients in three countries, about twenty times a second each, and follow the flows."""
    flows = Flows()

    async def ask(region: str) -> None:
        while True:
            await cluster.router.resolve(f"hello.{ZONE}", subnet=CLIENTS[region])
            await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as group:
        work = [group.create_task(ask(region), name=f"ask from {region}") for region in COUNTRIES]
        work.append(group.create_task(flows.follow(cluster), name="follow the flows"))
        try:
            yield flows
        finally:
            for task in work:
                task.cancel()


async def test_flows_show_who_is_sent_where_and_move_with_a_node_s_death(cluster: Cluster) -> None:
    assert (await cluster.deploy_source("hello", HELLO)).status == 0
    home = {(country, f"{region}-1") for region, country in COUNTRIES.items()}
    async with traffic(cluster) as flows:

        async def at_home() -> bool:
            assert set(flows.now) == home, flows.now
            return True

        await eventually(at_home, within=NOT_WITHIN_S)

        async def steady() -> bool:
            assert all(5 < rate < 25 for rate in flows.now.values()), flows.now
            return True

        await eventually(steady, within=5)

        died = time.monotonic()
        await cluster.nodes["london-1"].kill()
        moved = {pair for pair in home if pair[0] != "GB"} | {("GB", "virginia-1")}

        async def elsewhere() -> bool:
            assert set(flows.now) == moved, flows.now
            return True

        await eventually(elsewhere, within=NOT_WITHIN_S)
        print(f"flows moved {time.monotonic() - died:.2f} s after the node's death")

        await cluster.nodes["london-1"].start()
        await eventually(at_home, within=15)

    quiet = routing_pb2.WatchFlowsRequest()
    async with cluster.channel() as channel:
        call = routing_pb2_grpc.RoutingStub(channel).WatchFlows(quiet, timeout=15)
        while (await call.read()).flows:
            pass  # they drop out when nobody asks any more
        call.cancel()


async def test_events_tell_what_happened_in_order(cluster: Cluster) -> None:
    seen: list[events_pb2.Event] = []

    async def watch() -> None:
        async with cluster.channel() as channel:
            stub = events_pb2_grpc.EventsStub(channel)
            async for event in stub.WatchEvents(events_pb2.WatchEventsRequest(after_id=0)):
                seen.append(event)  # noqa: PERF401  # others look at it in the meantime

    async def happened(*expected: tuple[int, str, str], within: float) -> None:
        async def check() -> bool:
            found = [(event.kind, event.node, event.function) for event in seen]
            assert found == list(expected), [(event.node, event.function, event.message) for event in seen]
            return True

        await eventually(check, within=within)

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch(), name="watch events")

        async def all_joined() -> bool:
            return len(seen) == len(cluster.nodes)

        await eventually(all_joined, within=5)
        assert {(event.kind, event.node) for event in seen} == {(KIND.KIND_NODE_JOINED, name) for name in cluster.nodes}
        past = [(event.kind, event.node, event.function) for event in seen]

        assert (await cluster.deploy_source("hello", HELLO)).status == 0
        past += [(KIND.KIND_DEPLOY_STARTED, "", "hello"), (KIND.KIND_DEPLOY_COMPLETE, "", "hello")]
        await happened(*past, within=3)

        await cluster.nodes["sydney-1"].kill()
        lost = {(KIND.KIND_HEALTH_CHANGED, "sydney-1", ""), (KIND.KIND_NODE_LOST, "sydney-1", "")}

        async def told_lost() -> bool:
            assert {(event.kind, event.node, event.function) for event in seen[len(past) :]} == lost, seen
            return True

        await eventually(told_lost, within=10)
        past = [(event.kind, event.node, event.function) for event in seen]

        assert (await cluster.run("nodes", "drain", "tokyo-1")).status == 0
        past.append((KIND.KIND_NODE_DRAINED, "tokyo-1", ""))
        await happened(*past, within=3)
        assert (seen[-1].actor, seen[-1].region) == ("bootstrap", "tokyo")

        await cluster.nodes["sydney-1"].start()
        back = {(KIND.KIND_NODE_CONNECTED, "sydney-1", ""), (KIND.KIND_HEALTH_CHANGED, "sydney-1", "")}

        async def told_back() -> bool:
            assert {(event.kind, event.node, event.function) for event in seen[len(past) :]} == back, seen
            return True

        await eventually(told_back, within=20)
        watching.cancel()
    listed = await _list(cluster)
    assert [event.id for event in listed] == [event.id for event in reversed(seen)]
    assert [event.id for event in seen] == sorted({event.id for event in seen})


async def test_everybody_s_reconnection_is_no_event(cluster: Cluster) -> None:
    before = await _list(cluster)
    await cluster.control_plane.kill()
    await asyncio.sleep(8)  # longer than the leases live
    await cluster.control_plane.start()
    await cluster.all_connected()
    await asyncio.sleep(18)  # longer than a control plane is quiet after its start
    assert await _list(cluster) == before
    assert all(node.health == nodes_pb2.Node.HEALTH_HEALTHY for node in await cluster.list_nodes())


async def _list(cluster: Cluster) -> list[events_pb2.Event]:
    async with cluster.channel() as channel:
        reply = await events_pb2_grpc.EventsStub(channel).ListEvents(
            events_pb2.ListEventsRequest(limit=1000), timeout=5
        )
    return list(reply.events)
