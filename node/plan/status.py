"""How far the node is with each placement, as its report tells the control plane."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from node.plan.diff import routes, target
from node.plan.records import Observed, Placement, Route, SandboxSpec, Snapshot


class Progress(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class PlacementStatus:
    function: str
    generation: int
    progress: Progress
    active_version: int
    error: str = ""
    overruns: Mapping[str, int] = field(default_factory=dict, hash=False)  # by reason code, since the agent started
    breaker_open: bool = False


def statuses(snapshot: Snapshot, observed: Observed) -> tuple[PlacementStatus, ...]:
    """Return one status for each placement, in the snapshot's order."""
    planned = routes(snapshot, observed)
    return tuple(_status(placement, planned, observed) for placement in snapshot.placements)


def _status(placement: Placement, planned: Mapping[str, Route], observed: Observed) -> PlacementStatus:
    active = _active_version(placement, observed)
    progress, error = _progress(placement, planned, observed)
    return PlacementStatus(placement.function, placement.generation, progress, active, error)


def _active_version(placement: Placement, observed: Observed) -> int:
    served = [r.version for r in observed.routes.values() if r.function == placement.function and r.slot is not None]
    return served[0] if served else 0


def _progress(placement: Placement, planned: Mapping[str, Route], observed: Observed) -> tuple[Progress, str]:
    if placement.problem:
        return Progress.REFUSED, placement.problem
    refusal = observed.refusals.get(placement.function)
    if refusal is not None and refusal.generation == placement.generation:
        return Progress.REFUSED, refusal.error
    aim = target(placement, observed)
    if aim is None or _serves(aim, placement, planned, observed):
        return Progress.ACTIVE, ""  # with no aim, nothing is asked for, and that is what is served
    return Progress.PENDING, _obstacle(aim, observed)


def _serves(aim: SandboxSpec, placement: Placement, planned: Mapping[str, Route], observed: Observed) -> bool:
    switched = all(observed.routes.get(host) == planned[host] for host in placement.hostnames)
    return switched and any(s.ready and s.spec == aim for s in observed.sandboxes)


def _obstacle(aim: SandboxSpec, observed: Observed) -> str:
    if (failure := observed.fetch_failures.get(aim.version.digest)) is not None:
        return failure.error
    if any(s.spec == aim and s.ready for s in observed.sandboxes):
        return observed.switch_error
    runs = any(s.spec == aim and not s.retiring for s in observed.sandboxes)
    if not runs and aim.version.digest in observed.bundles and not observed.free_slots:
        return "no slot is free: the node runs as many sandboxes as it may"
    return ""
