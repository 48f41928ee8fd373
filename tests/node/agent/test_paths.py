import re
from pathlib import Path

import pytest

from node.agent import paths


def test_sockets_stay_in_a_short_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    short = Path("/tmp/nearhop-test-short")
    try:
        assert paths.run_dir(short) == short / "run"
    finally:
        (short / "run").rmdir()
        short.rmdir()


def test_a_long_one_gets_a_short_directory_of_its_own(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 90)
    first, second = paths.run_dir(long), paths.run_dir(tmp_path / ("y" * 90))
    try:
        assert first == paths.run_dir(long) != second
        assert len(str(first)) < 60
        assert first.stat().st_mode & 0o777 == 0o700
        (first / "s000.sock").touch()
        (first / "other").touch()
        paths.clean(first)
        assert [file.name for file in first.iterdir()] == ["other"]
        (first / "other").unlink()
        first.rmdir()
        first.symlink_to(tmp_path)
        with pytest.raises(paths.StateError, match="not a directory of this user"):
            paths.run_dir(long)
        first.unlink()
        first.mkdir()
    finally:
        first.rmdir()
        second.rmdir()


@pytest.mark.parametrize(
    "name", ["a b", "a,b", 'a"b', "a'b", "a#b", "a$b", "a\\b", "a\nb", "é", "a%b", "a(b)", "a{b}", "a@b"]
)
def test_sockets_never_lie_where_an_engine_would_misread_the_path(name: str) -> None:
    state = Path("/tmp") / f"nearhop-test-{name}"
    directory = paths.run_dir(state)
    try:
        assert re.fullmatch(r"/tmp/nearhop-\d+-[0-9a-f]{12}", str(directory))
    finally:
        directory.rmdir()
    assert not state.exists()


def test_one_agent_for_one_state_directory(tmp_path: Path) -> None:
    with paths.lock(tmp_path), pytest.raises(paths.StateError, match="another agent"):
        paths.lock(tmp_path)
    paths.lock(tmp_path).close()
