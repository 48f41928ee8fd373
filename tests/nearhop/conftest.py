"""A real etcd of the test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.harness.etcd import Etcd


@pytest_asyncio.fixture
async def etcd(tmp_path: Path, real: None) -> AsyncIterator[Etcd]:
    (tmp_path / "etcd").mkdir()
    async with Etcd(tmp_path / "etcd") as etcd:
        yield etcd
