import hashlib
import random

import pytest

from controlplane.model import Bundle
from controlplane.store import codec, keys
from controlplane.store.bundles import CHUNK_BYTES, EtcdBundles, Recent
from controlplane.store.client import Delete, Put, Store
from controlplane.store.errors import CodecError, Conflict, QuotaExceeded
from controlplane.store.keys import Key, Kind


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


DATA = random.Random(1).randbytes(2 * CHUNK_BYTES + 17)
DIGEST = digest_of(DATA)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def bundles(store: Store, quota: int = 10 << 20) -> EtcdBundles:
    return EtcdBundles(store, clock=Clock(), quota_bytes=quota)


async def manifest(store: Store, digest: str = DIGEST) -> tuple[Bundle, int]:
    item = await store.get(str(Key(Kind.MANIFESTS, digest)))
    assert item is not None
    return codec.decode(Bundle, item.value), item.revision


async def test_a_bundle_comes_back_whole_from_its_chunks(store: Store) -> None:
    await bundles(store).put(DIGEST, DATA)
    assert await bundles(store).get(DIGEST) == DATA
    assert (await manifest(store))[0] == Bundle(DIGEST, len(DATA), 3, 100.0)
    assert len((await store.list(keys.chunks(), keys_only=True)).items) == 3


async def test_putting_it_twice_stores_it_once(store: Store) -> None:
    kept = bundles(store)
    await kept.put(DIGEST, DATA)
    await kept.put(DIGEST, DATA)
    assert await kept.orphans() == frozenset()
    assert len((await store.list(keys.chunks(), keys_only=True)).items) == 3


async def test_there_is_none_that_was_not_put(store: Store) -> None:
    assert await bundles(store).get(DIGEST) is None
    assert await bundles(store).touch(DIGEST) is None


async def test_the_quota_holds(store: Store) -> None:
    kept = bundles(store, quota=len(DATA) + 5)
    await kept.put(DIGEST, DATA)
    with pytest.raises(QuotaExceeded, match=str(len(DATA) + 5)):
        await kept.put(digest_of(b"123456"), b"123456")
    await kept.put(digest_of(b"12345"), b"12345")


async def test_damage_is_found(store: Store) -> None:
    await bundles(store).put(DIGEST, DATA)
    await store.commit([], [Put(keys.chunk(DIGEST, 1), b"x" * CHUNK_BYTES)])
    with pytest.raises(CodecError, match="damaged"):
        await bundles(store).get(DIGEST)
    await store.commit([], [Delete(keys.chunk(DIGEST, 1))])
    with pytest.raises(CodecError, match="damaged"):
        await bundles(store).get(DIGEST)


async def test_interest_saves_a_bundle_from_a_collection_that_was_decided_before(store: Store) -> None:
    kept = bundles(store)
    await kept.put(DIGEST, DATA)
    _, decided_on = await manifest(store)
    assert await kept.touch(DIGEST) is not None
    with pytest.raises(Conflict):
        await kept.remove(DIGEST, decided_on)
    _, revision = await manifest(store)
    await kept.remove(DIGEST, revision)
    assert await kept.get(DIGEST) is None
    assert (await store.list(keys.chunks())).items == ()


async def test_parts_without_a_whole_are_orphans_until_the_whole_comes(store: Store) -> None:
    kept = bundles(store)
    await store.commit([], [Put(keys.chunk(DIGEST, 0), DATA[:CHUNK_BYTES])])
    assert await kept.orphans() == {DIGEST}
    await kept.put(DIGEST, DATA)
    assert await kept.orphans() == frozenset()
    with pytest.raises(Conflict):
        await kept.remove_orphan(DIGEST)
    lost = digest_of(b"lost")
    await store.commit([], [Put(keys.chunk(lost, 0), b"lo")])
    await kept.remove_orphan(lost)
    assert await kept.orphans() == frozenset()


def test_memory_keeps_the_most_recently_used() -> None:
    recent = Recent(10)
    recent.add("a", b"12345")
    recent.add("b", b"12345")
    assert recent.get("a") == b"12345"
    recent.add("c", b"1")
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (b"12345", None, b"1")
    recent.add("d", b"x" * 11)
    assert [recent.get(name) for name in "abcd"] == [None] * 4
