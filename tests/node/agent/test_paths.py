import contextlib
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


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """A directory for sockets as an agent leaves it behind."""
    directory = tmp_path / "run"
    for folder in ("slots/000", "slots/999", "services", "root"):
        (directory / folder).mkdir(parents=True)
    for file in ("haproxy.sock", "haproxy.sock.12345.tmp", "slots/000/s.sock", "services/egress.sock"):
        (directory / file).touch()
    (directory / "s000.sock").symlink_to(directory / "slots/000/s.sock")
    (directory / "s001.sock").symlink_to(directory / "slots/001/s.sock")  # its sandbox is gone
    return directory


def test_the_directory_of_the_sockets_goes_with_the_agent(tmp_path: Path, used: Path) -> None:
    with paths.lock(tmp_path) as claim:
        paths.remove(used, tmp_path, claim)
        assert not used.exists()
        used.mkdir()  # an agent that got no further than this
        paths.remove(used, tmp_path, claim)
    assert not used.exists()


@pytest.mark.parametrize("name", ["notes.txt", "slots/000/notes.txt", "services/notes.txt", "root/notes.txt", "other"])
def test_what_is_not_the_agents_stays_and_its_directory_with_it(tmp_path: Path, used: Path, name: str) -> None:
    kept = used / name
    if name == "other":
        kept.mkdir()
    else:
        kept.write_text("mine")
    with paths.lock(tmp_path) as claim, pytest.raises(OSError, match="not empty"):
        paths.remove(used, tmp_path, claim)
    assert kept.is_dir() if name == "other" else kept.read_text() == "mine"


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path, used: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.sock").touch()
    (used / "x.sock").symlink_to(elsewhere)
    (used / "slots" / "000" / "y.sock").symlink_to(elsewhere / "a.sock")
    with paths.lock(tmp_path) as claim:
        paths.remove(used, tmp_path, claim)
    assert [file.name for file in elsewhere.iterdir()] == ["a.sock"]
    assert not used.exists()


@pytest.mark.parametrize("anew", [False, True])
def test_nothing_is_removed_once_the_state_directory_is_another_agents(tmp_path: Path, used: Path, anew: bool) -> None:
    state = tmp_path / "state"
    state.mkdir()
    with paths.lock(state) as claim:
        (state / "agent.lock").unlink()
        with (
            paths.lock(state) if anew else contextlib.nullcontext(),
            pytest.raises(paths.StateError, match="no longer"),
        ):
            paths.remove(used, state, claim)
    assert (used / "haproxy.sock").exists()


def test_one_agent_for_one_state_directory(tmp_path: Path) -> None:
    with paths.lock(tmp_path), pytest.raises(paths.StateError, match="another agent"):
        paths.lock(tmp_path)
    paths.lock(tmp_path).close()
