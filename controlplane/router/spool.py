"""The last good routing view on disk, so that a router starts without a control plane.

A file that does not read back as it was written is renamed aside and never tried again.
"""

import hashlib
import os
from pathlib import Path

from google.protobuf.message import DecodeError

from controlplane.model import FleetView
from controlplane.router import views
from nearhop import log
from nearhop.errors import InvalidInput
from nearhop.v1 import router_control_pb2 as pb

_MAGIC = b"nearhop routing view 1\n"
_DIGEST_BYTES = 32

_log = log.get(__name__)


class Spool:
    """One file in *directory*, which is made when it is missing. Its methods block: call write() from a thread."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "routing-view"

    def read(self) -> FleetView | None:
        """Return the spooled view; None when there is none, or when it was damaged and is now set aside."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            decoded = views.decode(_unpack(data))
        except (ValueError, DecodeError, InvalidInput) as error:
            aside = self.path.with_suffix(".corrupt")
            self.path.replace(aside)
            _log.error("the spooled routing view is damaged and was set aside", path=str(aside), reason=str(error))
            return None
        for violation in decoded.quarantined:
            _log.error("an entry of the spooled routing view is left out", reason=str(violation))
        return decoded.view

    def write(self, view: pb.RoutingView) -> None:
        """Replace the spooled view: write, fsync, rename, fsync of the directory. Raises OSError; the old file then still stands."""
        data = view.SerializeToString()
        partial = self.path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.write(_MAGIC + hashlib.sha256(data).digest() + data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path)
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _unpack(data: bytes) -> pb.RoutingView:
    header = len(_MAGIC) + _DIGEST_BYTES
    if not data.startswith(_MAGIC) or len(data) < header:
        raise ValueError("it is no routing view, or cut short")
    payload = data[header:]
    if hashlib.sha256(payload).digest() != data[len(_MAGIC) : header]:
        raise ValueError("its checksum does not match")
    return pb.RoutingView.FromString(payload)
