"""Functions, their versions and their secrets."""

from dataclasses import dataclass, field
from enum import StrEnum

from controlplane.model.policy import RoutingPolicy
from nearhop.spec import Dialect, Limits, Manifest, PathRoute, RateLimit


class BundleKind(StrEnum):
    """What the bytes of a bundle are."""

    MODULE = "module"
    ASSETS = "assets"


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
