"""Nodes: what an operator says of them, what they report, and what routers see of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Location:
    """A place on the earth in WGS 84 degrees: latitude -90 … 90, longitude -180 … 180."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Ingress:
    """Where clients reach a node: addresses in their published order, one HTTP port on all of them."""

    port: int
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A machine that runs functions, as it introduced itself, and whether an operator has drained it."""

    id: str
    region: str
    site: str
    location: Location
    ingress: Ingress
    draining: bool = False


class PlacementState(StrEnum):
    """What a node says of the wanted generation of one function."""

    PENDING = "pending"
    ACTIVE = "active"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """What has gone wrong with one version on one node, by reason code since the agent started, and whether its breaker is open."""

    number: int
    failures: Mapping[str, int] = field(default_factory=dict, hash=False)
    breaker_open: bool = False


@dataclass(frozen=True, slots=True)
class PlacementStatus:
    """One function on one node: *state* speaks about *generation*, *active_version* is what serves (0: nothing).

    *overruns* are counted by reason code since the agent started; *versions* are there when it has several.
    """

    function: str
    generation: int
    state: PlacementState
    active_version: int = 0
    error: str = ""
    overruns: Mapping[str, int] = field(default_factory=dict, hash=False)
    breaker_open: bool = False
    versions: tuple[VersionStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class SandboxStatus:
    """One sandbox: memory is the resident set, *requests* the finished ones, *terminations* the function's on this node since the agent started."""

    function: str
    version: int
    state: str
    memory_bytes: int = 0
    cpu_s: float = 0.0
    requests: int = 0
    terminations: int = 0
    last_termination: str = ""


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What a node does now, in its own words. *instance* is the agent process that speaks, *session* the stream on which it was heard.

    *load_limit* is the load average for each CPU at which it is full, 0 when it states none.
    """

    node: str
    instance: str
    snapshot_revision: int
    placements: tuple[PlacementStatus, ...] = ()
    sandboxes: tuple[SandboxStatus, ...] = ()
    load_1m: float = 0.0
    cpus: int = 0
    memory_available_bytes: int = 0
    isolation: str = ""
    deno_version: str = ""
    haproxy_version: str = ""
    ingress_ready: bool = False
    reported_at: float = 0.0
    session: str = ""
    load_limit: float = 0.0

    @property
    def load(self) -> float | None:
        """The share of its capacity that is used, 1.0 is full; None when the node states no capacity."""
        return self.load_1m / self.cpus / self.load_limit if self.load_limit > 0 and self.cpus else None

    def placement(self, function: str) -> PlacementStatus | None:
        """Return the report on *function*, or None when the node does not know it."""
        return next((status for status in self.placements if status.function == function), None)


class Verdict(StrEnum):
    """A router's verdict on a node's ingress; UNKNOWN, before the first probe, is treated as up."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Witness:
    """One router's verdict on one node, since when, and why; *rtt_s* is that of the last successful probe, 0 before it."""

    router: str
    node: str
    verdict: Verdict
    reason: str
    since: float
    rtt_s: float = 0.0
