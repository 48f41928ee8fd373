from pathlib import Path

import pytest

from nearhop import engines
from node.sandbox.isolation import libraries


def test_what_the_engine_needs_exists() -> None:
    found = libraries.needed(engines.find("deno").path)
    assert any("libc.so" in path for path in found)
    assert libraries.interpreter(engines.find("deno").path) in found
    assert all(Path(source).exists() for source in found.values())


def test_what_is_no_program(tmp_path: Path) -> None:
    script = tmp_path / "x"
    script.write_text("#!/bin/sh\n")
    assert libraries.needed(script) == {}
    with pytest.raises(FileNotFoundError):
        libraries.needed(tmp_path / "nothing")
