"""Fixtures over the harness: a cluster of one's own, and one that the examples share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness.cluster import Cluster


@pytest.fixture(scope="session")
def real() -> None:
    """What a fixture asks for that starts engines or other processes: whoever uses it, directly or not, is an acceptance test."""


@pytest.fixture(scope="session")
def geo_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for what nodes derive from the geo database, so that it is derived once."""
    return tmp_path_factory.mktemp("geo-cache")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_cluster(
    tmp_path_factory: pytest.TempPathFactory, geo_cache: Path, real: None
) -> AsyncIterator[Cluster]:
    """Two regions for tests that only deploy and ask; nobody kills its parts."""
    async with Cluster(["tokyo", "london"], folder=tmp_path_factory.mktemp("shared"), cache=geo_cache) as cluster:
        yield cluster


@pytest_asyncio.fixture
async def cluster(tmp_path: Path, geo_cache: Path, real: None) -> AsyncIterator[Cluster]:
    """Five regions, for one test alone."""
    async with Cluster(folder=tmp_path, cache=geo_cache) as cluster:
        yield cluster
