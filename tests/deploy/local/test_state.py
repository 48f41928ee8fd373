"""The state folder: one cluster at a time, nothing left by a killed one, nothing removed that is not ours."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import state

HOLD = """
import sys, signal
from pathlib import Path
from deploy.local import state
print("held" if state.acquire(Path(sys.argv[1])) else "refused", flush=True)
signal.pause()
"""


def hold(folder: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, folder], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_only_one_process_holds_the_folder(tmp_path: Path) -> None:
    first, said = hold(tmp_path / "s")
    second, refused = hold(tmp_path / "s")
    try:
        assert (said, refused) == ("held", "refused")
        assert state.holder(tmp_path / "s") == first.pid
        assert state.acquire(tmp_path / "s") is None
    finally:
        end(second)
        end(first)


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    process, _ = hold(tmp_path / "s")
    os.kill(process.pid, signal.SIGKILL)
    end(process)
    assert state.holder(tmp_path / "s") is None
    lock = state.acquire(tmp_path / "s")
    assert lock is not None
    lock.release()
    assert not state.is_running(tmp_path / "s")


def test_a_folder_with_other_things_is_neither_taken_nor_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(state.NotOurs, match="not empty"):
        state.acquire(tmp_path)
    with pytest.raises(state.NotOurs, match="nothing was removed"):
        state.purge(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_purge_removes_the_folder_completely(tmp_path: Path) -> None:
    folder = tmp_path / "a b" / "s"
    lock = state.acquire(folder)
    assert lock is not None
    (folder / "etcd").mkdir()
    (folder / "etcd" / "x").write_text("x")
    lock.release()
    assert state.purge(folder)
    assert not folder.exists()
    assert not state.purge(folder)


def test_the_description_is_there_only_while_it_is_true(tmp_path: Path) -> None:
    described = state.Description(
        1,
        "127.0.0.1:7400",
        "127.0.0.1:7453",
        "127.0.0.1:7454",
        "nearhop.test",
        "/ca",
        "/token",
        "http://127.0.0.1:7470/",
    )
    assert state.read(tmp_path) is None
    state.write(tmp_path, described)
    assert state.read(tmp_path) == described
    state.forget(tmp_path)
    assert state.read(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"other": 1}'])
def test_a_description_that_is_not_understood_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "cluster.json").write_text(text)
    assert state.read(tmp_path) is None


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"NEARHOP_STATE_DIR": "/x"}, "/x"),
        ({"XDG_STATE_HOME": "/y"}, "/y/nearhop"),
        ({"XDG_STATE_HOME": "relative"}, "/home/u/.local/state/nearhop"),
        ({}, "/home/u/.local/state/nearhop"),
    ],
)
def test_where_the_folder_is(environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NEARHOP_STATE_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/u")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert state.folder(None) == Path(expected)
    assert state.folder(Path("/z")) == Path("/z")
