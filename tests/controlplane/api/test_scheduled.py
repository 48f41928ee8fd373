"""Crons from the leader to an agent and back, over several control planes on one etcd."""

import asyncio
import contextlib
import time

from controlplane.config import Config
from controlplane.model import CronMarks
from controlplane.server import ControlPlane
from controlplane.store import codec
from controlplane.store.client import Put, Store
from controlplane.store.keys import Key, Kind
from nearhop.v1 import common_pb2, node_control_pb2
from tests.controlplane.api.clients import Agent, Client
from tests.controlplane.api.conftest import LIMITS
from tests.harness.etcd import Etcd
from tests.harness.eventually import eventually

EVERY = "* * * * *"


async def begin(client: Client, store: Store) -> None:
    """Deploy a function whose cron has just come round."""
    await client.create()
    await client.deployed((await client.version(manifest=common_pb2.Manifest(crons=[EVERY]))).number)
    marks = CronMarks("hello", {EVERY: time.time() // 60 * 60 - 1})
    await store.commit([], [Put(str(Key(Kind.CRONS, "hello")), codec.encode(marks))])


async def answer(agent: Agent, error: str = "") -> None:
    result = node_control_pb2.ScheduledResult(id=agent.scheduled[-1].id, error=error)
    await agent.send(node_control_pb2.NodeMessage(scheduled_result=result))


async def test_a_cron_reaches_one_node_once_and_its_answer_ends_it(
    plane: ControlPlane, client: Client, store: Store
) -> None:
    async with Agent(client.address, "tokyo-1") as tokyo, Agent(client.address, "london-1") as london:
        await begin(client, store)

        async def called() -> bool:
            return len(tokyo.scheduled) + len(london.scheduled) == 1

        await eventually(called, within=10)
        agent = tokyo if tokyo.scheduled else london
        [event] = agent.scheduled
        assert (event.function, event.version, event.cron) == ("hello", 1, EVERY)
        assert event.scheduled_at % 60 == 0
        # Another node's word on it does not count.
        other = london if agent is tokyo else tokyo
        result = node_control_pb2.ScheduledResult(id=event.id)
        await other.send(node_control_pb2.NodeMessage(scheduled_result=result))
        await asyncio.sleep(0.3)
        assert plane.cache.view.calls
        await answer(agent, "Error: the program threw")

        async def ended() -> bool:
            return not plane.cache.view.calls

        await eventually(ended, within=5)
        assert await called()


async def test_it_goes_on_when_leader_and_node_are_lost(shared_etcd: Etcd, store: Store) -> None:
    async with contextlib.AsyncExitStack() as stack:
        config = Config([shared_etcd.endpoint], "example.org", listen="127.0.0.1:0", limits=LIMITS, insecure=True)
        first_stack = await stack.enter_async_context(contextlib.AsyncExitStack())
        first = ControlPlane(config)
        await first_stack.enter_async_context(first.running())
        await asyncio.wait_for(first.elections["crons"].leads.wait(), 10)
        second = ControlPlane(config)
        port = await stack.enter_async_context(second.running())
        await second.cache.synced.wait()
        client = Client(f"127.0.0.1:{port}")
        stack.push_async_callback(client.channel.close, None)
        # The node is connected where the leader is not.
        agents = contextlib.AsyncExitStack()
        tokyo = await agents.enter_async_context(Agent(client.address, "tokyo-1"))
        await begin(client, store)
        await tokyo.until(lambda agent: len(agent.scheduled) == 1)
        await first_stack.aclose()
        await asyncio.wait_for(second.elections["crons"].leads.wait(), 10)
        async with Agent(client.address, "london-1") as london:
            await agents.aclose()
            await london.until(lambda agent: len(agent.scheduled) == 1, within=20)
            assert london.scheduled[0].id == tokyo.scheduled[0].id
            await answer(london)

            async def ended() -> bool:
                return not second.cache.view.calls

            await eventually(ended, within=5)
