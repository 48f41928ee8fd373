"""Three real members of etcd, of which some are killed or paused."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from controlplane.identity import etcd_tls
from controlplane.store.client import Change, Put, Store
from controlplane.store.errors import StoreUnavailable
from controlplane.store.members import Members
from tests.harness.etcd import EtcdCluster
from tests.harness.eventually import eventually

pytestmark = pytest.mark.acceptance


@pytest_asyncio.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[EtcdCluster]:
    async with EtcdCluster(tmp_path) as cluster:
        yield cluster


def at(store: Store, cluster: EtcdCluster) -> int:
    """Return the number of the member that *store* uses."""
    return cluster.endpoints.index(store._members.current.endpoint)


async def writes_again(store: Store, value: bytes, within: float) -> None:
    async def written() -> bool:
        try:
            await store.commit([], [Put("/nearhop/x", value)])
        except StoreUnavailable as error:
            raise AssertionError(str(error)) from error
        return True

    await eventually(written, within=within)


async def test_only_the_one_that_failed_is_left_and_only_once() -> None:
    members = Members(["a.example.org:1", "b.example.org:1", "c.example.org:1"])
    first = members.current
    members.failed(first)
    second = members.current
    assert second is not first
    members.failed(first)  # by somebody who had asked it at the same time
    assert members.current is second
    await members.close()


async def test_a_killed_member_is_left_for_the_next(cluster: EtcdCluster) -> None:
    store = Store(cluster.endpoints)
    await store.commit([], [Put("/nearhop/x", b"1")])
    await cluster.members[at(store, cluster)].kill()
    # What can be repeated is, without anybody noticing.
    assert (item := await store.get("/nearhop/x")) is not None
    assert item.value == b"1"
    await writes_again(store, b"2", within=5)
    await store.close()


async def test_a_paused_member_keeps_neither_calls_nor_watches(cluster: EtcdCluster) -> None:
    store = Store(cluster.endpoints)
    before = await store.commit([], [Put("/nearhop/x", b"1")])
    changes = store.watch("/nearhop/", "/nearhop0", after=before)
    assert await anext(changes) == ()
    paused = cluster.members[at(store, cluster)]
    await paused.pause()
    began = time.monotonic()
    await writes_again(store, b"2", within=8)
    assert [batch async for batch in changes if batch] == []
    assert time.monotonic() - began < 8
    anew = [batch async for batch in _first(store, before)]
    assert anew[-1][0].value == b"2"
    paused.resume()
    await store.close()


async def _first(store: Store, after: int) -> AsyncIterator[tuple[Change, ...]]:
    changes = store.watch("/nearhop/", "/nearhop0", after=after)
    async for batch in changes:
        yield batch
        if batch:
            break
    await changes.aclose()


async def test_without_a_quorum_calls_fail_in_seconds_and_with_it_they_work_again(cluster: EtcdCluster) -> None:
    store = Store(cluster.endpoints)
    await store.commit([], [Put("/nearhop/x", b"1")])
    gone = [cluster.members[0], cluster.members[1]]
    for member in gone:
        await member.kill()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        await store.get("/nearhop/x")
    assert time.monotonic() - began < 6
    for member in gone:
        await member.start(within=30)
    await writes_again(store, b"2", within=10)
    await store.close()


async def test_members_are_reached_by_hostname_with_tls(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    etcd_tls.write(keys, ["127.0.0.1"])
    credentials = grpc.ssl_channel_credentials(
        *((keys / name).read_bytes() for name in (etcd_tls.AUTHORITY, "etcd-client.key", "etcd-client.pem"))
    )
    async with EtcdCluster(tmp_path, keys) as cluster:
        names = [endpoint.replace("127.0.0.1", "localhost") for endpoint in cluster.endpoints]
        store = Store(names, credentials, server_name=etcd_tls.SERVER_NAME)
        await store.commit([], [Put("/nearhop/x", b"1")])
        await cluster.members[names.index(store._members.current.endpoint)].kill()
        await writes_again(store, b"2", within=5)
        await store.close()
