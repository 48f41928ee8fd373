import asyncio

from controlplane.controllers.trimmer import Trimmer
from controlplane.model import Event, EventKind
from controlplane.store import events
from controlplane.store.cache import Cache
from controlplane.store.client import Store
from nearhop import tasks
from tests.harness.eventually import eventually


async def test_the_newest_events_are_kept(store: Store) -> None:
    written = 0
    while written < events.KEPT + 230:
        batch = [Event(EventKind.NODE_LOST, 1.0, str(written + number)) for number in range(100)]
        await store.commit([], events.puts(*batch))
        written += 100
    cache = Cache(store)
    async with asyncio.TaskGroup() as group:
        work = [
            tasks.spawn(group, cache.run(), name="cache"),
            tasks.spawn(group, Trimmer(store, cache, interval_s=0.05).run(), name="trimmer"),
        ]

        async def trimmed() -> bool:
            return cache.synced.is_set() and len(cache.view.events) == events.KEPT

        await eventually(trimmed, within=10)
        await store.commit([], events.puts(Event(EventKind.NODE_LOST, 1.0, "last")))

        async def with_the_last() -> bool:
            messages = [told.event.message for told in events.after(cache.view, 0)]
            return messages == [*(str(number) for number in range(written - events.KEPT + 1, written)), "last"]

        await eventually(with_the_last, within=10)
        for task in work:
            task.cancel()
