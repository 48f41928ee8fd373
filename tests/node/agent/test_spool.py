from pathlib import Path

import pytest

from node.agent import spool


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.pb"
    assert spool.read(path) is None
    spool.write(path, b"one\ntwo")
    spool.write(path, b"three\n\nfour")
    assert spool.read(path) == b"three\n\nfour"
    assert [file.name for file in tmp_path.iterdir()] == ["snapshot.pb"]


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b[:40], lambda b: b"", lambda b: b[:-3] + b"x" + b[-2:], lambda b: b"x" + b]
)
def test_what_is_not_whole_is_set_aside(tmp_path: Path, damage) -> None:
    path = tmp_path / "snapshot.pb"
    spool.write(path, b"the whole snapshot")
    path.write_bytes(damage(path.read_bytes()))
    assert spool.read(path) is None
    [aside] = tmp_path.iterdir()
    assert aside.name.startswith("snapshot.pb.corrupt-")
    assert spool.read(path) is None


def test_a_write_that_fails_leaves_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "snapshot.pb"
    spool.write(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        spool.write(path, b"new")
    assert spool.read(path) == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["snapshot.pb"]


def test_a_file_that_cannot_be_read_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "snapshot.pb").mkdir()
    assert spool.read(tmp_path / "snapshot.pb") is None


async def test_what_cannot_be_written_waits_and_the_newest_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    backlog = spool.Backlog()
    await backlog.write(folder / "a", b"old")
    await backlog.write(folder / "a", b"new")
    await backlog.retry()
    folder.mkdir()
    await backlog.retry()
    assert spool.read(folder / "a") == b"new"
    (folder / "a").unlink()
    await backlog.retry()
    assert spool.read(folder / "a") is None
