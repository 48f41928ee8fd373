import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nearhop import engines
from nearhop.errors import EngineMissing


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    engines.find.cache_clear()
    yield
    engines.find.cache_clear()


def script(path: Path, says: str, status: int = 0) -> Path:
    path.write_text(f"#!{sys.executable}\nprint({says!r})\nraise SystemExit({status})\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("name", ["etcd", "haproxy", "deno"])
def test_every_engine_is_found_and_runs(name: engines.Name) -> None:
    engine = engines.find(name)
    assert engine.path.is_file()
    assert engine.version > (0, 0, 0)
    assert str(engine) == ".".join(map(str, engine.version))


def test_a_newer_one_on_path_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = script(tmp_path / "etcd", "etcd Version: 99.1.2")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert engines.find("etcd") == engines.Engine("etcd", newer, (99, 1, 2))


def test_an_older_one_on_path_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "etcd", "etcd Version: 0.0.1")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert engines.find("etcd").version > (0, 0, 1)


def test_the_environment_overrides_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = script(tmp_path / "mine", "etcd Version: 0.0.1")
    monkeypatch.setenv("NEARHOP_ETCD", str(own))
    assert engines.find("etcd") == engines.Engine("etcd", own, (0, 0, 1))


@pytest.mark.parametrize(("says", "status"), [("etcd 3.5.1", 1), ("no number", 0)])
def test_an_override_that_does_not_run_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, status: int
) -> None:
    bad = script(tmp_path / "bad", says, status)
    monkeypatch.setenv("NEARHOP_ETCD", str(bad))
    with pytest.raises(EngineMissing, match=f"NEARHOP_ETCD={bad} does not run"):
        engines.find("etcd")
    engines.find.cache_clear()
    monkeypatch.setenv("NEARHOP_ETCD", str(tmp_path / "absent"))
    with pytest.raises(EngineMissing):
        engines.find("etcd")
