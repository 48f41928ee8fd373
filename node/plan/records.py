"""What the control plane wants of a node, and what the node observes of itself: the two arguments of diff()."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Dialect(StrEnum):
    """The form in which a program exports its handler."""

    WORKERS = "workers"
    DENO = "deno"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sandbox may use."""

    cpu_ms: int = 50
    memory_mib: int = 128
    wall_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class Version:
    number: int
    digest: str
    size_bytes: int
    dialect: Dialect


@dataclass(frozen=True, slots=True)
class Placement:
    """One function on this node. *version* is the one with the greatest share of the traffic, None when nothing is to be served.

    *problem* says why the placement cannot be carried out at all; such a placement keeps what served before.
    """

    function: str
    generation: int
    hostnames: tuple[str, ...]
    limits: Limits
    version: Version | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    revision: int = 0
    zone: str = ""
    draining: bool = False
    placements: tuple[Placement, ...] = ()


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """What a sandbox runs; a sandbox never changes its spec."""

    function: str
    version: Version
    limits: Limits


@dataclass(frozen=True, slots=True)
class SandboxView:
    """A sandbox as the plan sees it: it holds *slot* until it is gone."""

    slot: int
    spec: SandboxSpec
    ready: bool
    retiring: bool


@dataclass(frozen=True, slots=True)
class Route:
    """Where requests for one hostname go; *slot* is None while the function has no ready sandbox."""

    function: str
    version: int
    slot: int | None
    wall_ms: int


@dataclass(frozen=True, slots=True)
class Good:
    """The version of a function that last served here: what the node falls back to."""

    version: Version
    limits: Limits


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why *generation* of a function could not be started."""

    generation: int
    error: str


@dataclass(frozen=True, slots=True)
class FetchFailure:
    """Why a bundle is not here yet, and when to ask again."""

    error: str
    retry_at: float


@dataclass(frozen=True, slots=True)
class Observed:
    bundles: frozenset[str] = frozenset()
    fetching: frozenset[str] = frozenset()
    fetch_failures: Mapping[str, FetchFailure] = field(default_factory=dict)
    sandboxes: tuple[SandboxView, ...] = ()
    free_slots: tuple[int, ...] = ()  # in the order in which they should be taken
    routes: Mapping[str, Route] = field(default_factory=dict)
    good: Mapping[str, Good] = field(default_factory=dict)
    refusals: Mapping[str, Refusal] = field(default_factory=dict)  # by function
    held: Mapping[SandboxSpec, float] = field(default_factory=dict)  # what failed to start, and when to try it again
    switch_error: str = ""  # why the ingress did not take the routes over when it was last told to
