"""The fixture that starts guests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.node.sandbox.guests import Boot, booting


@pytest.fixture
async def boot(tmp_path: Path, real: None) -> AsyncIterator[Boot]:
    async with booting(tmp_path) as boot:
        yield boot
