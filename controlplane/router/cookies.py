"""DNS cookies (RFC 7873) that every server with the same secret understands (RFC 9018). Pure: *now* is an argument, secrets are given.

A cookie is SipHash-2-4 over the client's cookie, a time and the client's address: whoever shows it has seen an answer of ours at that address.
"""

from collections.abc import Sequence
from functools import lru_cache

CLIENT_OCTETS = 8
SERVER_OCTETS = 16
SECRET_OCTETS = 16
OLD_S = 3600  # RFC 9018 section 4.3: what is older is not believed
AHEAD_S = 300  # nor what comes from so far in the future
RENEW_S = 1800  # a cookie of half that age is replaced by a fresh one
REMEMBERED = 16_384  # hashes: the same client shows the same cookie again and again

_VERSION = 1
_START = b"\x01\0\0\0"  # the version and three reserved octets
_MASK = (1 << 64) - 1
_INITIAL = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


class Cookies:
    """Makes and judges server cookies. The first of *secrets* makes new ones, all are believed: so a secret rolls without a break."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = tuple(secrets)
        self._hash = lru_cache(REMEMBERED)(siphash)

    def is_good(self, cookie: bytes, client: bytes, now: float) -> bool:
        """Tell whether *cookie*, as it came, holds a server cookie that was made for the address *client*, not long ago."""
        return self._maker(cookie, client, now) is not None

    def answer(self, cookie: bytes, client: bytes, now: float) -> bytes:
        """Return the cookie to reply with: the same while it is young and of the newest secret, else a fresh one."""
        if self._maker(cookie, client, now) == self._secrets[0] and 0 <= _age(cookie, now) < RENEW_S:
            return cookie
        start = cookie[:CLIENT_OCTETS] + _START + (int(now) & 0xFFFFFFFF).to_bytes(4)
        return start + self._hash(self._secrets[0], start + client)

    def _maker(self, cookie: bytes, client: bytes, now: float) -> bytes | None:
        """Return the secret that the server cookie in *cookie* was made with, None when it is not to be believed."""
        if len(cookie) != CLIENT_OCTETS + SERVER_OCTETS or cookie[CLIENT_OCTETS] != _VERSION:
            return None
        if not -AHEAD_S <= _age(cookie, now) <= OLD_S:
            return None
        start = cookie[: CLIENT_OCTETS + 8]
        return next((secret for secret in self._secrets if self._hash(secret, start + client) == cookie[16:]), None)


def read_secrets(text: str) -> list[bytes]:
    """Read secrets in hexadecimal, one on each line. Raises ValueError."""
    secrets = [bytes.fromhex(line) for line in text.split()]
    if not secrets or any(len(secret) != SECRET_OCTETS for secret in secrets):
        raise ValueError("must hold one secret or more, each of 32 hexadecimal digits on a line")
    return secrets


def _age(cookie: bytes, now: float) -> int:
    """Return the cookie's age by serial number arithmetic (RFC 1982)."""
    return (int(now) - int.from_bytes(cookie[12:16]) + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def siphash(key: bytes, data: bytes) -> bytes:
    """SipHash-2-4 (Aumasson and Bernstein 2012)."""
    low, high = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    state = (_INITIAL[0] ^ low, _INITIAL[1] ^ high, _INITIAL[2] ^ low, _INITIAL[3] ^ high)
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for start in range(0, len(padded), 8):
        word = int.from_bytes(padded[start : start + 8], "little")
        a, b, c, d = _rounds((*state[:3], state[3] ^ word), 2)
        state = a ^ word, b, c, d
    a, b, c, d = _rounds((state[0], state[1], state[2] ^ 0xFF, state[3]), 4)
    return (a ^ b ^ c ^ d).to_bytes(8, "little")


def _rounds(state: tuple[int, int, int, int], times: int) -> tuple[int, int, int, int]:
    a, b, c, d = state
    for _ in range(times):
        a = a + b & _MASK
        b = _rotate(b, 13) ^ a
        a = _rotate(a, 32)
        c = c + d & _MASK
        d = _rotate(d, 16) ^ c
        a = a + d & _MASK
        d = _rotate(d, 21) ^ a
        c = c + b & _MASK
        b = _rotate(b, 17) ^ c
        c = _rotate(c, 32)
    return a, b, c, d


def _rotate(word: int, bits: int) -> int:
    return (word << bits | word >> 64 - bits) & _MASK
