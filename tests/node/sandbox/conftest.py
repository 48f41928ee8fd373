"""The fixtures that start guests, and what is outside of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.node.sandbox.guests import Boot, booting
from tests.node.sandbox.outside import Outside, outside


@pytest.fixture
async def boot(tmp_path: Path, real: None) -> AsyncIterator[Boot]:
    async with booting(tmp_path) as boot:
        yield boot


@pytest.fixture
async def origin(tmp_path: Path) -> AsyncIterator[Outside]:
    async with outside(tmp_path) as found:
        yield found
