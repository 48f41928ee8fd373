"""An authority, registers and a clock for tests of identities."""

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
from controlplane.store.client import Store

TRUST_DOMAIN = "fleet.example.org"
NOW = 1_800_000_000.0


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


@pytest_asyncio.fixture
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
