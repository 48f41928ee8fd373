"""A store, an authority and a clock for tests of identities."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from controlplane.identity import ca
from controlplane.identity.api_tokens import ApiTokens
from controlplane.identity.directory import Directory
from controlplane.identity.joining import Joining
from controlplane.identity.records import ROOT
from controlplane.store.client import Delete, Store
from tests.harness.etcd import Etcd

TRUST_DOMAIN = "fleet.example.org"
NOW = 1_800_000_000.0


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def etcd(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Etcd]:
    async with Etcd(tmp_path_factory.mktemp("etcd")) as etcd:
        yield etcd


@pytest_asyncio.fixture(loop_scope="session")
async def store(etcd: Etcd) -> AsyncIterator[Store]:
    store = Store([etcd.endpoint])
    await store.commit([], [Delete(ROOT)])
    yield store
    await store.close()


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def authority() -> ca.Authority:
    return ca.create(TRUST_DOMAIN, ca.utc(NOW))


@pytest.fixture
def joining(store: Store, authority: ca.Authority, clock: Clock) -> Joining:
    return Joining(store, authority, life=timedelta(hours=24), clock=clock)


@pytest.fixture
def api_tokens(store: Store, clock: Clock) -> ApiTokens:
    return ApiTokens(store, clock=clock)


@pytest_asyncio.fixture(loop_scope="session")
async def directory(store: Store, clock: Clock) -> AsyncIterator[Directory]:
    """A directory that follows the store."""
    directory = Directory(store, clock=clock)
    await directory.load()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(directory.run())
        yield directory
        task.cancel()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "identity"
