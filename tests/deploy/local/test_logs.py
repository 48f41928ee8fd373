"""Logs are bounded, and their end can be read."""

from pathlib import Path

from deploy.local.logs import BoundedLog, tail


def test_a_log_takes_at_most_twice_its_size(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "logs" / "x.log", max_bytes=100)
    for number in range(1000):
        log.write(f"line {number}\n".encode())
    log.close()
    sizes = [path.stat().st_size for path in (tmp_path / "logs").iterdir()]
    assert len(sizes) == 2
    assert all(0 < size <= 100 for size in sizes)
    assert tail(tmp_path / "logs" / "x.log", 2) == ["line 998", "line 999"]


def test_one_piece_that_is_too_large_is_still_written(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "x.log", max_bytes=10)
    log.write(b"x" * 50)
    log.write(b"y" * 50)
    log.close()
    assert (tmp_path / "x.log").read_bytes() == b"y" * 50
    assert (tmp_path / "x.log.1").read_bytes() == b"x" * 50


def test_a_log_goes_on_after_a_restart(tmp_path: Path) -> None:
    for text in (b"one\n", b"two\n"):
        log = BoundedLog(tmp_path / "x.log")
        log.write(text)
        log.close()
    assert tail(tmp_path / "x.log", 9) == ["one", "two"]


def test_the_end_of_no_log_is_empty(tmp_path: Path) -> None:
    assert tail(tmp_path / "nope.log", 5) == []


def test_bytes_that_are_no_text_do_not_hide_the_rest(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(b"\xff\xfe\nend\n")
    assert tail(tmp_path / "x.log", 1) == ["end"]


def test_the_end_begins_with_the_last_start(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text("--- started 1\nold\n--- started 2\nnew\n")
    assert tail(tmp_path / "x.log", 9) == ["new"]
