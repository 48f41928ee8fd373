"""The dashboard's feed over the real services: what it reads from them, and that they offer what it asks for."""

import asyncio

from controlplane.dashboard.control import Caller, ControlPlanes
from controlplane.dashboard.feed import Feed
from nearhop import tasks
from tests.controlplane.api.clients import Agent, Client, Router
from tests.harness.eventually import eventually


async def test_the_dashboard_sees_flows_and_events_of_a_real_control_plane(client: Client) -> None:
    control = ControlPlanes([client.address], timeout_s=5)
    feed = Feed(control, Caller(None), interval_s=0.2)
    async with (
        Agent(client.address, "tokyo-1"),
        Router(client.address) as router,
        asyncio.TaskGroup() as group,
    ):
        running = tasks.spawn(group, feed.run(), name="feed")
        await router.count(tokyo_1=10)
        await asyncio.sleep(0.3)
        await router.count(tokyo_1=30)

        async def flowing() -> bool:
            state = await feed.state()
            assert state["link"]["offers"] == {"events": True, "flows": True}
            assert [flow[:2] for flow in state["flows"]["flows"]] == [["JP", "tokyo-1"]], state["flows"]
            return True

        await eventually(flowing, within=5)
        await client.drain("tokyo-1")

        async def told() -> bool:
            kinds = [event["kind"] for event in (await feed.state())["events"]]
            assert kinds == ["node_drained", "node_joined"], kinds
            return True

        await eventually(told, within=5)
        running.cancel()
    await control.close()
