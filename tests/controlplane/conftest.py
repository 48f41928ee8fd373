"""Real etcd for the control plane's tests: a shared one that is emptied before each test, and one of the test's own to kill."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from controlplane.store.client import Delete, Store
from tests.harness.etcd import Etcd


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_etcd(tmp_path_factory: pytest.TempPathFactory, real: None) -> AsyncIterator[Etcd]:
    async with Etcd(tmp_path_factory.mktemp("etcd")) as etcd:
        yield etcd


@pytest_asyncio.fixture
async def store(shared_etcd: Etcd) -> AsyncIterator[Store]:
    """An empty store."""
    store = Store([shared_etcd.endpoint])
    await store.commit([], [Delete("/nearhop/")])
    yield store
    await store.close()


@pytest_asyncio.fixture
async def etcd(tmp_path: Path, real: None) -> AsyncIterator[Etcd]:
    """An etcd of the test's own."""
    async with Etcd(tmp_path) as etcd:
        yield etcd
