import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from controlplane.model import Function
from controlplane.store import codec, keys
from controlplane.store.cache import Cache
from controlplane.store.client import Delete, Put, Store
from controlplane.store.errors import StoreUnavailable
from controlplane.store.keys import Key, Kind
from nearhop import tasks
from tests.harness.etcd import Etcd
from tests.harness.eventually import eventually


def put(name: str) -> Put:
    return Put(str(Key(Kind.FUNCTIONS, name)), codec.encode(Function(name, (), 0.0, "r")))


@contextlib.asynccontextmanager
async def running(cache: Cache) -> AsyncIterator[Cache]:
    async with asyncio.TaskGroup() as group:
        task = tasks.spawn(group, cache.run(), name="cache")
        async with asyncio.timeout(10):
            await cache.synced.wait()
        yield cache
        task.cancel()


async def has(cache: Cache, *names: str) -> None:
    async def check() -> bool:
        return set(cache.view.functions) == set(names)

    await eventually(check, within=10, reason=f"{set(cache.view.functions)} is not {set(names)}")


async def test_it_lists_then_follows(store: Store) -> None:
    await store.commit([], [put("a")])
    async with running(Cache(store)) as cache:
        await has(cache, "a")
        revision = await store.commit([], [put("b"), Delete(str(Key(Kind.FUNCTIONS, "a")))])
        await cache.reached(revision)
        assert set(cache.view.functions) == {"b"}
        assert cache.view.revision == revision
        assert cache.listings == 1


async def test_before_the_first_listing_there_is_nothing_to_read(store: Store) -> None:
    with pytest.raises(StoreUnavailable):
        Cache(store).current()


async def test_waiters_are_woken_and_subscribers_get_the_changed_keys(store: Store) -> None:
    async with running(Cache(store)) as cache:
        seen = cache.current()
        with cache.subscribe() as subscription:
            await store.commit([], [put("a")])
            async with asyncio.timeout(5):
                assert (await cache.newer(seen)) is not seen
                assert await subscription.take() == {Key(Kind.FUNCTIONS, "a")}
            await store.commit([], [put("b")])
            await cache.reached(await store.commit([], [put("c")]))
            assert {key.name for key in await subscription.take()} == {"b", "c"}


async def test_reaching_a_revision_that_never_comes_is_given_up(store: Store) -> None:
    async with running(Cache(store)) as cache:
        await cache.reached(cache.view.revision + 100, timeout=0.05)


async def test_chunks_are_not_held(store: Store) -> None:
    async with running(Cache(store)) as cache:
        await store.commit([], [Put(keys.chunk("d" * 64, 0), b"x" * 1000)])
        revision = await store.commit([], [put("a")])
        await cache.reached(revision)
        assert not cache.view.manifests


async def test_it_reconciles_in_full_now_and_then(store: Store) -> None:
    async with running(Cache(store, reconcile_s=0.05)) as cache:

        async def listed_again() -> bool:
            return cache.listings >= 3

        await eventually(listed_again, within=5)
        await cache.reached(await store.commit([], [put("a")]))
        assert set(cache.view.functions) == {"a"}


async def test_an_unreadable_record_is_counted_and_the_last_good_one_stays(store: Store) -> None:
    await store.commit([], [put("a")])
    async with running(Cache(store)) as cache:
        await cache.reached(await store.commit([], [Put(str(Key(Kind.FUNCTIONS, "a")), b"{")]))
        assert (set(cache.view.functions), cache.unreadable) == ({"a"}, 1)


@pytest.mark.acceptance
async def test_it_lists_again_when_etcd_was_gone_and_its_history_compacted(etcd: Etcd) -> None:
    store, other = Store([etcd.endpoint]), Store([etcd.endpoint])
    await store.commit([], [put("a"), put("b")])
    async with running(Cache(store)) as cache:
        await has(cache, "a", "b")
        await etcd.kill()
        assert set(cache.current().functions) == {"a", "b"}
        await etcd.start()

        async def rewritten() -> bool:
            try:
                await other.commit([], [put("c"), Delete(str(Key(Kind.FUNCTIONS, "a")))])
                await other.compact(await other.commit([], [put("d")]))
            except StoreUnavailable:
                return False
            return True

        await eventually(rewritten, within=10)
        await has(cache, "b", "c", "d")
        assert cache.listings >= 2
    await store.close()
    await other.close()


@pytest.mark.acceptance
async def test_another_etcd_in_its_place_does_not_empty_the_view(etcd: Etcd, shared_etcd: Etcd) -> None:
    store = Store([etcd.endpoint])
    await store.commit([], [put("a")])
    cache = Cache(store, reconcile_s=0.2)
    async with running(cache):
        await has(cache, "a")
        # The same cache, on a store that is another cluster.
        cache._store = other = Store([shared_etcd.endpoint])
        listings = cache.listings
        await asyncio.sleep(0.6)  # three reconciliations' time in which nothing may happen
        assert (set(cache.view.functions), cache.listings) == ({"a"}, listings)
    await store.close()
    await other.close()
