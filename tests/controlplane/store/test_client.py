import asyncio
import time

import pytest

from controlplane.store.client import Change, Delete, Item, Present, Put, Store, Unchanged
from controlplane.store.errors import Conflict, Deposed, LeaseLost, StoreRefused, StoreUnavailable
from tests.harness.etcd import Etcd, free_port
from tests.harness.eventually import eventually


async def test_a_key_is_written_read_and_deleted(store: Store) -> None:
    revision = await store.commit([], [Put("/nearhop/x", b"\x00\xff")])
    assert await store.get("/nearhop/x") == Item("/nearhop/x", b"\x00\xff", revision)
    await store.commit([], [Delete("/nearhop/x")])
    assert await store.get("/nearhop/x") is None


async def test_a_prefix_is_deleted_whole(store: Store) -> None:
    await store.commit([], [Put(key, b"") for key in ("/nearhop/a/1", "/nearhop/a/2", "/nearhop/ab")])
    await store.commit([], [Delete("/nearhop/a/")])
    assert [item.key for item in (await store.list("/nearhop/")).items] == ["/nearhop/ab"]


async def test_a_stale_writer_is_refused(store: Store) -> None:
    first = await store.commit([Unchanged("/nearhop/x", 0)], [Put("/nearhop/x", b"1")])
    with pytest.raises(Conflict):
        await store.commit([Unchanged("/nearhop/x", 0)], [Put("/nearhop/x", b"2")])
    second = await store.commit([Unchanged("/nearhop/x", first)], [Put("/nearhop/x", b"3")])
    with pytest.raises(Conflict):
        await store.commit([Unchanged("/nearhop/x", first)], [Put("/nearhop/x", b"4")])
    item = await store.get("/nearhop/x")
    assert item == Item("/nearhop/x", b"3", second)


async def test_a_write_can_demand_that_a_key_is_there(store: Store) -> None:
    with pytest.raises(Conflict):
        await store.commit([Present("/nearhop/x")], [Put("/nearhop/y", b"")])
    await store.commit([], [Put("/nearhop/x", b"")])
    await store.commit([Present("/nearhop/x")], [Put("/nearhop/y", b"")])


async def test_a_long_listing_comes_whole_as_of_one_revision(store: Store) -> None:
    for start in range(0, 600, 100):
        revision = await store.commit(
            [], [Put(f"/nearhop/n/{number:04d}", b"v") for number in range(start, start + 100)]
        )
    listing = await store.list("/nearhop/n/")
    assert [item.key for item in listing.items] == [f"/nearhop/n/{number:04d}" for number in range(600)]
    assert listing.revision == revision
    keys_only = await store.list("/nearhop/n/", keys_only=True)
    assert {item.value for item in keys_only.items} == {b""}


async def test_a_watch_brings_what_came_after_a_revision_and_then_what_comes(store: Store) -> None:
    before = await store.commit([], [Put("/nearhop/x", b"1")])
    second = await store.commit([], [Put("/nearhop/x", b"2")])
    changes = store.watch("/nearhop/", "/nearhop0", after=before)
    assert await anext(changes) == ()
    assert await anext(changes) == (Change("/nearhop/x", b"2", second),)
    third = await store.commit([], [Delete("/nearhop/x"), Put("/nearhop/y", b"3")])
    assert set(await anext(changes)) == {Change("/nearhop/x", None, third), Change("/nearhop/y", b"3", third)}
    await changes.aclose()


async def test_a_watch_ends_when_its_history_was_compacted(store: Store) -> None:
    first = await store.commit([], [Put("/nearhop/x", b"1")])
    last = await store.commit([], [Put("/nearhop/x", b"2")])
    await store.compact(last)
    async with asyncio.timeout(5):
        assert [batch async for batch in store.watch("/nearhop/", "/nearhop0", after=first - 1) if batch] == []


async def test_a_key_lives_as_long_as_its_lease(store: Store) -> None:
    lease = await store.grant(60)
    await store.commit([], [Put("/nearhop/x", b"", lease)])
    await store.renew(lease)
    await store.revoke(lease)
    assert await store.get("/nearhop/x") is None
    with pytest.raises(LeaseLost):
        await store.renew(lease)
    with pytest.raises(LeaseLost):
        await store.commit([], [Put("/nearhop/x", b"", lease)])
    await store.revoke(lease)


async def test_what_etcd_refuses_is_told(store: Store) -> None:
    with pytest.raises(StoreRefused, match="too large"):
        await store.commit([], [Put("/nearhop/x", b"x" * 1_800_000)])


async def test_an_absent_etcd_is_unavailable_soon() -> None:
    store = Store([f"127.0.0.1:{free_port()}"])
    began = time.monotonic()
    for call in (store.get("/nearhop/x"), store.commit([], []), store.grant(5), store.list("/nearhop/")):
        with pytest.raises(StoreUnavailable):
            await call
    with pytest.raises(StoreUnavailable):
        await store.renew(1)
    assert time.monotonic() - began < 5
    await store.close()


@pytest.mark.acceptance
async def test_calls_fail_while_etcd_is_gone_or_paused_and_work_again_after_it(etcd: Etcd) -> None:
    store = Store([etcd.endpoint])
    await store.commit([], [Put("/nearhop/x", b"kept")])
    await etcd.kill()
    with pytest.raises(StoreUnavailable):
        await store.get("/nearhop/x")
    await etcd.start()

    async def is_back() -> bool:
        try:
            item = await store.get("/nearhop/x")
        except StoreUnavailable:
            return False
        return item is not None and item.value == b"kept"

    await eventually(is_back, within=5)
    await etcd.pause()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        await store.get("/nearhop/x")
    assert 1 < time.monotonic() - began < 4
    etcd.resume()
    await eventually(is_back, within=5)
    await store.close()


async def test_a_leaders_store_writes_only_while_its_fence_holds(store: Store) -> None:
    term = await store.commit([], [Put("/nearhop/leader", b"me")])
    fenced = store.fenced(Unchanged("/nearhop/leader", term))
    first = await fenced.commit([Unchanged("/nearhop/x", 0)], [Put("/nearhop/x", b"1")])
    with pytest.raises(Conflict):
        await fenced.commit([Unchanged("/nearhop/x", 0)], [Put("/nearhop/x", b"2")])
    await store.commit([], [Put("/nearhop/leader", b"you")])
    with pytest.raises(Deposed):
        await fenced.commit([Unchanged("/nearhop/x", first)], [Put("/nearhop/x", b"3")])
    await store.commit([], [Delete("/nearhop/leader")])
    with pytest.raises(Deposed):
        await fenced.commit([], [Put("/nearhop/x", b"4")])
    item = await store.get("/nearhop/x")
    assert item == Item("/nearhop/x", b"1", first)
