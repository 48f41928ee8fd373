"""What is told of nodes: the pure part by hand, the loop's steps on a real etcd."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from controlplane.controllers.presence import LOST_SETTLE_S, UP_SETTLE_S, Presences, Seen, changes, tell
from controlplane.model import EventKind, Ingress, Location, Node, NodeReport, Presence
from controlplane.store import codec, events
from controlplane.store.cache import Cache
from controlplane.store.client import Delete, Put, Store
from controlplane.store.errors import Conflict
from controlplane.store.keys import Key, Kind
from nearhop import tasks

KIND = EventKind


def node(name: str = "tokyo-1") -> Node:
    return Node(name, "tokyo", "", Location(0, 0), Ingress(80, ("192.0.2.1",)))


@pytest.mark.parametrize(
    ("told", "connected", "down", "expected"),
    [
        (Presence("tokyo-1"), True, None, []),
        (Presence("tokyo-1"), True, False, []),
        (Presence("tokyo-1"), False, None, [KIND.NODE_LOST]),
        (Presence("tokyo-1"), True, True, [KIND.HEALTH_CHANGED]),
        (Presence("tokyo-1"), False, True, [KIND.NODE_LOST, KIND.HEALTH_CHANGED]),
        (Presence("tokyo-1", connected=False, down=True), True, None, [KIND.NODE_CONNECTED]),
        (Presence("tokyo-1", connected=False, down=True), True, False, [KIND.NODE_CONNECTED, KIND.HEALTH_CHANGED]),
    ],
)
def test_what_differs_from_what_was_told_is_told(
    told: Presence, connected: bool, down: bool | None, expected: list[EventKind]
) -> None:
    found = changes(told, Seen(node(), connected, down, "why"))
    assert [change.kind for change in found] == expected
    if found:
        assert changes(found[-1].told, Seen(node(), connected, down)) == []


def test_what_happens_to_many_is_told_once() -> None:
    lost = [changes(Presence(f"n{n}"), Seen(node(f"n{n}"), False, True, "refused"))[n % 2] for n in range(24)]
    told = tell(lost, 7.0)
    assert [(event.kind, event.node) for event in told] == [(KIND.NODE_LOST, ""), (KIND.HEALTH_CHANGED, "")]
    assert told[0].message == "12 nodes have lost their connection: n0, n2, n4, n6, n8 and 7 more"
    few = tell(lost[:4], 7.0)
    assert [(event.kind, event.node, event.region) for event in few] == [
        (KIND.NODE_LOST, "n0", "tokyo"),
        (KIND.NODE_LOST, "n2", "tokyo"),
        (KIND.HEALTH_CHANGED, "n1", "tokyo"),
        (KIND.HEALTH_CHANGED, "n3", "tokyo"),
    ]


class Told:
    """Presences over a store whose nodes the test connects and disconnects."""

    def __init__(self, store: Store, cache: Cache) -> None:
        self.store, self.cache = store, cache
        self.down: dict[str, bool] = {}
        self.presences = self.another()

    def another(self) -> Presences:
        return Presences(
            self.store, self.cache, lambda node, _: (self.down.get(node.id), "seen"), clock=lambda: 9.0, quiet_s=0.0
        )

    async def write(self, *writes: Put | Delete) -> None:
        await self.cache.reached(await self.store.commit([], writes))

    async def join(self, *names: str) -> None:
        await self.write(*(Put(str(Key(Kind.NODES, name)), codec.encode(node(name))) for name in names))
        await self.connect(*names)

    async def connect(self, *names: str) -> None:
        reports = {name: codec.encode(NodeReport(name, "i", 0)) for name in names}
        await self.write(*(Put(str(Key(Kind.HEALTH, name)), report) for name, report in reports.items()))

    async def disconnect(self, *names: str) -> None:
        await self.write(*(Delete(str(Key(Kind.HEALTH, name))) for name in names))

    @property
    def kinds(self) -> list[tuple[str, str]]:
        return [(told.event.kind.value, told.event.node) for told in events.after(self.cache.view, 0)]


@pytest_asyncio.fixture
async def told(store: Store) -> AsyncIterator[Told]:
    cache = Cache(store)
    async with asyncio.TaskGroup() as group:
        task = tasks.spawn(group, cache.run(), name="cache")
        await cache.synced.wait()
        yield Told(store, cache)
        task.cancel()


async def test_a_loss_is_told_when_it_lasts_and_the_return_at_once(told: Told) -> None:
    await told.join("tokyo-1")
    await told.presences.step(0.0)
    await told.disconnect("tokyo-1")
    await told.presences.step(1.0)
    await told.presences.step(1.0 + LOST_SETTLE_S / 2)
    await told.connect("tokyo-1")
    await told.presences.step(2.0)
    await told.disconnect("tokyo-1")
    await told.presences.step(3.0)
    assert told.kinds == []
    await told.presences.step(3.0 + LOST_SETTLE_S)
    assert told.kinds == [("node_lost", "tokyo-1")]
    await told.presences.step(9.0)
    await told.another().step(9.0)  # after a restart
    assert len(told.kinds) == 1
    await told.connect("tokyo-1")
    await told.presences.step(10.0)
    assert told.kinds == [("node_lost", "tokyo-1"), ("node_connected", "tokyo-1")]


async def test_an_ingress_that_comes_and_goes_is_told_now_and_then(told: Told) -> None:
    await told.join("tokyo-1")
    for number in range(10):
        told.down["tokyo-1"] = number % 2 == 0
        await told.presences.step(number * UP_SETTLE_S / 2)
    assert told.kinds == [("health_changed", "tokyo-1")]
    await told.presences.step(99.0)
    await told.presences.step(99.0 + UP_SETTLE_S)
    assert told.kinds == [("health_changed", "tokyo-1")] * 2


async def test_a_fleet_that_goes_and_comes_back_is_two_events(told: Told) -> None:
    names = [f"n{number}" for number in range(40)]
    await told.join(*names)
    await told.disconnect(*names)
    await told.presences.step(0.0)
    await told.presences.step(LOST_SETTLE_S)
    await told.connect(*names)
    await told.presences.step(LOST_SETTLE_S + 1)
    assert told.kinds == [("node_lost", ""), ("node_connected", "")]


async def test_of_two_that_tell_the_same_one_does(told: Told) -> None:
    await told.join("tokyo-1")
    told.down["tokyo-1"] = True
    stale, view = told.another(), told.cache.view
    await told.presences.step(0.0)

    class Behind:
        reached = told.cache.reached

        def __init__(self) -> None:
            self.view = view

    stale._cache = Behind()  # type: ignore[assignment]
    with pytest.raises(Conflict):
        await stale.step(0.0)
    assert told.kinds == [("health_changed", "tokyo-1")]


async def test_a_deleted_node_is_forgotten(told: Told) -> None:
    await told.join("tokyo-1")
    told.down["tokyo-1"] = True
    await told.presences.step(0.0)
    assert list(told.cache.view.presence) == ["tokyo-1"]
    await told.write(Delete(str(Key(Kind.NODES, "tokyo-1"))))
    await told.presences.step(1.0)
    assert list(told.cache.view.presence) == []
