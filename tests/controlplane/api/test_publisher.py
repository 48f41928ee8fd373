import asyncio

import pytest

from controlplane.api.publisher import Publisher
from controlplane.model import Ingress, Location, Node, NodeReport
from controlplane.store import codec
from controlplane.store.cache import Cache
from controlplane.store.client import Put, Store
from controlplane.store.codec import Record
from controlplane.store.errors import StoreUnavailable
from controlplane.store.keys import Key, Kind
from nearhop import tasks

NODE = Node("a", "tokyo", "", Location(0, 0), Ingress(80, ("192.0.2.1",)))


async def write(store: Store, kind: Kind, name: str, record: Record) -> int:
    return await store.commit([], [Put(str(Key(kind, name)), codec.encode(record))])


async def test_it_publishes_what_changes_and_not_what_does_not(store: Store) -> None:
    cache = Cache(store)
    publisher = Publisher(cache, "example.org")
    with pytest.raises(StoreUnavailable):
        publisher.current()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        work = [tasks.spawn(group, part, name="part") for part in (cache.run(), publisher.run())]
        first = await publisher.newer(None)
        assert first.fleet.nodes == ()
        await write(store, Kind.NODES, "a", NODE)
        second = await publisher.newer(first)
        assert [node.id for node in second.fleet.nodes] == ["a"]
        await cache.reached(await write(store, Kind.HEALTH, "a", NodeReport("a", "i", 1)))
        assert publisher.current() is second
        await cache.reached(await write(store, Kind.NODES, "b", NODE))
        assert publisher.current() is not second  # at once, for whoever has just written
        for task in work:
            task.cancel()
