"""Functions, their versions and their secrets."""

from dataclasses import dataclass, field
from enum import StrEnum

from controlplane.model.manifest import Manifest
from controlplane.model.policy import PathRoute, RateLimit, RoutingPolicy


class Dialect(StrEnum):
    """The form in which a program exports its handler."""

    WORKERS = "workers"
    DENO = "deno"
    VERCEL = "vercel"
    STATIC = "static"  # no program: the version's assets alone


class BundleKind(StrEnum):
    """What the bytes of a bundle are."""

    MODULE = "module"
    ASSETS = "assets"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a function may use. 50 ms of CPU and 128 MiB are the industry's figure (Fastly Compute, Netlify Edge, Workers' bundled plan)."""

    cpu_ms: int = 50
    memory_mib: int = 128
    wall_ms: int = 30_000
    subrequests: int = 50
    request_body_bytes: int = 10 << 20
    concurrency: int = 500
    instances: int = 4


@dataclass(frozen=True, slots=True)
class Function:
    """What a user owns. *hostnames* are lower case, without the final dot; the first is <name>.<zone>. *cache_epoch* grows with every purge."""

    name: str
    hostnames: tuple[str, ...]
    created_at: float
    request_id: str
    limits: Limits = field(default_factory=Limits)
    routes: tuple[PathRoute, ...] = ()
    rate_limit: RateLimit = field(default_factory=RateLimit)
    routing: RoutingPolicy = field(default_factory=RoutingPolicy)
    cache_epoch: int = 0


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
    manifest: Manifest = field(default_factory=Manifest)


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of a function; *sealed* is its value, in base64, under a key that the store does not hold."""

    function: str
    name: str
    sealed: str
    updated_at: float


@dataclass(frozen=True, slots=True)
class Bundle:
    """A stored bundle: *chunks* pieces of it are in the store. *touched_at* is when somebody last showed interest in it."""

    digest: str
    size_bytes: int
    chunks: int
    touched_at: float
    kind: BundleKind = BundleKind.MODULE
