import asyncio

import grpc
import pytest

from controlplane.api import purges
from controlplane.server import ControlPlane
from nearhop.v1 import functions_pb2, node_control_pb2
from tests.controlplane.api.clients import STATE, Agent, Client, failure, fresh


async def purge(client: Client, request_id: str | None = None) -> functions_pb2.PurgeCacheResponse:
    request = functions_pb2.PurgeCacheRequest(request_id=request_id or fresh(), name="hello")
    return await client.functions.PurgeCache(request, timeout=20)  # type: ignore[no-any-return]


def epoch(agent: Agent) -> int:
    return agent.snapshot.placements[0].cache_epoch if agent.snapshot.placements else -1


async def test_a_purge_is_answered_when_all_connected_nodes_have_it(client: Client) -> None:
    async with Agent(client.address, "tokyo-1") as tokyo, Agent(client.address, "london-1") as london:
        await client.create()
        await client.deployed((await client.version()).number)
        request_id = fresh()
        assert (await purge(client, request_id)).cache_epoch == 1
        assert (epoch(tokyo), epoch(london)) == (1, 1)
        assert (await purge(client, request_id)).cache_epoch == 1
        assert (await purge(client)).cache_epoch == 2
        assert (epoch(tokyo), epoch(london)) == (2, 2)


async def test_a_node_that_is_still_switching_is_waited_for(client: Client) -> None:
    def judge(placement: node_control_pb2.Placement) -> tuple[STATE.State, str]:
        return (STATE.STATE_PENDING if placement.cache_epoch and not switched else STATE.STATE_ACTIVE), ""

    switched = False
    async with Agent(client.address, "tokyo-1", judge) as agent:
        await client.create()
        await client.deployed((await client.version()).number)
        async with asyncio.TaskGroup() as group:
            purging = group.create_task(purge(client))
            await agent.until(lambda agent: epoch(agent) == 1)
            await asyncio.sleep(0.3)
            assert not purging.done()
            switched = True
            await agent.report()


async def test_a_node_that_does_not_confirm_is_named(
    plane: ControlPlane, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purges, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(plane.purges, "_within_s", 0.5)

    def judge(placement: node_control_pb2.Placement) -> tuple[STATE.State, str]:
        return (STATE.STATE_PENDING if placement.cache_epoch else STATE.STATE_ACTIVE), ""

    async with Agent(client.address, "tokyo-1", judge), Agent(client.address, "london-1"):
        await client.create()
        await client.deployed((await client.version()).number)
        failed = await failure(purge(client))
        assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "PURGE_UNCONFIRMED")
        assert "tokyo-1" in failed.details
        assert "london-1" not in failed.details


async def test_without_a_node_or_a_deployment_there_is_nobody_to_wait_for(client: Client) -> None:
    assert (await failure(purge(client))).reason == "FUNCTION_NOT_FOUND"
    await client.create()
    assert (await purge(client)).cache_epoch == 1
