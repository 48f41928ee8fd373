"""The loop that all controllers share: subscribe, enqueue, take, reconcile, retry, and everything again now and then."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable

from controlplane.controllers.queue import KeyQueue
from controlplane.store.cache import Cache
from controlplane.store.errors import Conflict, Deposed, StoreError
from controlplane.store.keys import Key
from controlplane.store.view import View
from nearhop import log, tasks

_log = log.get(__name__)


class Controller(ABC):
    """Converges one kind of record; its keys are names."""

    name: str

    def __init__(self, cache: Cache, *, resync_s: float) -> None:
        self.cache = cache
        self.crashes = 0
        self._resync_s = resync_s
        self._queue: KeyQueue[str] = KeyQueue(monotonic=time.monotonic)

    @abstractmethod
    def concerned(self, key: Key, view: View) -> Iterable[str]:
        """Name the keys to visit because the record of *key* has changed."""

    @abstractmethod
    def everything(self, view: View) -> Iterable[str]:
        """Name all keys."""

    @abstractmethod
    async def reconcile(self, key: str, view: View) -> float | None:
        """Converge *key*; return in how many seconds to visit it again without a change, or None."""

    async def run(self) -> None:
        """Work until cancelled, or until a write is refused because another control plane leads (Deposed)."""
        async with asyncio.TaskGroup() as group:
            tasks.spawn(group, self._listen(), name=f"{self.name}: listen")
            tasks.spawn(group, self._resync(), name=f"{self.name}: resync")
            tasks.spawn(group, self._work(), name=f"{self.name}: work")

    async def _listen(self) -> None:
        with self.cache.subscribe() as subscription:
            while True:
                changed = await subscription.take()
                view = self.cache.view
                for name in {name for key in changed for name in self.concerned(key, view)}:
                    self._queue.add(name)

    async def _resync(self) -> None:
        await self.cache.synced.wait()
        while True:
            for name in self.everything(self.cache.view):
                self._queue.add(name)
            await asyncio.sleep(self._resync_s)

    async def _work(self) -> None:
        while True:
            await self._visit(await self._queue.take())

    async def _visit(self, key: str) -> None:
        try:
            again = await self.reconcile(key, self.cache.view)
        except Deposed:
            raise  # the term is over, and with it all of this work
        except Conflict:
            # Somebody else wrote first: the watch brings their record, and with it this key.
            self._queue.add_after(key, 0.05)
        except StoreError as error:
            delay = self._queue.failed(key)
            _log.warning("reconciling was put off", controller=self.name, key=key, error=str(error), retry_in_s=delay)
        except Exception:  # noqa: BLE001  # the rim of every key's work
            self.crashes += 1
            delay = self._queue.failed(key)
            _log.exception("reconciling failed", controller=self.name, key=key, retry_in_s=delay)
        else:
            self._queue.succeeded(key)
            if again is not None:
                self._queue.add_after(key, again)
