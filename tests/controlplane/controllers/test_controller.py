import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable

from controlplane.controllers.controller import Controller
from controlplane.model import Function
from controlplane.store import codec
from controlplane.store.cache import Cache
from controlplane.store.client import Put, Store
from controlplane.store.errors import Conflict, StoreUnavailable
from controlplane.store.keys import Key, Kind
from controlplane.store.view import View
from nearhop import tasks
from tests.harness.eventually import eventually


class Recorder(Controller):
    """Visits functions, and fails as it is told to."""

    name = "recorder"

    def __init__(self, cache: Cache, *, resync_s: float = 60.0) -> None:
        super().__init__(cache, resync_s=resync_s)
        self.visits: list[str] = []
        self.failures: list[Exception] = []
        self.again: list[float] = []

    def concerned(self, key: Key, view: View) -> Iterable[str]:
        return (key.name,) if key.kind is Kind.FUNCTIONS else ()

    def everything(self, view: View) -> Iterable[str]:
        return view.functions

    async def reconcile(self, key: str, view: View) -> float | None:
        self.visits.append(key)
        if self.failures:
            raise self.failures.pop()
        return self.again.pop() if self.again else None

    async def visited(self, count: int) -> None:
        async def enough() -> bool:
            return len(self.visits) >= count

        await eventually(enough, within=5, reason=f"{self.visits}")


@contextlib.asynccontextmanager
async def running(store: Store, *, resync_s: float = 60.0) -> AsyncIterator[Recorder]:
    cache = Cache(store)
    recorder = Recorder(cache, resync_s=resync_s)
    async with asyncio.TaskGroup() as group:
        work = [tasks.spawn(group, part, name="part") for part in (cache.run(), recorder.run())]
        await cache.synced.wait()
        yield recorder
        for task in work:
            task.cancel()


async def write(store: Store, name: str, made: float = 0.0) -> None:
    await store.commit([], [Put(str(Key(Kind.FUNCTIONS, name)), codec.encode(Function(name, (), made, "r")))])


async def test_a_change_brings_its_key(store: Store) -> None:
    async with running(store) as recorder:
        await write(store, "a")
        await recorder.visited(1)
        assert set(recorder.visits) == {"a"}


async def test_every_key_is_visited_again_now_and_then(store: Store) -> None:
    await write(store, "a")
    async with running(store, resync_s=0.03) as recorder:
        await recorder.visited(4)


async def test_whatever_goes_wrong_a_key_is_visited_again(store: Store) -> None:
    async with running(store) as recorder:
        recorder.failures = [RuntimeError("a bug"), StoreUnavailable("gone"), Conflict("stale")]
        await write(store, "a")
        await recorder.visited(4)
        assert recorder.crashes == 1


async def test_a_visit_can_ask_for_the_next(store: Store) -> None:
    async with running(store) as recorder:
        recorder.again = [0.01, 0.01]
        await write(store, "a")
        await recorder.visited(3)
