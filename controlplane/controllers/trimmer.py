"""The trimmer: keeps the newest events and deletes the others."""

import asyncio

from controlplane.store import events
from controlplane.store.cache import Cache
from controlplane.store.client import Delete, Store, Unchanged
from controlplane.store.errors import Deposed, StoreError
from nearhop import log

_log = log.get(__name__)

_BATCH = 100  # etcd takes 128 writes in a transaction
_INTERVAL_S = 5.0


class Trimmer:
    """Deletes what exceeds events.KEPT. Two of them do no harm: each batch is one transaction, by compare."""

    def __init__(self, store: Store, cache: Cache, *, interval_s: float = _INTERVAL_S) -> None:
        self._store = store
        self._cache = cache
        self._interval_s = interval_s

    async def run(self) -> None:
        """Trim until cancelled."""
        await self._cache.synced.wait()
        while True:
            try:
                await self.trim()
            except Deposed:
                raise  # the term is over
            except StoreError as error:
                _log.warning("old events could not be deleted", error=str(error))
            await asyncio.sleep(self._interval_s)

    async def trim(self) -> None:
        """Delete what exceeds the bound now. Raises StoreError."""
        surplus = events.surplus(self._cache.view)
        for start in range(0, len(surplus), _BATCH):
            batch = surplus[start : start + _BATCH]
            compares = [Unchanged(str(key), revision) for key, revision in batch]
            revision = await self._store.commit(compares, [Delete(compare.key) for compare in compares])
            await self._cache.reached(revision)
