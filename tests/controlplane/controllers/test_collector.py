import asyncio
import hashlib

import pytest

from controlplane.controllers.collector import Collector
from controlplane.model import BundleKind, Function, Version
from controlplane.store import codec, keys
from controlplane.store.bundles import EtcdBundles
from controlplane.store.cache import Cache
from controlplane.store.client import Delete, Put, Store
from controlplane.store.keys import Key, Kind
from controlplane.store.view import View, relist
from nearhop import tasks
from nearhop.spec import Assets, Dialect, Manifest
from tests.harness.eventually import eventually

DATA = b"export default {}"
DIGEST = hashlib.sha256(DATA).hexdigest()
GRACE_S = 600.0


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bundles(store: Store, clock: Clock) -> EtcdBundles:
    return EtcdBundles(store, clock=clock)


@pytest.fixture
def collector(store: Store, bundles: EtcdBundles, clock: Clock) -> Collector:
    return Collector(bundles, Cache(store), clock=clock, grace_s=GRACE_S)


async def newest(store: Store) -> View:
    listing = await store.list(keys.WATCH_BEGIN, keys.WATCH_END)
    return relist(View(), listing.items, listing.revision).view


async def refer(store: Store) -> None:
    version = Version("hello", 1, DIGEST, len(DATA), Dialect.DENO, "", "", "", 0.0, "r")
    await store.commit([], [Put(str(Key(Kind.VERSIONS, "hello", 1)), codec.encode(version))])


async def test_a_bundle_without_a_version_lives_for_the_grace_period(
    store: Store, bundles: EtcdBundles, collector: Collector, clock: Clock
) -> None:
    await bundles.put(DIGEST, DATA)
    clock.now += GRACE_S - 1
    assert await collector.reconcile(DIGEST, await newest(store)) == 1.0
    assert await bundles.touch(DIGEST) is not None  # and from now on anew
    clock.now += GRACE_S - 1
    assert await collector.reconcile(DIGEST, await newest(store)) == 1.0
    clock.now += 1
    assert await collector.reconcile(DIGEST, await newest(store)) is None
    assert await bundles.get(DIGEST) is None
    assert (await store.list(keys.chunks())).items == ()
    assert await collector.reconcile(DIGEST, await newest(store)) is None


async def test_a_bundle_that_a_version_refers_to_is_kept(
    store: Store, bundles: EtcdBundles, collector: Collector, clock: Clock
) -> None:
    await bundles.put(DIGEST, DATA)
    await refer(store)
    clock.now += 10 * GRACE_S
    assert await collector.reconcile(DIGEST, await newest(store)) is None
    assert await bundles.get(DIGEST) == DATA


async def test_parts_of_an_unfinished_upload_are_swept_after_the_grace_period(
    store: Store, collector: Collector, bundles: EtcdBundles, clock: Clock
) -> None:
    await store.commit([], [Put(keys.chunk(DIGEST, 0), DATA)])
    await collector.sweep()
    clock.now += GRACE_S - 1
    await collector.sweep()
    assert await bundles.orphans() == {DIGEST}
    clock.now += 1
    await collector.sweep()
    assert await bundles.orphans() == frozenset()


async def test_a_deleted_function_brings_all_digests_and_a_manifest_its_own(
    store: Store, bundles: EtcdBundles, collector: Collector
) -> None:
    await bundles.put(DIGEST, DATA)
    view = await newest(store)
    assert list(collector.concerned(Key(Kind.MANIFESTS, "d"), view)) == ["d"]
    assert list(collector.concerned(Key(Kind.FUNCTIONS, "gone"), view)) == [DIGEST]
    assert list(collector.concerned(Key(Kind.NODES, "n"), view)) == []


async def test_running_it_collects_what_a_deleted_function_leaves(store: Store) -> None:
    clock = Clock()
    bundles, cache = EtcdBundles(store, clock=clock), Cache(store)
    await bundles.put(DIGEST, DATA)
    await refer(store)
    function = str(Key(Kind.FUNCTIONS, "hello"))
    await store.commit([], [Put(function, codec.encode(Function("hello", (), 0.0, "r")))])
    collector = Collector(bundles, cache, clock=clock, grace_s=GRACE_S)
    async with asyncio.TaskGroup() as group:
        work = [tasks.spawn(group, part, name="part") for part in (cache.run(), collector.run())]
        await cache.synced.wait()
        clock.now += 2 * GRACE_S
        await store.commit([], [Delete(function), Delete(keys.versions_of("hello"))])

        async def collected() -> bool:
            return await store.get(str(Key(Kind.MANIFESTS, DIGEST))) is None

        await eventually(collected, within=5)
        for task in work:
            task.cancel()


async def test_a_pack_that_a_version_names_stays(
    store: Store, bundles: EtcdBundles, collector: Collector, clock: Clock
) -> None:
    await bundles.put(DIGEST, DATA, BundleKind.ASSETS)
    assets = Assets(DIGEST, len(DATA))
    version = Version("hello", 1, "0" * 64, 1, Dialect.DENO, "", "", "", 0.0, "r", Manifest(assets=assets))
    await store.commit([], [Put(str(Key(Kind.VERSIONS, "hello", 1)), codec.encode(version))])
    clock.now += 2 * GRACE_S
    assert await collector.reconcile(DIGEST, await newest(store)) is None
    assert await bundles.get(DIGEST) == DATA
    await store.commit([], [Delete(keys.versions_of("hello"))])
    await collector.reconcile(DIGEST, await newest(store))
    assert (await store.list(keys.chunks_of(DIGEST))).items == ()
