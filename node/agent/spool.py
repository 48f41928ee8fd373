"""Files that must survive any end of the process: written whole (write, fsync, rename), read only when their checksum holds."""

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
