"""Secrets in the spooled snapshot: sealed under a key in a file of its own, beside it in the state directory.

What it is for: a snapshot.pb that leaves the machine alone, in a backup, a bug report or a copied file, shows no secret. What it is not for: whoever
reads as this user or as root, or takes the whole state directory, has the key as well; the agent must be able to start without anybody's help.
"""

import base64
import binascii
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nearhop import log, private
from nearhop.v1 import node_control_pb2 as pb

KEY_FILE = "spool.key"
_KEY_BYTES = 32
_NONCE_BYTES = 12  # SP 800-38D 5.2.1.1: 96 bits
_logger = log.get(__name__)


class Sealer:
    """Seals what is spooled in *state_dir*; the key is made when there is none."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / KEY_FILE
        self._cipher: AESGCM | None = None

    def sealed(self, snapshot: pb.Snapshot) -> pb.Snapshot:
        """Return *snapshot* as the disk may hold it. Raises OSError when there is no key and none can be written."""
        if not any(placement.secrets for placement in snapshot.placements):
            return snapshot
        cipher = self._key(make=True)
        copy = pb.Snapshot()
        copy.CopyFrom(snapshot)
        for placement in copy.placements:
            for secret in placement.secrets:
                nonce = os.urandom(_NONCE_BYTES)
                sealed = nonce + cipher.encrypt(nonce, secret.value.encode(), _place(placement, secret))
                secret.value = base64.b64encode(sealed).decode()
        return copy

    def open(self, snapshot: pb.Snapshot) -> None:
        """Put the secrets of a spooled *snapshot* back. One that cannot be opened is left out until the control plane sends it again."""
        for placement in snapshot.placements:
            for secret in list(placement.secrets):
                try:
                    sealed = base64.b64decode(secret.value, validate=True)
                    nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
                    secret.value = self._key(make=False).decrypt(nonce, rest, _place(placement, secret)).decode()
                except (OSError, InvalidTag, ValueError, binascii.Error) as error:
                    _logger.warning(
                        "a spooled secret cannot be opened; the function starts without it", function=placement.function,
                        name=secret.name, error=repr(error),
                    )  # fmt: skip
                    placement.secrets.remove(secret)

    def _key(self, *, make: bool) -> AESGCM:
        if self._cipher is None:
            if make and not self._path.exists():
                private.write(self._path, os.urandom(_KEY_BYTES))
            self._cipher = AESGCM(self._path.read_bytes())
        return self._cipher


def _place(placement: pb.Placement, secret: pb.Secret) -> bytes:
    return f"{placement.function}/{secret.name}".encode()
