"""Files that must survive any end of the process: written whole (write, fsync, rename), read only when their checksum holds."""

import asyncio
import hashlib
import os
import time
from pathlib import Path

from nearhop import log

_MAGIC = b"nearhop-spool-1 "
_logger = log.get(__name__)


def write(path: Path, body: bytes) -> None:
    """Replace *path* by *body* at once and for good. Raises OSError; *path* is then as it was."""
    digest = hashlib.sha256(body).hexdigest().encode()
    replace(path, _MAGIC + digest + b"\n" + body)


def replace(path: Path, content: bytes) -> None:
    """Replace *path* without a checksum, for content that has its own. Raises OSError; *path* is then as it was."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class Backlog:
    """What is to be written, until it is: a full disk only delays it."""

    def __init__(self) -> None:
        self._waiting: dict[Path, bytes] = {}
        self._lock = asyncio.Lock()  # so that an older body never lands on a newer one

    async def write(self, path: Path, body: bytes) -> None:
        """Replace *path* by *body* now, or at a retry()."""
        self._waiting[path] = body
        await self.retry(first=path)

    async def retry(self, *, first: Path | None = None) -> None:
        """Write whatever waits; what cannot be written yet goes on waiting."""
        if not self._waiting:
            return
        async with self._lock:
            for path, body in list(self._waiting.items()):
                try:
                    await asyncio.to_thread(write, path, body)
                except OSError as error:
                    tell = _logger.error if path == first else _logger.debug
                    tell("a file cannot be spooled; it is tried again", path=str(path), error=str(error))
                    continue
                if self._waiting.get(path) is body:
                    del self._waiting[path]


def read(path: Path) -> bytes | None:
    """Return the body, None when there is none. A file that is not whole is set aside and reported."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        _logger.warning("a spooled file cannot be read; starting without it", path=str(path), error=str(error))
        return None
    head, _, body = content.partition(b"\n")
    if head == _MAGIC + hashlib.sha256(body).hexdigest().encode():
        return body
    quarantine(path)
    return None


def quarantine(path: Path) -> None:
    """Set a broken file aside, for whoever wants to look at it."""
    aside = path.with_name(f"{path.name}.corrupt-{int(time.time())}")
    _logger.error("a spooled file is corrupt; set aside", path=str(path), aside=aside.name)
    path.replace(aside)
