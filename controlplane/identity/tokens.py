"""The two kinds of token as text: their making, their reading, and what of them is kept.

    API token    nhp_<id>_<secret>                  for a person or a program
    join token   nhj_<id>_<secret>_<sha256 of the authority's certificate>

Kept is the SHA-256 of the secret. A slow, salted hash guards secrets that can be guessed; 256 random bits cannot, and a fast hash keeps every
call cheap.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

_SECRET_BYTES = 32
_API = re.compile(r"nhp_([0-9a-f]{16})_([0-9a-f]{64})")
_JOIN = re.compile(r"nhj_([0-9a-f]{16})_([0-9a-f]{64})_([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, repr=False)
class Presented:
    """A token that was shown. Its secret never stands in its representation."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"Presented({self.id})"


def new_secret() -> str:
    """Return 256 random bits in hexadecimal."""
    return secrets.token_hex(_SECRET_BYTES)


def id_for(request_id: str) -> str:
    """Return the token's id that *request_id* stands for, so that a repeated call meets the token it has made."""
    return hashlib.sha256(b"nearhop token\0" + request_id.encode()).hexdigest()[:16]


def digest(secret: str) -> str:
    """Return what is kept of *secret*."""
    return hashlib.sha256(secret.encode()).hexdigest()


def matches(presented: Presented, kept: str) -> bool:
    """Tell in constant time whether *presented* holds the secret of which *kept* is the digest."""
    return hmac.compare_digest(digest(presented.secret), kept)


def api_token(token_id: str, secret: str) -> str:
    """Spell an API token."""
    return f"nhp_{token_id}_{secret}"


def join_token(token_id: str, secret: str, authority_sha256: str) -> str:
    """Spell a join token."""
    return f"nhj_{token_id}_{secret}_{authority_sha256}"


def parse_api(text: str) -> Presented | None:
    """Read an API token; None when *text* is none."""
    found = _API.fullmatch(text)
    return Presented(found[1], found[2]) if found else None


def parse_join(text: str) -> Presented | None:
    """Read a join token; None when *text* is none."""
    found = _JOIN.fullmatch(text)
    return Presented(found[1], found[2]) if found else None
