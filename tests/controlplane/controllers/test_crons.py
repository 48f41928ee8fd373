import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

import pytest

from controlplane.controllers.crons import Crons
from controlplane.model import (
    CronMarks,
    Deployment,
    Function,
    Ingress,
    Location,
    Node,
    NodeReport,
    Phase,
    PlacementState,
    PlacementStatus,
    ScheduledCall,
    Share,
    Version,
)
from controlplane.model.schedule import ANSWER_WITHIN_S, GRACE_S
from controlplane.store import codec, keys
from controlplane.store.cache import Cache
from controlplane.store.client import Delete, Put, Store
from controlplane.store.codec import Record
from controlplane.store.errors import Conflict
from controlplane.store.keys import Key, Kind
from controlplane.store.view import View, relist
from nearhop.spec import Dialect, Manifest

START = 1_000_000_020.0  # a whole minute
EVERY = "* * * * *"
FUNCTION = Function("hello", ("hello.example.org",), 0.0, "r")
VERSION = Version("hello", 1, "0" * 64, 1, Dialect.WORKERS, "", "", "", 0.0, "r", Manifest(crons=(EVERY,)))
DEPLOYMENT = Deployment("hello", 1, (Share(1, 100),), (), Phase.COMPLETE, "", 0.0, "r")
STATUS = PlacementStatus("hello", 1, PlacementState.ACTIVE, 1)


class Clock:
    now = START

    def __call__(self) -> float:
        return self.now


class Plane:
    """A controller on a store, and what is written there for it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = Clock()
        self.cache = Cache(store)
        self.crons = Crons(store, self.cache, clock=self.clock)

    async def put(self, *records: tuple[Key, Record]) -> None:
        await self.store.commit([], [Put(str(key), codec.encode(record)) for key, record in records])

    async def connect(self, node: str, *, draining: bool = False, instance: str = "i", load: float = 0.0) -> None:
        record = Node(node, "tokyo", "", Location(0, 0), Ingress(80, ("192.0.2.1",)), draining)
        report = NodeReport(node, instance, 1, (STATUS,), load_1m=load, cpus=1)
        await self.put((Key(Kind.NODES, node), record), (Key(Kind.HEALTH, node), report))

    async def lose(self, node: str) -> None:
        await self.store.commit([], [Delete(str(Key(Kind.HEALTH, node)))])

    async def view(self) -> View:
        listing = await self.store.list(keys.WATCH_BEGIN, keys.WATCH_END)
        return relist(View(), listing.items, listing.revision).view

    async def visit(self, key: str = "hello") -> float | None:
        return await self.crons.reconcile(key, await self.view())

    async def attend(self) -> list[float | None]:
        return [await self.visit(f"call {name}") for name in (await self.view()).calls]

    async def calls(self) -> list[ScheduledCall]:
        return sorted(
            (stored.record for stored in (await self.view()).calls.values()), key=lambda call: call.scheduled_at
        )

    async def marks(self) -> CronMarks | None:
        stored = (await self.view()).crons.get("hello")
        return stored and stored.record

    async def sent(self, session: str = "s") -> None:
        """Claim all calls, as the control plane at which their nodes are connected does."""
        await self.put(
            *((Key(Kind.CALLS, call.id), replace(call, session=session, instance="i")) for call in await self.calls())
        )


@pytest.fixture
async def plane(store: Store) -> AsyncIterator[Plane]:
    plane = Plane(store)
    async with asyncio.TaskGroup() as group:
        follows = group.create_task(plane.cache.run(), name="cache")  # a controller waits until it reads what it wrote
        await _begin(plane)
        yield plane
        follows.cancel()


async def _begin(plane: Plane) -> None:
    await plane.put(
        (Key(Kind.FUNCTIONS, "hello"), FUNCTION),
        (Key(Kind.VERSIONS, "hello", 1), VERSION),
        (Key(Kind.DEPLOYMENTS, "hello"), DEPLOYMENT),
    )
    await plane.connect("a")


async def test_a_cron_is_called_once_at_each_of_its_times(plane: Plane) -> None:
    assert await plane.visit() == 60.0
    assert await plane.calls() == []
    plane.clock.now += 60
    again = await plane.visit()
    assert again == 60.0
    [call] = await plane.calls()
    assert (call.function, call.version, call.cron, call.scheduled_at, call.node) == (
        "hello",
        1,
        EVERY,
        START + 60,
        "a",
    )
    assert await plane.visit() == 60.0
    assert len(await plane.calls()) == 1


async def test_a_leader_that_was_overtaken_repeats_nothing(plane: Plane) -> None:
    await plane.visit()
    plane.clock.now += 60
    seen_before = await plane.view()
    await plane.visit()
    with pytest.raises(Conflict):
        await plane.crons.reconcile("hello", seen_before)  # another one, with an older view
    assert len(await plane.calls()) == 1


async def test_who_leads_next_goes_on_behind_the_one_before(plane: Plane) -> None:
    await plane.visit()
    plane.clock.now += 150  # nobody led for two of its times
    await plane.visit()
    assert [call.scheduled_at for call in await plane.calls()] == [START + 60, START + 120]


async def test_what_came_too_late_is_left_out(plane: Plane) -> None:
    await plane.visit()
    plane.clock.now += 3600
    await plane.visit()
    assert next(call.scheduled_at for call in await plane.calls()) > plane.clock.now - GRACE_S


async def test_it_waits_for_a_node(plane: Plane) -> None:
    await plane.visit()
    await plane.lose("a")
    await plane.connect("b", draining=True)
    plane.clock.now += 60
    assert await plane.visit() == 1.0
    assert await plane.calls() == []
    await plane.connect("c")
    await plane.visit()
    assert [call.node for call in await plane.calls()] == ["c"]


async def test_the_least_loaded_node_is_taken(plane: Plane) -> None:
    await plane.connect("a", load=5.0)
    await plane.connect("b", load=0.1)
    await plane.visit()
    plane.clock.now += 60
    await plane.visit()
    assert [call.node for call in await plane.calls()] == ["b"]


async def test_a_call_goes_to_another_node_once(plane: Plane) -> None:
    await plane.visit()
    plane.clock.now += 60
    await plane.visit()
    await plane.sent()
    assert await plane.attend() == [ANSWER_WITHIN_S]  # it is being made
    await plane.lose("a")
    assert await plane.attend() == [1.0]  # nobody else is there
    await plane.connect("b")
    await plane.attend()
    [moved] = await plane.calls()
    assert (moved.node, moved.attempt, moved.session) == ("b", 2, "")
    await plane.sent()
    await plane.lose("b")
    await plane.connect("c")
    await plane.attend()
    assert await plane.calls() == []


async def test_a_call_that_was_never_sent_has_not_been_attempted(plane: Plane) -> None:
    await plane.visit()
    plane.clock.now += 60
    await plane.visit()
    await plane.lose("a")
    await plane.connect("b")
    await plane.attend()
    [moved] = await plane.calls()
    assert (moved.node, moved.attempt) == ("b", 1)


async def test_another_agent_of_the_same_node_does_not_know_of_it(plane: Plane) -> None:
    await plane.visit()
    plane.clock.now += 60
    await plane.visit()
    await plane.sent()
    await plane.connect("a", instance="another")
    await plane.connect("b")
    await plane.attend()
    assert [call.node for call in await plane.calls()] == ["b"]


async def test_a_call_without_an_answer_or_a_function_or_a_node_is_given_up(plane: Plane) -> None:
    async def due() -> None:
        plane.clock.now += 60
        await plane.visit()
        assert len(await plane.calls()) == 1

    await plane.visit()
    await due()
    plane.clock.now += ANSWER_WITHIN_S
    await plane.attend()
    assert await plane.calls() == []
    await plane.store.commit([], [Delete(str(Key(Kind.CRONS, "hello")))])
    await plane.visit()
    await due()
    await plane.lose("a")
    plane.clock.now += GRACE_S + 1
    await plane.attend()
    assert await plane.calls() == []
    await plane.connect("a")
    await plane.store.commit([], [Delete(str(Key(Kind.CRONS, "hello")))])
    await plane.visit()
    await due()
    await plane.store.commit([], [Delete(str(Key(Kind.FUNCTIONS, "hello")))])
    await plane.attend()
    assert await plane.calls() == []
    assert await plane.visit() is None
    assert await plane.visit("call gone") is None


async def test_a_function_without_crons_is_left_alone(plane: Plane) -> None:
    await plane.put((Key(Kind.VERSIONS, "hello", 1), replace(VERSION, manifest=Manifest())))
    assert await plane.visit() is None
    assert await plane.marks() is None
    await plane.put((Key(Kind.CRONS, "hello"), CronMarks("hello", {EVERY: START})))
    assert await plane.visit() is None
    assert await plane.marks() == CronMarks("hello")


def concerned(crons: Crons, key: Key, view: View) -> list[str]:
    found: Iterable[str] = crons.concerned(key, view)
    return list(found)


async def test_what_concerns_it(plane: Plane) -> None:
    await plane.visit()
    plane.clock.now += 60
    await plane.visit()
    view = await plane.view()
    [call] = view.calls
    assert concerned(plane.crons, Key(Kind.HEALTH, "a"), view) == [f"call {call}"]
    assert concerned(plane.crons, Key(Kind.HEALTH, "b"), view) == []
    assert concerned(plane.crons, Key(Kind.CALLS, call), view) == [f"call {call}"]
    assert concerned(plane.crons, Key(Kind.DEPLOYMENTS, "hello"), view) == ["hello"]
    assert concerned(plane.crons, Key(Kind.NODES, "a"), view) == []
    assert list(plane.crons.everything(view)) == ["hello", f"call {call}"]
