"""Crons from the leader to an agent and back, over several control planes on one etcd."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from controlplane.api import scheduled
from controlplane.api.scheduled import Scheduled
from controlplane.api.sessions import Session
from controlplane.config import Config
from controlplane.model import CronMarks, NodeReport, ScheduledCall
from controlplane.server import ControlPlane
from controlplane.store import codec
from controlplane.store.cache import Cache
from controlplane.store.client import Put, Store
from controlplane.store.errors import StoreUnavailable
from controlplane.store.keys import Key, Kind
from controlplane.store.view import Stored
from nearhop import tasks
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


class Flaky(Store):
    """A store whose next commits are lost: *before* they reach etcd, or their answers on the way back."""

    before = 0
    after = 0

    async def commit(self, compares: Any, writes: Any) -> int:
        if self.before:
            self.before -= 1
            raise StoreUnavailable("commit: gone")
        revision = await super().commit(compares, writes)
        if self.after:
            self.after -= 1
            raise StoreUnavailable("commit: the answer is lost")
        return revision


@pytest.fixture
async def flaky(store: Store, shared_etcd: Etcd, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Flaky]:
    monkeypatch.setattr(scheduled, "_RETRY_S", 0.01)
    flaky = Flaky([shared_etcd.endpoint])
    yield flaky
    await flaky.close()


CALL = ScheduledCall("c1", "hello", 1, EVERY, 60.0, "tokyo-1", 61.0)
PATH = str(Key(Kind.CALLS, "c1"))


async def offered(store: Store, call: ScheduledCall = CALL) -> tuple[scheduled.Outbox, Stored[ScheduledCall]]:
    box = scheduled.Outbox(Session(NodeReport("tokyo-1", "i", 1)))
    revision = await store.commit([], [Put(PATH, codec.encode(call))])
    stored = Stored(call, revision)
    box.offer(stored)
    box.offer(stored)  # heard of twice
    assert box.calls.qsize() == 1
    return box, stored


async def test_a_claim_outlives_an_etcd_that_loses_calls_and_answers(flaky: Flaky) -> None:
    box, _ = await offered(flaky)
    flaky.before, flaky.after = 2, 1
    event = await asyncio.wait_for(Scheduled(flaky, Cache(flaky)).claim(box), 5)
    assert (event.id, event.function) == ("c1", "hello")
    item = await flaky.get(PATH)
    assert item is not None
    assert codec.decode(ScheduledCall, item.value).session == box.session.id


async def test_a_call_of_another_session_is_not_sent(flaky: Flaky) -> None:
    box, stored = await offered(flaky)
    await flaky.commit([], [Put(PATH, codec.encode(replace(stored.record, session="another")))])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(Scheduled(flaky, Cache(flaky)).claim(box), 0.3)


async def test_a_result_is_written_down_when_etcd_is_back(flaky: Flaky) -> None:
    box, _ = await offered(flaky)
    flaky.before = 2
    box.hear(node_control_pb2.ScheduledResult(id="c1"))
    box.hear(node_control_pb2.ScheduledResult(id="gone"))

    async def ended() -> bool:
        return await flaky.get(PATH) is None and box.results.empty()

    async with asyncio.TaskGroup() as group:
        settling = tasks.spawn(group, Scheduled(flaky, Cache(flaky)).settle(box), name="settle")
        await eventually(ended, within=5)
        settling.cancel()
