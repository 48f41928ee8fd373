"""A queue of keys: each at most once, never worked on twice at the same time, retried with a growing delay."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_FIRST_RETRY_S = 0.2
_LAST_RETRY_S = 30.0


class KeyQueue(Generic[K]):
    """Keys that wait for one worker. A key that is added while it is worked on comes again afterwards."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._ready: dict[K, None] = {}  # in order of arrival
        self._later: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._wake = asyncio.Event()

    def add(self, key: K) -> None:
        self._later.pop(key, None)
        self._ready[key] = None
        self._wake.set()

    def add_after(self, key: K, delay_s: float) -> None:
        """Add *key* in *delay_s* seconds, or earlier when it is due earlier."""
        due = self._monotonic() + delay_s
        if key not in self._ready and due < self._later.get(key, float("inf")):
            self._later[key] = due
            self._wake.set()

    def succeeded(self, key: K) -> None:
        """Forget that *key* ever failed."""
        self._failures.pop(key, None)

    def failed(self, key: K) -> float:
        """Add *key* again after a delay that doubles with each failure, and return that delay."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        delay = min(_FIRST_RETRY_S * 2.0 ** min(count, 16), _LAST_RETRY_S)
        self.add_after(key, delay)
        return delay

    async def take(self) -> K:
        """Wait for a key and return it."""
        while True:
            self._wake.clear()
            delay = self._promote()
            if self._ready:
                key = next(iter(self._ready))
                del self._ready[key]
                return key
            try:
                async with asyncio.timeout(delay):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _promote(self) -> float | None:
        now = self._monotonic()
        for key in [key for key, due in self._later.items() if due <= now]:
            del self._later[key]
            self._ready[key] = None
        return min(self._later.values()) - now if self._later else None
