"""What the control plane wants of a node, and what the node observes of itself: the two arguments of diff()."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from nearhop.spec import Dialect, Limits, Manifest, PathRoute, RateLimit


@dataclass(frozen=True, slots=True)
class Version:
    number: int
    digest: str
    size_bytes: int
    dialect: Dialect
    manifest: Manifest = field(default_factory=Manifest)
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """A version that stands beside a function's own, and the percentage of the requests that it gets, which may be 0."""

    version: Version
    percent: int


@dataclass(frozen=True, slots=True)
class Placement:
    """One function on this node. *version* is its own, None when nothing is to be served; *beside* are those that share its requests.

    *problem* says why the placement cannot be carried out at all; such a placement keeps what served before. A version beside is planned for
    in a lane of its own, as a placement without hostnames whose *side* is its number: what becomes of it touches the function's own in nothing.
    """

    function: str
    generation: int
    hostnames: tuple[str, ...]
    limits: Limits
    version: Version | None
    problem: str = ""
    routes: tuple[PathRoute, ...] = ()
    rate_limit: RateLimit = field(default_factory=RateLimit)
    cache_epoch: int = 0  # what was cached under a smaller one is forgotten
    secrets: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)  # never logged
    beside: tuple[Part, ...] = ()
    side: int = 0

    @property
    def lane(self) -> str:
        """The name under which what becomes of its version is kept."""
        return lane(self.function, self.side) if self.side else self.function

    @property
    def versions(self) -> tuple[Version, ...]:
        """Its own version and those beside it."""
        own = () if self.version is None else (self.version,)
        return (*own, *(part.version for part in self.beside))

    def sides(self) -> "tuple[Placement, ...]":
        """Return a placement for each version beside its own."""
        return tuple(
            replace(self, version=part.version, side=part.version.number, hostnames=(), routes=(), beside=())
            for part in self.beside
        )


def lane(function: str, version: int) -> str:
    """Name the lane of a version beside a function's own; no function's name holds an @."""
    return f"{function}@{version}"


def function_of(name: str) -> str:
    """Return the function that a lane belongs to."""
    return name.partition("@")[0]


@dataclass(frozen=True, slots=True)
class Snapshot:
    revision: int = 0
    zone: str = ""
    draining: bool = False
    placements: tuple[Placement, ...] = ()


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """What a sandbox runs; a sandbox never changes its spec. *env* is what its program reads: a change of a secret is another spec."""

    function: str
    version: Version
    limits: Limits
    env: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)  # holds secrets: never logged


def sandbox_spec(placement: Placement, version: Version, limits: Limits) -> SandboxSpec:
    """Return what a sandbox of *version* runs for *placement*: it gets the version's vars, and over them the secrets that it asks for."""
    wanted = version.manifest.secrets
    secrets = {name: value for name, value in placement.secrets.items() if not wanted or name in wanted}
    return SandboxSpec(placement.function, version, limits, {**version.manifest.vars, **secrets})


@dataclass(frozen=True, slots=True)
class SandboxView:
    """A sandbox as the plan sees it: it holds *slot* until it is gone."""

    slot: int
    spec: SandboxSpec
    ready: bool
    retiring: bool
    idle: bool = False  # ready, and unused for long enough to be ended
    crashed: bool = False  # it was ready, its process has ended, another one is to come
    waiting: bool = False  # no process now: it crashes again and again
    used_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Route:
    """Where requests for one hostname go; *slot* is None while the function has no ready sandbox.

    *slots* are those of several sandboxes of the version, any of which may serve. *startable* without a slot: the first request starts one.
    *shares* divide the requests among versions, a hundred in all, of which the first is as the route itself; *refusal* is the reason why none
    is served. *assets* names the set of files that answer before the program does (see routes), *static* says that there is no program.
    """

    function: str
    version: int
    slot: int | None
    wall_ms: int
    slots: tuple[int, ...] = ()
    startable: bool = False
    shares: tuple[tuple[int, "Route"], ...] = ()
    request_body_bytes: int = Limits().request_body_bytes
    concurrency: int = Limits().concurrency
    rate_limit: RateLimit = field(default_factory=RateLimit)
    cache_epoch: int = 0
    assets: str = ""
    static: bool = False
    refusal: str = ""

    @property
    def all_slots(self) -> tuple[int, ...]:
        """The slots of all its versions."""
        return (*self.slots, *(slot for _, share in self.shares[1:] for slot in share.slots))

    @property
    def can_serve(self) -> bool:
        """Whether a request that it is given meets a sandbox or files, be it after a wait."""
        return not self.refusal and (self.slot is not None or self.static or self.startable)


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
    packs: frozenset[str] = frozenset()  # of static files
    fetching: frozenset[str] = frozenset()
    fetch_failures: Mapping[str, FetchFailure] = field(default_factory=dict)
    sandboxes: tuple[SandboxView, ...] = ()
    free_slots: tuple[int, ...] = ()  # in the order in which they should be taken
    warm_slots: tuple[int, ...] = ()  # those with a process that waits for a program
    demanded: frozenset[str] = frozenset()  # lanes that requests wait for
    instances: Mapping[SandboxSpec, int] = field(
        default_factory=dict
    )  # sandboxes under load, where they are more than one
    routes: Mapping[str, Route] = field(default_factory=dict)
    hosts: Mapping[str, Collection[str]] | None = (
        None  # those of routes by function, where somebody keeps count of them
    )
    good: Mapping[str, Good] = field(default_factory=dict)  # by lane
    refusals: Mapping[str, Refusal] = field(default_factory=dict)  # by lane
    held: Mapping[SandboxSpec, float] = field(default_factory=dict)  # what failed to start, and when to try it again
    broken: frozenset[tuple[str, int]] = (
        frozenset()
    )  # functions and versions whose breaker is open: their requests are refused
    probed: frozenset[tuple[str, int]] = frozenset()  # those whose breaker lets one request at a time through
    switch_error: str = ""  # why the ingress did not take the routes over when it was last told to
