"""Functions and their versions."""

from dataclasses import dataclass, field
from enum import StrEnum


class Dialect(StrEnum):
    """The form in which a program exports its handler."""

    WORKERS = "workers"
    DENO = "deno"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sandbox may use. 50 ms of CPU and 128 MiB are the industry's figure (Fastly Compute, Netlify Edge, Workers' bundled plan)."""

    cpu_ms: int = 50
    memory_mib: int = 128
    wall_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class Function:
    """What a user owns. *hostnames* are lower case, without the final dot; the first is <name>.<zone>."""

    name: str
    hostnames: tuple[str, ...]
    created_at: float
    request_id: str
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable, numbered bundle of a function; *digest* is the bundle's lower-case hexadecimal SHA-256."""

    function: str
    number: int
    digest: str
    size_bytes: int
    dialect: Dialect
    entrypoint: str
    author: str
    message: str
    created_at: float
    request_id: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """A stored bundle: *chunks* pieces of it are in the store. *touched_at* is when somebody last showed interest in it."""

    digest: str
    size_bytes: int
    chunks: int
    touched_at: float
