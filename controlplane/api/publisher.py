"""Derives what nodes and routers should have, once for all streams, and wakes them when it has changed."""

import asyncio

from controlplane.api.desired import Desired, derive, same_inputs
from controlplane.api.secrets import Safe
from controlplane.store.cache import Cache
from controlplane.store.view import View

COALESCE_S = 0.01  # writes that come in a burst make one snapshot


class Publisher:
    """Holds the newest Desired. A slow stream misses the ones in between and never holds anything up."""

    def __init__(self, cache: Cache, zone: str, safe: Safe | None = None) -> None:
        """*safe* opens the functions' secrets."""
        self._cache = cache
        self._safe = safe or Safe()
        self._zone = zone
        self._desired: Desired | None = None
        self._view: View | None = None
        self._tick = asyncio.Event()

    async def newer(self, seen: Desired | None) -> Desired:
        """Wait until there is another Desired than *seen*, and return it."""
        while self._desired is None or self._desired is seen:
            await self._tick.wait()
        return self._desired

    def current(self) -> Desired:
        """Return what follows from the newest view. Raises StoreUnavailable before the store was read for the first time."""
        return self._derive(self._cache.current())

    async def run(self) -> None:
        """Publish until cancelled."""
        seen = None
        while True:
            seen = await self._cache.newer(seen)
            if self._view is not None and not same_inputs(seen, self._view):
                await asyncio.sleep(COALESCE_S)
                seen = self._cache.view
            self._derive(seen)

    def _derive(self, view: View) -> Desired:
        if self._desired is None or self._view is None or not same_inputs(view, self._view):
            self._desired = derive(view, self._zone, self._desired, self._safe.opened(view))
            self._view = view
            tick, self._tick = self._tick, asyncio.Event()
            tick.set()
        return self._desired
