from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nearhop import config
from nearhop.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Inner:
    ratio: float = 0.5


@dataclass(frozen=True, slots=True)
class Outer:
    name: str
    ports: list[int]
    inner: Inner = field(default_factory=Inner)


def violations(path: Path, text: str) -> set[str]:
    path.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        config.load(path, Outer)
    return {violation.field for violation in caught.value.violations}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "c.toml"


def test_a_file_becomes_a_dataclass(path: Path) -> None:
    path.write_text('name = "x"\nports = [1, 2]\n[inner]\nratio = 1.5\n')
    assert config.load(path, Outer) == Outer("x", [1, 2], Inner(1.5))


def test_defaults_are_taken(path: Path) -> None:
    path.write_text('name = "x"\nports = []\n')
    assert config.load(path, Outer) == Outer("x", [])


def test_every_error_is_told_at_once(path: Path) -> None:
    text = 'nam = "x"\nports = ["a", 2]\n[inner]\nratio = "much"\nration = 1\n'
    assert violations(path, text) == {"name", "nam", "ports.0", "inner.ratio", "inner.ration"}


def test_a_file_that_is_not_toml_is_named(path: Path) -> None:
    assert violations(path, "name = ") == {str(path)}
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput):
        config.load(path, Outer)


def test_a_file_that_is_not_there_is_an_os_error(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        config.load(path, Outer)
