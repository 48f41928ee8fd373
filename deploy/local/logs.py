"""The parts' logs: one file each, bounded, and the last lines for whoever must know why a part failed."""

from pathlib import Path

MAX_BYTES = 8 * 1024 * 1024
# What the supervisor writes into a part's log before each start.
STARTED = "--- started"
_TAIL_BYTES = 64 * 1024


class BoundedLog:
    """A file that is moved aside to <name>.1 when it is full, so that a part's log takes at most twice *max_bytes*."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        """Append *data*. Raises OSError when the disk is full."""
        if self._file.tell() + len(data) > self._max_bytes and self._file.tell():
            self._file.close()
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            self._file = self._path.open("ab", buffering=0)
        self._file.write(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def tail(path: Path, lines: int) -> list[str]:
    """Return the last *lines* lines that the part wrote since its last start; an empty list when there are none."""
    text = _end(path.with_name(f"{path.name}.1")) + _end(path)
    written = text.decode("utf-8", "replace").splitlines()
    starts = [number for number, line in enumerate(written) if line.startswith(STARTED)]
    return written[starts[-1] + 1 if starts else 0 :][-lines:]


def _end(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
            return file.read()
    except FileNotFoundError:
        return b""
