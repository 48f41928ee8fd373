"""Events over a real channel and a real etcd: written with what they tell of, listed, and watched without a gap."""

import asyncio
from typing import Any

import grpc
import pytest

from controlplane.model import Event, EventKind
from controlplane.server import ControlPlane
from controlplane.store import events
from controlplane.store.client import Store
from nearhop.v1 import deployments_pb2, events_pb2, functions_pb2, nodes_pb2
from tests.controlplane.api.clients import Agent, Client, Router, failure, fresh, last, refuse
from tests.harness.eventually import eventually

KIND = events_pb2.Event.Kind
SHORT = {number: name.removeprefix("KIND_").lower() for name, number in KIND.items()}


async def listed(client: Client, **more: Any) -> list[events_pb2.Event]:
    reply = await client.events.ListEvents(events_pb2.ListEventsRequest(**more), timeout=10)
    return list(reply.events)


async def kinds(client: Client, **more: Any) -> list[str]:
    """The kinds, oldest first."""
    return [SHORT[event.kind] for event in reversed(await listed(client, **more))]


async def test_a_deploy_s_life_is_told(client: Client) -> None:
    await client.create()
    for _ in range(2):
        await client.version()
    await client.version(b"export default { fetch() { throw 1 } }\n")
    async with Agent(client.address, "tokyo-1", refuse(3, "no such table")):
        await client.deployed(1)
        await client.deployed(2)
        request = deployments_pb2.RollbackRequest(request_id=fresh(), function="hello")
        for _ in range(2):  # a repeated call tells nothing again
            await last(client.deployments.Rollback(request, timeout=10))
        await client.deployed(3)
    await client.functions.DeleteFunction(functions_pb2.DeleteFunctionRequest(request_id=fresh(), name="hello"))
    found = [
        (SHORT[event.kind], event.version, event.message) for event in reversed(await listed(client, function="hello"))
    ]
    assert found == [
        ("deploy_started", 1, "version 1 is being deployed"),
        ("deploy_complete", 1, "1 node serves version 1"),
        ("deploy_started", 2, "version 2 is being deployed"),
        ("deploy_complete", 2, "1 node serves version 2"),
        ("rollback", 1, "back to version 1"),
        ("deploy_complete", 1, "1 node serves version 1"),
        ("deploy_started", 3, "version 3 is being deployed"),
        ("deploy_failed", 3, "node tokyo-1 refused it: no such table"),
        ("function_deleted", 0, "deleted, with its versions and its deployment"),
    ]


async def test_a_deployment_that_is_superseded_is_told_before_the_one_that_does_it(client: Client) -> None:
    await client.create()
    for _ in range(2):
        await client.version()
    for version in (1, 2):
        await client.deploy(version).read()  # no node is there: it goes on
    assert await kinds(client) == ["deploy_started", "deploy_failed", "deploy_started"]
    failed = (await listed(client))[1]
    assert (failed.version, failed.message) == (1, "superseded by generation 2")


async def test_a_node_s_life_is_told(client: Client) -> None:
    async def told(*expected: str) -> None:
        async def check() -> bool:
            found = await kinds(client, node="tokyo-1")
            assert found == list(expected)
            return True

        await eventually(check, within=8)

    async with Router(client.address) as router:
        async with Agent(client.address, "tokyo-1"):
            await told("node_joined")
            for _ in range(2):  # the second one changes nothing
                await client.drain("tokyo-1")
            await client.nodes.UncordonNode(nodes_pb2.UncordonNodeRequest(request_id=fresh(), id="tokyo-1"))
            await told("node_joined", "node_drained", "node_uncordoned")
            await router.say(tokyo_1=nodes_pb2.Witness.VERDICT_DOWN)
            await told("node_joined", "node_drained", "node_uncordoned", "health_changed")
            assert "router r1 sees its ingress down: probe" in (await listed(client))[0].message
        lost = ["node_joined", "node_drained", "node_uncordoned", "health_changed", "node_lost"]
        await told(*lost)
        async with Agent(client.address, "tokyo-1"):
            await told(*lost, "node_connected")
        await told(*lost, "node_connected", "node_lost")
        await client.nodes.DeleteNode(nodes_pb2.DeleteNodeRequest(request_id=fresh(), id="tokyo-1"))
        await told(*lost, "node_connected", "node_lost", "node_deleted")
        assert (await listed(client))[0].region == "tokyo"


async def test_an_agent_that_reconnects_is_no_event(client: Client) -> None:
    async with Agent(client.address, "tokyo-1") as agent:
        instance = agent.instance
    for _ in range(3):
        async with Agent(client.address, "tokyo-1", instance=instance):
            await asyncio.sleep(0.4)
    async with Agent(client.address, "tokyo-1", instance=instance):
        await asyncio.sleep(2.0)  # longer than a loss takes to settle
        assert await kinds(client) == ["node_joined"]


async def happen(store: Store, plane: ControlPlane, *messages: str) -> None:
    for message in messages:
        event = Event(EventKind.NODE_JOINED, 1.0, message, node=message)
        await plane.cache.reached(await store.commit([], events.puts(event)))


async def test_pages_follow_each_other(client: Client, store: Store, plane: ControlPlane) -> None:
    await happen(store, plane, *"abcde")
    first = await client.events.ListEvents(events_pb2.ListEventsRequest(limit=2))
    assert ([event.message for event in first.events], first.more) == (["e", "d"], True)
    rest = await client.events.ListEvents(events_pb2.ListEventsRequest(limit=3, before_id=first.events[-1].id))
    assert ([event.message for event in rest.events], rest.more) == (["c", "b", "a"], False)
    assert [event.message for event in await listed(client, node="b")] == ["b"]
    assert await listed(client, function="b") == []
    failed = await failure(client.events.ListEvents(events_pb2.ListEventsRequest(limit=1001)))
    assert (failed.code, list(failed.violations)) == (grpc.StatusCode.INVALID_ARGUMENT, ["limit"])


async def test_a_watch_that_is_resumed_misses_nothing_and_repeats_nothing(
    client: Client, store: Store, plane: ControlPlane
) -> None:
    await happen(store, plane, "a", "b")
    seen: list[events_pb2.Event] = []
    writing = asyncio.get_running_loop().create_task(happen(store, plane, *(str(number) for number in range(60))))
    after = 0
    while len(seen) < 62:
        call = client.events.WatchEvents(events_pb2.WatchEventsRequest(after_id=after), timeout=10)
        seen += [await call.read() for _ in range(min(7, 62 - len(seen)))]
        call.cancel()
        after = seen[-1].id
    await writing
    assert [event.message for event in seen] == ["a", "b", *(str(number) for number in range(60))]
    assert [event.id for event in seen] == sorted({event.id for event in seen})


async def test_a_watch_from_now_on_tells_nothing_old(client: Client, store: Store, plane: ControlPlane) -> None:
    await happen(store, plane, "old")
    call = client.events.WatchEvents(events_pb2.WatchEventsRequest(), timeout=10)
    await asyncio.sleep(0.3)
    await happen(store, plane, "new")
    assert (await call.read()).message == "new"
    call.cancel()


async def test_a_watch_from_before_what_is_kept_is_refused(
    client: Client, store: Store, plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "KEPT", 3)
    await happen(store, plane, *"abcdef")
    oldest = (await listed(client))[-1].id
    failed = await failure(client.events.WatchEvents(events_pb2.WatchEventsRequest(after_id=oldest - 1), timeout=10))
    assert (failed.code, failed.reason) == (grpc.StatusCode.OUT_OF_RANGE, "EVENTS_TRIMMED")
    call = client.events.WatchEvents(events_pb2.WatchEventsRequest(after_id=0), timeout=10)
    assert (await call.read()).message in "abcd"
    call.cancel()


async def test_hostile_words_stay_data(client: Client, store: Store, plane: ControlPlane) -> None:
    hostile = '<script>alert(1)</script>\n"},{"\u202e/../'
    await happen(store, plane, hostile)
    (event,) = await listed(client)
    assert (event.message, event.node) == (hostile, hostile)
