"""Where bundles are kept: a protocol, and its keeping in etcd as chunks.

A bundle is there once its manifest is: the manifest is written last, under a compare that every chunk is present. A bundle that nothing refers to is
collected after a grace period; whoever shows interest in it touches the manifest, and so makes a collection that was decided before fail.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from controlplane.model import Bundle, BundleKind
from controlplane.store import codec, keys
from controlplane.store.client import Delete, Present, Put, Store, Unchanged
from controlplane.store.errors import CodecError, Conflict, QuotaExceeded
from controlplane.store.keys import Key, Kind

CHUNK_BYTES = 512 << 10  # etcd's request limit is 1.5 MiB
BUNDLE_BYTES = 10 << 20
QUOTA_BYTES = 1 << 30  # etcd suggests at most 8 GiB in all
_MEMORY_BYTES = 64 << 20


class BundleStore(Protocol):
    """Content-addressed storage of bundles."""

    async def put(self, digest: str, data: bytes, kind: BundleKind = BundleKind.MODULE) -> None:
        """Store *data*, whose SHA-256 is *digest*; doing it twice is doing it once. Raises QuotaExceeded."""

    async def get(self, digest: str) -> bytes | None:
        """Return the bundle, verified, or None when there is none."""

    async def touch(self, digest: str) -> Bundle | None:
        """Return what is known of a stored bundle and begin its grace period anew; None when there is none."""

    async def remove(self, digest: str, revision: int) -> None:
        """Delete the bundle unless its manifest is newer than *revision* (Conflict)."""

    async def orphans(self) -> frozenset[str]:
        """Return the digests of which there are parts, but no whole."""

    async def remove_orphan(self, digest: str) -> None:
        """Delete the parts of a bundle that was never completed. Raises Conflict when it is complete by now."""


class EtcdBundles:
    """Bundles as chunks in etcd, with the latest ones in memory."""

    def __init__(self, store: Store, *, clock: Callable[[], float], quota_bytes: int = QUOTA_BYTES) -> None:
        self._store = store
        self._clock = clock
        self._quota_bytes = quota_bytes
        self._memory = Recent(_MEMORY_BYTES)
        self._writing = asyncio.Lock()  # one writer at a time, or two together could pass the quota

    async def put(self, digest: str, data: bytes, kind: BundleKind = BundleKind.MODULE) -> None:
        async with self._writing:
            if await self.touch(digest) is not None:
                return
            await self._require_room(len(data))
            paths = []
            for number, offset in enumerate(range(0, len(data), CHUNK_BYTES)):
                paths.append(keys.chunk(digest, number))
                await self._store.commit([], [Put(paths[-1], data[offset : offset + CHUNK_BYTES])])
            manifest = Bundle(digest, len(data), len(paths), self._clock(), kind)
            compares: list[Unchanged | Present] = [Unchanged(_manifest(digest), 0), *map(Present, paths)]
            try:
                await self._store.commit(compares, [Put(_manifest(digest), codec.encode(manifest))])
            except Conflict:
                if await self.touch(digest) is None:
                    raise
                # Another control plane has stored the same bundle in the meantime.
        self._memory.add(digest, data)

    async def get(self, digest: str) -> bytes | None:
        if (data := self._memory.get(digest)) is not None:
            return data
        item = await self._store.get(_manifest(digest))
        if item is None:
            return None
        data = await self._read(codec.decode(Bundle, item.value))
        self._memory.add(digest, data)
        return data

    async def touch(self, digest: str) -> Bundle | None:
        item = await self._store.get(_manifest(digest))
        if item is None:
            return None
        bundle = replace(codec.decode(Bundle, item.value), touched_at=self._clock())
        try:
            await self._store.commit([Unchanged(item.key, item.revision)], [Put(item.key, codec.encode(bundle))])
        except Conflict:  # somebody else touched it in the meantime, or collected it
            return None if await self._store.get(_manifest(digest)) is None else bundle
        return bundle

    async def remove(self, digest: str, revision: int) -> None:
        await self._store.commit(
            [Unchanged(_manifest(digest), revision)], [Delete(_manifest(digest)), Delete(keys.chunks_of(digest))]
        )
        self._memory.drop(digest)

    async def orphans(self) -> frozenset[str]:
        chunks = await self._store.list(keys.chunks(), keys_only=True)
        manifests = await self._store.list(keys.prefix(Kind.MANIFESTS), keys_only=True)
        whole = {key.name for item in manifests.items if (key := keys.parse(item.key)) is not None}
        return frozenset(keys.chunk_digest(item.key) for item in chunks.items) - whole

    async def remove_orphan(self, digest: str) -> None:
        await self._store.commit([Unchanged(_manifest(digest), 0)], [Delete(keys.chunks_of(digest))])

    async def _require_room(self, size: int) -> None:
        manifests = await self._store.list(keys.prefix(Kind.MANIFESTS))
        used = sum(codec.decode(Bundle, item.value).size_bytes for item in manifests.items)
        if used + size > self._quota_bytes:
            raise QuotaExceeded(
                f"the bundle store holds {used} of {self._quota_bytes} bytes, which leaves no room for {size} more; "
                "delete functions that are no longer used"
            )

    async def _read(self, bundle: Bundle) -> bytes:
        parts = [await self._store.get(keys.chunk(bundle.digest, number)) for number in range(bundle.chunks)]
        data = b"".join(part.value for part in parts if part is not None)
        if hashlib.sha256(data).hexdigest() != bundle.digest:
            raise CodecError(
                f"bundle {bundle.digest} is damaged: {len(data)} of {bundle.size_bytes} bytes, wrong digest"
            )
        return data


class Recent:
    """The most recently used bundles, up to *limit* bytes in all."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._items: OrderedDict[str, bytes] = OrderedDict()

    def get(self, digest: str) -> bytes | None:
        if digest in self._items:
            self._items.move_to_end(digest)
        return self._items.get(digest)

    def add(self, digest: str, data: bytes) -> None:
        self.drop(digest)
        self._items[digest] = data
        self._size += len(data)
        while self._size > self._limit:
            self.drop(next(iter(self._items)))

    def drop(self, digest: str) -> None:
        self._size -= len(self._items.pop(digest, b""))


def _manifest(digest: str) -> str:
    return str(Key(Kind.MANIFESTS, digest))
