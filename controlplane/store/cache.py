"""The control plane's copy of the store: list, then watch, and list again on any doubt.

A view is published whole and never goes back. Listeners are woken, they are never called: the waiting ones compare views, the subscribed ones get the
changed keys. With etcd gone the last view stays.
"""

import asyncio
import contextlib
import random
from collections.abc import Iterator

from controlplane.store import keys
from controlplane.store.client import Store
from controlplane.store.errors import StoreError, StoreRefused, StoreUnavailable
from controlplane.store.keys import Key
from controlplane.store.view import Fold, View, fold, relist
from nearhop import log

_log = log.get(__name__)

RECONCILE_S = 120.0  # etcd 3.4 lost watch events under starvation; a whole listing costs little without the chunks
_RETRY_S = (0.1, 2.0)


class Subscription:
    """The keys that have changed since they were last taken; bounded by the number of keys, however slow the taker is."""

    def __init__(self) -> None:
        self._keys: set[Key] = set()
        self._wake = asyncio.Event()

    def add(self, changed: frozenset[Key]) -> None:
        self._keys |= changed
        self._wake.set()

    async def take(self) -> frozenset[Key]:
        """Wait for a change and return all changed keys."""
        await self._wake.wait()
        self._wake.clear()
        taken, self._keys = frozenset(self._keys), set()
        return taken


class Cache:
    """Holds the newest view. *synced* once it has been read for the first time."""

    def __init__(self, store: Store, *, reconcile_s: float = RECONCILE_S) -> None:
        self._store = store
        self._reconcile_s = reconcile_s
        self._cluster = 0
        self._subscriptions: set[Subscription] = set()
        self._tick = asyncio.Event()
        self.view = View()
        self.synced = asyncio.Event()
        self.listings = 0
        self.unreadable = 0

    def current(self) -> View:
        """Return the newest view. Raises StoreUnavailable before the first one was read."""
        if not self.synced.is_set():
            raise StoreUnavailable(f"nothing has been read yet from {', '.join(self._store.endpoints)}")
        return self.view

    async def newer(self, seen: View | None) -> View:
        """Wait until there is another view than *seen*, and return it."""
        await self.synced.wait()
        while self.view is seen:
            await self._tick.wait()
        return self.view

    async def reached(self, revision: int, *, timeout: float = 2.0) -> None:
        """Wait until the view holds the write of *revision*, so that a caller reads what it wrote; give up after *timeout* seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self.view.revision < revision:
                    await self._tick.wait()

    @contextlib.contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Collect changed keys for the caller as long as the context lasts."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    async def run(self) -> None:
        """Keep the view current until cancelled."""
        delay = _RETRY_S[0]
        while True:
            try:
                await self._list()
                delay = _RETRY_S[0]
                await self._follow()
            except StoreError as error:
                _log.warning(
                    "the store cannot be read; the last view stays", error=str(error), revision=self.view.revision
                )
                await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311  # jitter
                delay = min(delay * 2, _RETRY_S[1])

    async def _list(self) -> None:
        listing = await self._store.list(keys.WATCH_BEGIN, keys.WATCH_END)
        if self.synced.is_set() and (listing.revision < self.view.revision or listing.cluster != self._cluster):
            # Another etcd, or one restored from a backup: taking it over could empty the fleet at one blow.
            raise StoreRefused(
                f"etcd is at revision {listing.revision} of cluster {listing.cluster:x}, behind the known revision {self.view.revision} of "
                f"cluster {self._cluster:x}; restart the control plane to accept that"
            )
        self._cluster = listing.cluster
        self.listings += 1
        self._publish(relist(self.view, listing.items, listing.revision))
        self.synced.set()

    async def _follow(self) -> None:
        limit = self._reconcile_s * random.uniform(0.9, 1.1)  # noqa: S311  # replicas must not list in step
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                changes = self._store.watch(keys.WATCH_BEGIN, keys.WATCH_END, after=self.view.revision)
                async with contextlib.aclosing(changes):
                    async for batch in changes:
                        if batch:
                            self._publish(fold(self.view, batch))
                _log.info("the watch broke or was compacted; listing again", revision=self.view.revision)

    def _publish(self, step: Fold) -> None:
        for path, reason in step.unreadable:
            self.unreadable += 1
            _log.error("a record cannot be read; its last good value stays", key=path, error=reason)
        self.view = step.view
        tick, self._tick = self._tick, asyncio.Event()
        tick.set()
        if step.changed:
            for subscription in self._subscriptions:
                subscription.add(step.changed)
