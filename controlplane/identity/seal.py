"""Sealing: AES-256-GCM under the key-encryption key, a file that every control plane has and the store does not."""

import hashlib
import hmac
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nearhop import private
from nearhop.errors import InvalidInput, NearhopError, Violation

_NONCE_BYTES = 12  # SP 800-38D 5.2.1.1: 96 bits
_KEY_BYTES = 32


class SealBroken(NearhopError):
    """A sealed value that this key does not open: another key sealed it, or it was moved or changed."""


class Seal:
    """Seals and opens values; each is bound to the place where it is kept."""

    def __init__(self, key: bytes) -> None:
        if len(key) != _KEY_BYTES:
            raise ValueError(f"the key-encryption key has {len(key)} bytes; {_KEY_BYTES} are needed")
        self._cipher = AESGCM(key)
        self._marks = hmac.digest(key, b"nearhop marks", hashlib.sha256)  # a key of its own for another purpose

    def close(self, value: bytes, place: str) -> bytes:
        """Return *value* sealed for *place*."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """Return what was sealed for *place*. Raises SealBroken."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken(f"{place} cannot be opened with this key-encryption key") from error

    def mark(self, value: bytes, place: str) -> str:
        """Return what is the same for the same *value* at *place* only, and tells nothing of it to whoever lacks the key."""
        return hmac.digest(self._marks, place.encode() + b"\0" + value, hashlib.sha256).hex()


def write_key(path: Path) -> None:
    """Write a new key-encryption key: 64 hexadecimal digits."""
    private.write(path, os.urandom(_KEY_BYTES).hex().encode() + b"\n")


def read_key(path: Path) -> Seal:
    """Read a key-encryption key. Raises InvalidInput, OSError."""
    try:
        return Seal(bytes.fromhex(path.read_text(encoding="ascii")))
    except ValueError as error:
        raise InvalidInput(
            [Violation(str(path), f"is no key-encryption key, which is {2 * _KEY_BYTES} hexadecimal digits: {error}")]
        ) from error
