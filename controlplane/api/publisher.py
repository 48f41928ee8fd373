"""Derives what nodes and routers should have, once for all streams, and wakes them when it has changed."""

import asyncio

from controlplane.api.desired import Desired, derive, same_inputs
from controlplane.store.cache import Cache

COALESCE_S = 0.01  # writes that come in a burst make one snapshot


class Publisher:
    """Holds the newest Desired. A slow stream misses the ones in between and never holds anything up."""

    def __init__(self, cache: Cache, zone: str) -> None:
        self._cache = cache
        self._zone = zone
        self._desired: Desired | None = None
        self._tick = asyncio.Event()

    async def newer(self, seen: Desired | None) -> Desired:
        """Wait until there is another Desired than *seen*, and return it."""
        while self._desired is None or self._desired is seen:
            await self._tick.wait()
        return self._desired

    def current(self) -> Desired:
        """Return the newest Desired. Raises StoreUnavailable before the store was read for the first time."""
        if self._desired is None:
            self._publish(derive(self._cache.current(), self._zone, None))
        assert self._desired is not None  # noqa: S101  # _publish has set it
        return self._desired

    async def run(self) -> None:
        """Publish until cancelled."""
        seen = await self._cache.newer(None)
        self._publish(derive(seen, self._zone, self._desired))
        while True:
            view = await self._cache.newer(seen)
            if not same_inputs(view, seen):
                await asyncio.sleep(COALESCE_S)
                view = self._cache.view
                self._publish(derive(view, self._zone, self._desired))
            seen = view

    def _publish(self, desired: Desired) -> None:
        self._desired = desired
        tick, self._tick = self._tick, asyncio.Event()
        tick.set()
