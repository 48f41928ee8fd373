"""How far the node is with each placement, as its report tells the control plane."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from node.plan.diff import Index, index, is_proven, routes_some, target
from node.plan.needs import claims, is_static, is_whole, needs
from node.plan.records import Observed, Placement, Route, SandboxSpec, SandboxView, Snapshot


class Progress(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    REFUSED = "refused"


_WORST_FIRST = (Progress.REFUSED, Progress.PENDING, Progress.ACTIVE)


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """What has gone wrong with one version, by reason code since the agent started, and whether its breaker keeps requests away."""

    number: int
    failures: Mapping[str, int] = field(default_factory=dict, hash=False)
    breaker_open: bool = False


@dataclass(frozen=True, slots=True)
class PlacementStatus:
    function: str
    generation: int
    progress: Progress
    active_version: int
    error: str = ""
    overruns: Mapping[str, int] = field(default_factory=dict, hash=False)  # by reason code, since the agent started
    breaker_open: bool = False
    versions: tuple[VersionStatus, ...] = ()  # of a function that has several


def statuses(snapshot: Snapshot, observed: Observed) -> tuple[PlacementStatus, ...]:
    """Return one status for each placement, in the snapshot's order."""
    placed = index(snapshot)
    found = statuses_some(placed, observed, placed.placements.keys(), 0.0)
    return tuple(found[name] for name in placed.placements)


def statuses_some(placed: Index, observed: Observed, only: Collection[str], now: float) -> dict[str, PlacementStatus]:
    """Return the statuses of the placed functions in *only*; like diff_some(), for no more than the cost of those."""
    planned = routes_some(placed, observed, only, now)
    sandboxes: dict[str, list[SandboxView]] = defaultdict(list)
    for sandbox in observed.sandboxes:
        sandboxes[placed.lane_of(sandbox.spec)].append(sandbox)
    return {
        name: _status(placed.placements[name], planned, sandboxes, observed)
        for name in only
        if name in placed.placements
    }


def _status(
    placement: Placement, planned: Mapping[str, Route], sandboxes: Mapping[str, list[SandboxView]], observed: Observed
) -> PlacementStatus:
    active = _active_version(placement, observed)
    lanes = [placement, *placement.sides()]
    found = [_progress(lane, planned, sandboxes.get(lane.lane, []), observed) for lane in lanes]
    progress, error = min(
        found, key=lambda item: _WORST_FIRST.index(item[0])
    )  # a function is as far as the last of its versions
    return PlacementStatus(placement.function, placement.generation, progress, active, error)


def _active_version(placement: Placement, observed: Observed) -> int:
    # A version that sleeps is active: its first request starts it.
    for host in claims(placement):
        route = observed.routes.get(host)
        if route is None or route.function != placement.function:
            continue
        if route.slot is not None or route.static or (route.startable and placement.function in observed.good):
            return route.version
    return 0


def _progress(
    placement: Placement, planned: Mapping[str, Route], sandboxes: list[SandboxView], observed: Observed
) -> tuple[Progress, str]:
    if placement.problem:
        return Progress.REFUSED, placement.problem
    refusal = observed.refusals.get(placement.lane)
    if refusal is not None and refusal.generation == placement.generation:
        return Progress.REFUSED, refusal.error
    aim = target(placement, observed)
    if aim is None or _serves(aim, placement, planned, sandboxes, observed):
        return Progress.ACTIVE, ""  # with no aim, nothing is asked for, and that is what is served
    return Progress.PENDING, _obstacle(aim, sandboxes, observed)


def _serves(
    aim: SandboxSpec,
    placement: Placement,
    planned: Mapping[str, Route],
    sandboxes: list[SandboxView],
    observed: Observed,
) -> bool:
    # A hostname that two functions claim may be the other one's.
    if any(observed.routes.get(host) != planned.get(host, observed.routes.get(host)) for host in claims(placement)):
        return False
    if is_static(aim.version):
        return is_whole(aim.version, observed)
    own = [s for s in sandboxes if s.spec == aim and not s.retiring]
    proven = is_proven(aim, observed.good.get(placement.lane))
    return any(s.ready for s in own) or (proven and not any(s.crashed for s in own))


def _obstacle(aim: SandboxSpec, sandboxes: list[SandboxView], observed: Observed) -> str:
    for need in needs(aim.version):
        if (failure := observed.fetch_failures.get(need.digest)) is not None:
            return failure.error
    if any(s.spec == aim and s.ready for s in sandboxes) or is_static(aim.version):
        return observed.switch_error
    runs = any(s.spec == aim and not s.retiring for s in sandboxes)
    full = not (observed.free_slots or observed.warm_slots)
    if not runs and is_whole(aim.version, observed) and full:
        return "no slot is free: the node runs as many sandboxes as it may"
    return ""
