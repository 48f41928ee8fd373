import asyncio
import time
from dataclasses import replace

import pytest

from controlplane.api.errors import Aborted, AlreadyExists, Unavailable
from controlplane.api.sessions import Beat, HealthRecord, Session, Sessions
from controlplane.model import NodeReport, PlacementState, PlacementStatus, SandboxStatus
from controlplane.store import codec, keys
from controlplane.store.client import Delete, Item, Put, Store
from controlplane.store.keys import Key, Kind
from controlplane.store.view import View, relist
from nearhop import tasks
from tests.harness.eventually import eventually

BEAT = Beat(heartbeat_interval_s=0.1, lease_ttl_s=2.0, rewrite_s=10.0)
PATH = str(Key(Kind.HEALTH, "tokyo-1"))
FIRST = NodeReport("tokyo-1", "one", 1, reported_at=1.0)


async def written(store: Store) -> Item:
    item = await store.get(PATH)
    assert item is not None
    return item


class Seen:
    """What the cache knows of the store: what a test tells it."""

    def __init__(self) -> None:
        self.view = View()

    async def look(self, store: Store) -> None:
        listing = await store.list(keys.prefix(Kind.HEALTH))
        self.view = relist(self.view, listing.items, listing.revision).view


async def begun(store: Store, report: NodeReport = FIRST, seen: Seen | None = None) -> tuple[Session, HealthRecord]:
    session = Session(report)
    found = seen or Seen()
    health = HealthRecord(store, session, BEAT, lambda: found.view)
    await health.begin()
    return session, health


async def leases(store: Store) -> set[int]:
    return {lease.ID for lease in (await store._members.current.lease.leases()).leases}


async def test_a_session_of_another_agent_is_refused_while_the_first_reports() -> None:
    sessions = Sessions(BEAT)
    first = await sessions.open(FIRST)
    with pytest.raises(AlreadyExists):
        await sessions.open(replace(FIRST, instance="two"))
    sessions.close(first)
    assert (await sessions.open(replace(FIRST, instance="two"))).instance == "two"
    assert len(sessions) == 1


async def test_a_newcomer_waits_for_the_end_of_a_dying_session() -> None:
    sessions = Sessions(BEAT)
    first = await sessions.open(FIRST)
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        second = tasks.spawn(group, sessions.open(replace(FIRST, instance="two")), name="second")
        await asyncio.sleep(0.01)
        sessions.close(first)
    assert second.result().instance == "two"


@pytest.mark.parametrize(("instance", "silent_s"), [("one", 0.0), ("two", 5.0)])
async def test_the_same_agent_and_a_silent_ones_successor_take_over(instance: str, silent_s: float) -> None:
    sessions = Sessions(BEAT)
    first = await sessions.open(FIRST)
    first.heard_at = time.monotonic() - silent_s
    second = await sessions.open(replace(FIRST, instance=instance))
    with pytest.raises(Aborted):
        await first.ended()
    sessions.close(first)  # late: it must not take the second with it
    assert sessions.report("tokyo-1") == second.report


async def test_the_last_report_outlives_the_session() -> None:
    sessions = Sessions(BEAT)
    session = await sessions.open(FIRST)
    session.hear(replace(FIRST, cpus=8))
    sessions.close(session)
    found = sessions.report("tokyo-1")
    assert found is not None
    assert found.cpus == 8
    assert sessions.report("nobody") is None


async def test_ending_all_gives_each_the_reason() -> None:
    sessions = Sessions(BEAT)
    session = await sessions.open(FIRST)
    sessions.end_all(Unavailable("SHUTTING_DOWN", "bye"))
    with pytest.raises(Unavailable, match="bye"):
        await session.ended()
    assert sessions.stopping


async def test_a_report_is_written_when_it_says_something_new(store: Store) -> None:
    session, health = await begun(store)
    async with asyncio.TaskGroup() as group:
        task = tasks.spawn(group, health.run(), name="health")
        first = await written(store)
        status = PlacementStatus("hello", 1, PlacementState.ACTIVE, 1)
        session.hear(replace(FIRST, placements=(status,), load_1m=3.0, reported_at=1.5))

        async def said() -> bool:
            return codec.decode(NodeReport, (await written(store)).value).placements == (status,)

        await eventually(said, within=5)
        second = await written(store)
        assert second.revision > first.revision
        sandbox = SandboxStatus("hello", 1, "ready", memory_bytes=1)
        session.hear(replace(session.report, sandboxes=(sandbox,)))

        async def more() -> bool:
            return (await written(store)).revision > second.revision

        await eventually(more, within=5)
        third = await written(store)
        session.hear(replace(session.report, load_1m=9.0, sandboxes=(replace(sandbox, memory_bytes=2, requests=5),)))
        await asyncio.sleep(0.2)
        assert await written(store) == third
        session.hear(replace(session.report, reported_at=100.0))  # nothing new, but long ago

        async def rewritten() -> bool:
            return (await written(store)).revision > third.revision

        await eventually(rewritten, within=5)
        task.cancel()


async def test_a_lease_that_has_ended_is_replaced_and_the_report_written_again(store: Store) -> None:
    session, health = await begun(store)
    await store.revoke(health._lease)
    assert await store.get(PATH) is None
    async with asyncio.TaskGroup() as group:
        task = tasks.spawn(group, health.run(), name="health")
        await asyncio.sleep(0.1)
        session.hear(replace(FIRST, reported_at=2.0))

        async def back() -> bool:
            return await store.get(PATH) is not None

        await eventually(back, within=5)
        task.cancel()
    await health.finish()
    assert await store.get(PATH) is None


async def test_a_session_that_finds_another_agent_in_its_place_ends(store: Store) -> None:
    session, health = await begun(store)
    other = Session(replace(FIRST, instance="two"))
    await store.commit([], [Put(PATH, codec.encode(other.report))])
    session.hear(replace(FIRST, cpus=4))
    with pytest.raises(Aborted):
        async with asyncio.timeout(5):
            await health.run()
    await health.finish()
    assert codec.decode(NodeReport, (await written(store)).value).instance == "two"


async def test_its_own_write_whose_answer_was_lost_is_recognized(store: Store) -> None:
    session, health = await begun(store)
    await store.commit([], [Put(PATH, codec.encode(session.report), health._lease)])
    session.hear(replace(FIRST, cpus=4))
    async with asyncio.TaskGroup() as group:
        task = tasks.spawn(group, health.run(), name="health")

        async def said() -> bool:
            return codec.decode(NodeReport, (await written(store)).value).cpus == 4

        await eventually(said, within=5)
        task.cancel()


async def test_another_agent_is_refused_while_the_lease_lives_wherever_it_is_connected(store: Store) -> None:
    _, health = await begun(store)
    with pytest.raises(AlreadyExists, match="tokyo-1"):
        await begun(store, replace(FIRST, instance="two"))
    assert codec.decode(NodeReport, (await written(store)).value).instance == "one"
    await health.finish()
    await begun(store, replace(FIRST, instance="two"))


async def test_another_agent_waits_for_the_lease_of_one_that_has_just_gone(store: Store) -> None:
    _, health = await begun(store)
    async with asyncio.TaskGroup() as group:
        tasks.spawn(group, begun(store, replace(FIRST, instance="two")), name="second")
        await asyncio.sleep(0.2)
        await health.finish()
    assert codec.decode(NodeReport, (await written(store)).value).instance == "two"


async def test_a_refused_newcomer_leaves_no_lease(store: Store) -> None:
    await begun(store)
    before = await leases(store)
    with pytest.raises(AlreadyExists):
        await begun(store, replace(FIRST, instance="two"))
    assert await leases(store) <= before


async def test_an_agent_that_moves_takes_over_and_its_older_session_can_neither_write_nor_delete(store: Store) -> None:
    older, old_health = await begun(store)
    newer, _ = await begun(store)  # on another control plane, by the same agent
    older.hear(replace(FIRST, cpus=4))
    with pytest.raises(Aborted):
        async with asyncio.timeout(5):
            await old_health.run()
    await old_health.finish()
    assert codec.decode(NodeReport, (await written(store)).value).session == newer.id


async def test_a_record_that_somebody_has_deleted_or_taken_is_noticed_at_the_next_report(store: Store) -> None:
    seen = Seen()
    session, health = await begun(store, seen=seen)
    await store.commit([], [Delete(PATH)])
    await seen.look(store)
    async with asyncio.TaskGroup() as group:
        task = tasks.spawn(group, health.run(), name="health")
        session.hear(FIRST)  # nothing new

        async def back() -> bool:
            return await store.get(PATH) is not None

        await eventually(back, within=5)
        task.cancel()
    await begun(store)
    await seen.look(store)
    session.hear(FIRST)
    with pytest.raises(Aborted):
        async with asyncio.timeout(5):
            await health.run()


async def test_the_report_of_a_session_elsewhere_is_fresher_than_the_last_one_heard_here() -> None:
    sessions = Sessions(BEAT)
    session = await sessions.open(FIRST)
    elsewhere = replace(FIRST, cpus=64)
    assert sessions.report("tokyo-1", elsewhere) == session.report
    sessions.close(session)
    assert sessions.report("tokyo-1", elsewhere) == elsewhere


async def test_a_report_that_is_too_long_is_written_without_its_sandboxes(store: Store) -> None:
    sandboxes = tuple(SandboxStatus(f"f{number}", 1, "ready") for number in range(9000))
    await begun(store, replace(FIRST, sandboxes=sandboxes))
    assert codec.decode(NodeReport, (await written(store)).value).sandboxes == ()
