"""A sandbox holds even when the guest and the engine's permissions are gone."""

from pathlib import Path

import pytest

from tests.hostile import kernel

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize("prepared", [False, True])
async def test_nothing_is_reached_with_all_of_the_engines_rights(tmp_path: Path, prepared: bool) -> None:
    found, level = await kernel.attempt_all(tmp_path, prepared=prepared)
    if level != "full":
        pytest.skip(f"this machine does not isolate fully: {level}")
    assert {name: said for name, said in found.items() if not said.startswith("shut")} == {}
