"""What the store keeps of identities and tokens, and where.

    /nearhop/access/authority        Authority: the certificate, and the key sealed
    /nearhop/access/parts/<name>     Part: one for each name that has ever joined
    /nearhop/access/tokens/<id>      ApiToken
    /nearhop/access/joins/<id>       JoinToken, bound to a lease that outlives it by a day so that its end can be explained

A name's parts are joined by "." (no label holds one). access/ sorts before bundles/, outside of what the fleet's cache watches.
Times are seconds since 1970.
"""

import json
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from controlplane.identity.principal import ApiRole
from controlplane.store.errors import CodecError
from nearhop.spiffe import Part

ROOT = "/nearhop/access/"
AUTHORITY = f"{ROOT}authority"
PARTS = f"{ROOT}parts/"
TOKENS = f"{ROOT}tokens/"
JOINS = f"{ROOT}joins/"


@dataclass(frozen=True, slots=True)
class AuthorityRecord:
    """The authority; *sealed_key* in hexadecimal."""

    trust_domain: str
    certificate: str
    sealed_key: str


@dataclass(frozen=True, slots=True)
class PartRecord:
    """A name's present state. Certificates of an epoch before *epoch* are worthless; *not_after* is the newest one's end."""

    part: Part
    epoch: int
    joined_at: float
    not_after: float
    revoked: bool = False
    revoked_at: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ApiTokenRecord:
    """An API token, without its secret."""

    id: str
    name: str
    role: ApiRole
    functions: tuple[str, ...]
    digest: str
    created_at: float
    expires_at: float | None = None
    last_used_at: float | None = None


@dataclass(frozen=True, slots=True)
class JoinTokenRecord:
    """A join token, without its secret. Once used it tells the key that it was used for, and the epoch that it began."""

    id: str
    digest: str
    part: Part
    replace: bool
    expires_at: float
    lease: int
    used_at: float | None = None
    used_key: str = ""
    used_epoch: int = 0


Record = AuthorityRecord | PartRecord | ApiTokenRecord | JoinTokenRecord
R = TypeVar("R", AuthorityRecord, PartRecord, ApiTokenRecord, JoinTokenRecord)

_SCHEMAS: dict[type[Any], str] = {
    AuthorityRecord: "authority/1",
    PartRecord: "part/1",
    ApiTokenRecord: "api-token/1",
    JoinTokenRecord: "join-token/1",
}
_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {kind: TypeAdapter(kind) for kind in _SCHEMAS}


def part_key(part: Part) -> str:
    """Return where *part*'s record is."""
    return PARTS + part.path.replace("/", ".")


def token_key(token_id: str) -> str:
    """Return where an API token's record is."""
    return TOKENS + token_id


def join_key(token_id: str) -> str:
    """Return where a join token's record is."""
    return JOINS + token_id


def encode(record: Record) -> bytes:
    """Return the bytes that the store keeps for *record*."""
    kind: type[Any] = type(record)
    return json.dumps({"schema": _SCHEMAS[kind], "record": _ADAPTERS[kind].dump_python(record, mode="json")}).encode()


def decode(kind: type[R], value: bytes) -> R:
    """Return the *kind* in *value*. Raises CodecError."""
    try:
        envelope = json.loads(value)
        if envelope["schema"] != _SCHEMAS[kind]:
            raise CodecError(f"has the schema {envelope['schema']!r} where {_SCHEMAS[kind]!r} is expected")
        record: R = _ADAPTERS[kind].validate_python(envelope["record"])
    except (ValueError, TypeError, KeyError, RecursionError, ValidationError) as error:
        raise CodecError(f"not a {_SCHEMAS[kind]}: {error}") from error
    return record
