"""The bundle collector: deletes bundles that no version refers to, and parts of uploads that never ended, after a grace period.

The grace lets an upload live until its CreateVersion comes; see store/bundles.py for what happens when it comes at the last moment.
"""

import asyncio
from collections.abc import Callable, Iterable

from controlplane.controllers.controller import Controller
from controlplane.model import Version
from controlplane.store.bundles import BundleStore
from controlplane.store.cache import Cache
from controlplane.store.errors import Conflict, Deposed, StoreError
from controlplane.store.keys import Key, Kind
from controlplane.store.view import View
from nearhop import log, tasks

_log = log.get(__name__)


class Collector(Controller):
    """Removes unreferenced bundles. Its keys are digests."""

    name = "collector"

    def __init__(
        self, bundles: BundleStore, cache: Cache, *, clock: Callable[[], float], grace_s: float, resync_s: float = 60.0
    ) -> None:
        super().__init__(cache, resync_s=resync_s)
        self._bundles = bundles
        self._clock = clock
        self._grace_s = grace_s
        self._suspects: dict[str, float] = {}

    def concerned(self, key: Key, view: View) -> Iterable[str]:
        match key.kind:
            case Kind.MANIFESTS:
                return (key.name,)
            case Kind.FUNCTIONS if key.name not in view.functions:
                return self.everything(view)  # its versions are gone, and with them the names of their digests
            case _:
                return ()

    def everything(self, view: View) -> Iterable[str]:
        return tuple(view.manifests)

    async def reconcile(self, key: str, view: View) -> float | None:
        stored = view.manifests.get(key)
        if stored is None or any(_refers(version.record, key) for version in view.versions.values()):
            return None
        left = stored.record.touched_at + self._grace_s - self._clock()
        if left > 0:
            return left
        await self._bundles.remove(key, stored.revision)
        _log.info("a bundle was collected", digest=key, size_bytes=stored.record.size_bytes)
        return None

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            tasks.spawn(group, super().run(), name=f"{self.name}: manifests")
            tasks.spawn(group, self._sweep_forever(), name=f"{self.name}: orphans")

    async def _sweep_forever(self) -> None:
        await self.cache.synced.wait()
        while True:
            try:
                await self.sweep()
            except Deposed:
                raise
            except StoreError as error:
                _log.warning("orphaned chunks could not be swept", error=str(error))
            await asyncio.sleep(max(1.0, self._grace_s / 2))

    async def sweep(self) -> None:
        """Delete the parts that have been without their whole for the grace period."""
        now = self._clock()
        orphans = await self._bundles.orphans()
        self._suspects = {digest: self._suspects.get(digest, now) for digest in orphans}
        for digest in [digest for digest, since in self._suspects.items() if now - since >= self._grace_s]:
            del self._suspects[digest]
            try:
                await self._bundles.remove_orphan(digest)
            except Conflict:
                continue  # its upload was completed in the meantime
            _log.info("the parts of an unfinished upload were deleted", digest=digest)


def _refers(version: Version, digest: str) -> bool:
    assets = version.manifest.assets
    return version.digest == digest or (assets is not None and assets.digest == digest)
