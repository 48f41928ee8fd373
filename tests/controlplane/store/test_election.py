"""Candidates on a real etcd, among them one that is a process of its own and is paused for longer than its lease."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator

import pytest

from controlplane.store import keys
from controlplane.store.client import Delete, Put, Store
from controlplane.store.election import Election, leader
from controlplane.store.errors import Conflict, Deposed, LeaseLost
from nearhop import children, tasks
from tests.harness.etcd import Etcd
from tests.harness.eventually import eventually

NAME = "counter"
TTL_S = 2


class Candidate:
    """A candidate that does nothing as a leader but hold its fenced store."""

    def __init__(self, store: Store, name: str) -> None:
        self.name = name
        self.election = Election(store, NAME, name, ttl_s=TTL_S)
        self.fenced: list[Store] = []
        self.working = False

    async def work(self, store: Store) -> None:
        self.fenced.append(store)
        self.working = True
        try:
            await asyncio.Event().wait()
        finally:
            self.working = False


@contextlib.asynccontextmanager
async def running(candidate: Candidate) -> AsyncIterator[Candidate]:
    async with asyncio.TaskGroup() as group:
        task = tasks.spawn(group, candidate.election.run(candidate.work), name=candidate.name)
        yield candidate
        task.cancel()


async def leads(*candidates: Candidate, within: float = 5.0) -> Candidate:
    async def one() -> Candidate | None:
        found = [candidate for candidate in candidates if candidate.working]
        assert len(found) <= 1
        return found[0] if found else None

    found = await eventually(one, within=within)
    assert found is not None
    return found


async def test_one_leads_and_the_other_follows_at_once_when_it_stops(store: Store) -> None:
    first, second = Candidate(store, "first"), Candidate(store, "second")
    async with contextlib.AsyncExitStack() as stack:
        async with running(first):
            await leads(first)
            await stack.enter_async_context(running(second))
            item = await store.get(keys.leader(NAME))
            assert item is not None
            assert leader(item.value) == "first"
            await asyncio.sleep(0.3)  # it would have led by now, if nothing kept it from that
            assert not second.working
        began = time.monotonic()
        await leads(second)
        assert time.monotonic() - began < TTL_S / 2


async def test_a_leader_whose_lease_is_lost_stops_and_cannot_write(store: Store) -> None:
    only = Candidate(store, "only")
    async with running(only):
        await leads(only)
        lease = (await store._members.current.lease.leases()).leases
        for one in lease:
            with contextlib.suppress(LeaseLost):
                await store.revoke(one.ID)
        with pytest.raises(Deposed):
            await only.fenced[0].commit([], [Put("/nearhop/x", b"")])
        await eventually(lambda: _true(len(only.fenced) == 2), within=5)
        await only.fenced[1].commit([], [Put("/nearhop/x", b"")])
        assert only.election.terms == 2


async def test_a_leader_whose_key_is_anothers_stops_before_its_lease_ends(store: Store) -> None:
    only = Candidate(store, "only")
    async with running(only):
        await leads(only)
        await store.commit([], [Delete(keys.leader(NAME))])
        foreign = await store.commit([], [Put(keys.leader(NAME), b'{"record":{"candidate":"you"}}')])
        await eventually(lambda: _true(not only.working), within=TTL_S)
        item = await store.get(keys.leader(NAME))
        assert item is not None
        assert item.revision == foreign


async def test_a_refused_write_ends_the_term(store: Store) -> None:
    ended = []

    async def work(fenced: Store) -> None:
        ended.append(len(ended))
        if len(ended) == 1:
            await store.commit([], [Delete(keys.leader(NAME))])
            async with asyncio.TaskGroup() as group:
                tasks.spawn(group, fenced.commit([], [Put("/nearhop/x", b"")]), name="write")  # type: ignore[arg-type]
        await asyncio.Event().wait()

    election = Election(store, NAME, "me", ttl_s=TTL_S)
    async with asyncio.TaskGroup() as group:
        task = tasks.spawn(group, election.run(work), name="election")
        await eventually(lambda: _true(len(ended) == 2), within=5)
        task.cancel()
    assert await store.get("/nearhop/x") is None


@pytest.mark.acceptance
async def test_without_the_store_a_leader_stops_before_its_lease_ends_and_leads_again_after(etcd: Etcd) -> None:
    store = Store([etcd.endpoint])
    only = Candidate(store, "only")
    async with running(only):
        await leads(only)
        began = time.monotonic()
        await etcd.pause()
        await eventually(lambda: _true(not only.working), within=TTL_S + 0.5)
        assert time.monotonic() - began < TTL_S + 0.5
        etcd.resume()
        await leads(only, within=10)
    await store.close()


_COUNTER = """
import asyncio, sys
from controlplane.store.client import Put, Store
from controlplane.store.election import Election

async def work(store):
    try:
        await count(store)
    finally:
        await count(store)  # it is told to stop, and does not: only the fence is left

async def count(store):
    for number in range(1, 100_000):
        await store.commit([], [Put("/nearhop/x", b"%s %d" % (sys.argv[2].encode(), number))])
        await asyncio.sleep(0.005)

async def main():
    await Election(Store([sys.argv[1]]), "counter", sys.argv[2], ttl_s=2).run(work)

asyncio.run(main())
"""


@pytest.mark.acceptance
async def test_a_leader_that_was_paused_for_longer_than_its_lease_wakes_up_and_changes_nothing(
    store: Store, shared_etcd: Etcd
) -> None:
    """It is stopped in the middle of a loop of writes, and goes on with it when it wakes up, although it is told to stop."""

    async def counted(name: str) -> int:
        async def count() -> int:
            item = await store.get("/nearhop/x")
            who, _, number = (item.value if item else b"").partition(b" ")
            return int(number) if who == name.encode() else 0

        return await eventually(count, within=10, reason=f"{name} does not write")

    process = await children.spawn([sys.executable, "-c", _COUNTER, shared_etcd.endpoint, "paused"])
    second = Candidate(store, "second")
    try:
        await counted("paused")
        async with running(second):
            os.kill(process.pid, signal.SIGSTOP)
            await leads(second, within=TTL_S + 4)
            revision = await second.fenced[0].commit([], [Put("/nearhop/x", b"second 1")])
            os.kill(process.pid, signal.SIGCONT)
            until = time.monotonic() + 3
            while time.monotonic() < until:
                item = await store.get("/nearhop/x")
                assert item is not None
                assert (item.revision, item.value) == (revision, b"second 1")
                await asyncio.sleep(0.01)
        # It was not dead: it leads again once nobody else does.
        await counted("paused")
    finally:
        process.kill()
        await process.wait()


async def test_a_lost_race_leaves_the_winners_key(store: Store) -> None:
    await store.commit([], [Put(keys.leader(NAME), b"{}")])
    with pytest.raises(Conflict):
        await Election(store, NAME, "late", ttl_s=TTL_S)._grasp(_nothing)


async def _nothing(store: Store) -> None:
    raise AssertionError("it must not lead")


async def _true(value: bool) -> bool:
    return value
