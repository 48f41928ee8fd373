"""Bundles on disk, by digest: whole and verified, or not there."""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from nearhop import log, names
from nearhop.errors import NearhopError
from node.agent import spool
from node.agent.codec import BUNDLE_MAX_BYTES

_AT_ONCE_BYTES = 256 << 10  # hashing more would keep others waiting
_logger = log.get(__name__)


class BundleError(NearhopError):
    """A bundle could not be stored or is not what its digest says."""


@dataclass(slots=True)
class _Arrival:
    data: bytearray = field(default_factory=bytearray)


class BundleStore:
    """The directory *path*. Arriving bundles stay in memory until they are whole, so that a half file is never written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._arrivals: dict[str, _Arrival] = {}
        self._stored: set[str] = set()

    def open(self) -> None:
        """Verify every stored bundle; what is not whole is removed, and fetched again when it is wanted."""
        self._path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for file in self._path.iterdir():
            if names.DIGEST.fullmatch(file.name) and hashlib.sha256(file.read_bytes()).hexdigest() == file.name:
                self._stored.add(file.name)
            else:
                _logger.warning("a stored bundle is not whole; removed", file=file.name)
                file.unlink()

    @property
    def stored(self) -> frozenset[str]:
        return frozenset(self._stored)

    def receive(self, digest: str, offset: int, data: bytes, *, last: bool) -> bytes | None:
        """Take a chunk in; return the whole bundle with the last one. Raises BundleError, and forgets the arrival."""
        arrival = self._arrivals.setdefault(digest, _Arrival())
        if offset != len(arrival.data) or offset + len(data) > BUNDLE_MAX_BYTES:
            del self._arrivals[digest]
            raise BundleError(
                f"bundle {digest[:12]}: a chunk at {offset} does not continue what arrived, or is too much"
            )
        arrival.data += data
        if not last:
            return None
        del self._arrivals[digest]
        body = bytes(arrival.data)
        if hashlib.sha256(body).hexdigest() != digest:
            raise BundleError(f"bundle {digest[:12]}: what arrived has another digest")
        return body

    def forget_arrivals(self) -> None:
        """Drop half-arrived bundles: their stream is gone."""
        self._arrivals.clear()

    def write(self, digest: str, body: bytes) -> None:
        """Store a whole bundle. Blocks on the disk; raises BundleError, and nothing is then there."""
        try:
            spool.replace(self._path / digest, body)
        except OSError as error:
            raise BundleError(f"bundle {digest[:12]} cannot be stored: {error.strerror or error}") from error
        self._stored.add(digest)

    def read_at_once(self, digest: str) -> bytes | None:
        """Return a small stored bundle, verified, that the page cache holds; None where only read() can tell. Does not wait for the disk."""
        try:
            file = os.open(self._path / digest, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            body = bytearray(min(os.fstat(file).st_size, _AT_ONCE_BYTES + 1))
            if len(body) > _AT_ONCE_BYTES or os.preadv(file, [body], 0, os.RWF_NOWAIT) != len(body):
                return None
        except OSError:  # it would have to wait
            return None
        finally:
            os.close(file)
        return bytes(body) if hashlib.sha256(body).hexdigest() == digest else None

    def read(self, digest: str) -> bytes:
        """Return a stored bundle, verified. Raises BundleError, and the bundle is then no longer stored."""
        try:
            body = (self._path / digest).read_bytes()
        except OSError as error:
            self._stored.discard(digest)
            raise BundleError(f"bundle {digest[:12]} cannot be read: {error.strerror or error}") from error
        if hashlib.sha256(body).hexdigest() != digest:
            self.remove(digest)
            raise BundleError(f"bundle {digest[:12]} was damaged on disk")
        return body

    def remove(self, digest: str) -> None:
        self._stored.discard(digest)
        (self._path / digest).unlink(missing_ok=True)
