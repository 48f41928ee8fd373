import contextlib

import grpc
import pytest

from controlplane.api.nodes import judge
from controlplane.model import Ingress, Location, Node, Verdict, Witness
from nearhop.v1 import nodes_pb2
from tests.controlplane.api.clients import Agent, Client, Router, failure, fresh
from tests.harness.eventually import eventually

HEALTH = nodes_pb2.Node
NODE = Node("tokyo-1", "tokyo", "", Location(0, 0), Ingress(80, ("192.0.2.1",)))
DRAINED = Node("tokyo-1", "tokyo", "", Location(0, 0), Ingress(80, ("192.0.2.1",)), draining=True)


def seen(verdict: Verdict) -> Witness:
    return Witness("r1", "tokyo-1", verdict, "refused the connection", 0.0)


@pytest.mark.parametrize(
    ("node", "connected", "verdicts", "expected", "said"),
    [
        (NODE, True, [], HEALTH.HEALTH_HEALTHY, "0 of 0 routers"),
        (NODE, True, [Verdict.UP, Verdict.UNKNOWN], HEALTH.HEALTH_HEALTHY, "1 of 2 routers"),
        (NODE, True, [Verdict.UP, Verdict.DOWN], HEALTH.HEALTH_UNHEALTHY, "refused the connection"),
        (NODE, False, [Verdict.DOWN], HEALTH.HEALTH_UNHEALTHY, "not connected"),
        (NODE, False, [Verdict.UP], HEALTH.HEALTH_STALE, "stays in the answers"),
        (DRAINED, False, [Verdict.DOWN], HEALTH.HEALTH_DRAINING, "by an operator"),
    ],
)
def test_the_witnesses_are_summed_up(
    node: Node, connected: bool, verdicts: list[Verdict], expected: int, said: str
) -> None:
    health, reason = judge(node, connected, [seen(verdict) for verdict in verdicts])
    assert health == expected
    assert said in reason


async def test_a_node_is_shown_as_it_reports_and_as_routers_see_it(client: Client) -> None:
    async with Agent(client.address, "tokyo-1", site="hall-1") as agent, Router(client.address) as router:
        await agent.report()
        await router.say(tokyo_1=nodes_pb2.Witness.VERDICT_UP)

        async def healthy() -> bool:
            node = await client.node("tokyo-1")
            return node.report.ingress_ready and len(node.witnesses) == 1

        await eventually(healthy, within=5)
        node = await client.node("tokyo-1")
        assert (node.region, node.site, node.connected, node.health) == ("tokyo", "hall-1", True, HEALTH.HEALTH_HEALTHY)
        assert (node.witnesses[0].router, node.ingress.port) == ("r1", 80)
        assert node.HasField("last_seen_at")
        await router.say(tokyo_1=nodes_pb2.Witness.VERDICT_DOWN)

        async def unhealthy() -> bool:
            return (await client.node("tokyo-1")).health == HEALTH.HEALTH_UNHEALTHY

        await eventually(unhealthy, within=5)


async def test_a_node_whose_agent_has_gone_is_stale_and_stays(client: Client) -> None:
    async with Router(client.address) as router:
        async with Agent(client.address, "tokyo-1"):
            await router.until(lambda view: len(view.nodes) == 1)

        async def stale() -> bool:
            return (await client.node("tokyo-1")).health == HEALTH.HEALTH_STALE

        await eventually(stale, within=5)
        assert len(router.views[-1].nodes) == 1
        listed = await client.nodes.ListNodes(nodes_pb2.ListNodesRequest())
        assert [(node.id, node.connected) for node in listed.nodes] == [("tokyo-1", False)]


async def test_draining_takes_a_node_out_of_the_view_and_survives_its_agent(client: Client) -> None:
    async with Router(client.address) as router:
        async with Agent(client.address, "tokyo-1") as agent:
            request_id = fresh()
            drained = await client.drain("tokyo-1", request_id)
            assert (drained.draining, drained.health) == (True, HEALTH.HEALTH_DRAINING)
            await router.until(lambda view: view.nodes[0].draining, within=1)
            await agent.until(lambda agent: agent.snapshot.draining)
            assert (await client.drain("tokyo-1", request_id)).revision == drained.revision
        async with Agent(client.address, "tokyo-1", region="osaka") as agent:
            assert (await client.node("tokyo-1")).draining
            request = nodes_pb2.UncordonNodeRequest(request_id=fresh(), id="tokyo-1")
            back = await client.nodes.UncordonNode(request)
            assert (back.draining, back.region) == (False, "osaka")
            await router.until(lambda view: not view.nodes[0].draining)


async def test_a_node_is_forgotten_only_when_it_is_gone(client: Client) -> None:
    def delete(request_id: str) -> object:
        return client.nodes.DeleteNode(nodes_pb2.DeleteNodeRequest(request_id=request_id, id="tokyo-1"))

    async with Agent(client.address, "tokyo-1"):
        failed = await failure(delete(fresh()))
        assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NODE_CONNECTED")

    async def deleted() -> bool:
        with contextlib.suppress(grpc.aio.AioRpcError):
            await delete(fresh())
        return not (await client.nodes.ListNodes(nodes_pb2.ListNodesRequest())).nodes

    await eventually(deleted, within=5)


async def test_what_is_not_there_is_not_found_and_what_is_no_id_is_named(client: Client) -> None:
    for call in (client.node("nobody"), client.drain("nobody")):
        failed = await failure(call)
        assert (failed.code, failed.reason) == (grpc.StatusCode.NOT_FOUND, "NODE_NOT_FOUND")
    assert set((await failure(client.drain("a/b", " "))).violations) == {"request_id", "id"}
