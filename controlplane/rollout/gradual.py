"""Step by step: a version is made ready everywhere without a share, then its share grows, and what goes wrong with it brings it back.

A step is reached when every connected node serves it; then its pause begins. All that is remembered stands in the record, so that whoever leads
next goes on where the last one was.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from controlplane.model import Deployment, Phase, Rollout, Share, VersionStatus
from controlplane.rollout.progress import (
    Acknowledged,
    Decision,
    PlacedNode,
    acknowledged,
    nodes,
    refusal,
    serve,
    so_far,
    waiting,
)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A gradual deployment and what the nodes say of it. *since* is when its shares were written, *counts* are failures by node."""

    deployment: Deployment
    rollout: Rollout
    since: int
    found: Acknowledged
    reports: Mapping[str, VersionStatus]
    counts: Mapping[str, int]

    @property
    def failures(self) -> int:
        before = self.rollout.baseline
        return sum(_grown(before.get(node, 0), total) for node, total in self.counts.items())

    def decide(self, phase: Phase, reason: str, look_again_at: float | None = None) -> Decision:
        return Decision(phase, reason, self.found.nodes, look_again_at, failures=self.failures)


def plan(
    deployment: Deployment, revision: int, placed: Sequence[PlacedNode], now: float, *, deadline_s: float
) -> Decision:
    """Decide on a deployment that has a rollout and has not ended; else as rollout.plan()."""
    seen = _see(deployment, revision, placed)
    back = Phase.ROLLED_BACK if percent(deployment) else Phase.FAILED
    if seen.found.refused:
        return seen.decide(back, refusal(seen.found.refused))
    if fault := _fault(seen):
        return seen.decide(Phase.ROLLED_BACK, fault)
    if deployment.phase is Phase.PAUSED:
        return seen.decide(Phase.PAUSED, deployment.reason)
    if seen.found.by_all:
        return _reached(seen, now)
    deadline = _begun(seen.rollout) + deadline_s
    if now >= deadline:
        return seen.decide(back, f"out of time after {deadline_s:g} s: {waiting(seen.found.pending)}")
    return seen.decide(Phase.PROGRESSING, so_far(deployment, seen.found), deadline)


def _see(deployment: Deployment, revision: int, placed: Sequence[PlacedNode]) -> _Seen:
    rollout = _rollout(deployment)
    since = rollout.revision or revision
    reports = dict(_reports(rollout.version, deployment.generation, since, placed))
    counts = {node: total for node, version in reports.items() if (total := sum(version.failures.values()))}
    return _Seen(deployment, rollout, since, acknowledged(deployment, since, placed), reports, counts)


def _reached(seen: _Seen, now: float) -> Decision:
    rollout, active = seen.rollout, seen.found.active
    steps = rollout.gradual.steps
    if rollout.step == len(steps) - 1:
        return seen.decide(Phase.COMPLETE, f"{nodes(active)} {serve(active)} version {rollout.version}")
    if rollout.reached_at is None:
        rollout = replace(rollout, reached_at=now, revision=seen.since)
    due = due_at(rollout)
    has = f"version {rollout.version} has {percent(seen.deployment)} % of the traffic"
    if due is None:
        return replace(seen.decide(Phase.PAUSED, f"{has}; it waits to be resumed"), rollout=rollout)
    following = steps[rollout.step + 1]
    if now < due:
        reason = f"{has}; {following} % come after a pause of {rollout.gradual.pause_s:g} s"
        return replace(seen.decide(Phase.PROGRESSING, reason, due), rollout=rollout)
    shares = split(rollout.stable, rollout.version, following)
    # A first step of 0 % changes nothing for the nodes: they are sent nothing that they could acknowledge anew.
    revision = seen.since if shares == seen.deployment.shares else 0
    fresh = replace(
        rollout, step=rollout.step + 1, step_at=now, reached_at=None, revision=revision, lifted=-2, baseline=seen.counts
    )
    reason = f"version {rollout.version} gets {following} % of the traffic"
    return replace(seen.decide(Phase.PROGRESSING, reason, now), rollout=fresh, shares=shares)


def due_at(rollout: Rollout) -> float | None:
    """Return when the next step is due; None before this one is reached, and while somebody has to resume it."""
    if rollout.reached_at is None or rollout.step in (-1, rollout.lifted):
        return rollout.reached_at
    return None if rollout.gradual.hold else rollout.reached_at + rollout.gradual.pause_s


def split(stable: int, version: int, share: int) -> tuple[Share, ...]:
    """Divide the traffic; the stable version stands first, and is gone once it has none."""
    return (Share(version, 100),) if share == 100 else (Share(stable, 100 - share), Share(version, share))


def percent(deployment: Deployment) -> int:
    """Return the percentage of the traffic that the deployment's version has now."""
    return sum(share.percent for share in deployment.shares if share.version == deployment.version)


def _rollout(deployment: Deployment) -> Rollout:
    if deployment.rollout is None:
        raise ValueError(f"generation {deployment.generation} of {deployment.function!r} has no steps")
    return deployment.rollout


def _begun(rollout: Rollout) -> float:
    # A node that falls behind after the step was reached has as long as the others had, from when the next step is due.
    return max(rollout.step_at, due_at(rollout) or 0.0)


def _reports(
    version: int, generation: int, since: int, placed: Sequence[PlacedNode]
) -> Iterator[tuple[str, VersionStatus]]:
    for node in placed:
        status = node.speaks_of(generation, since)
        yield from ((node.id, item) for item in (status.versions if status else ()) if item.number == version)


def _grown(before: int, total: int) -> int:
    return total - before if total >= before else total  # the agent has started anew, and counts from nothing


def _fault(seen: _Seen) -> str:
    """Return why the version has to go, empty when it need not."""
    version, most, failures = seen.rollout.version, seen.rollout.gradual.max_failures, seen.failures
    refusing = sorted(node for node, status in seen.reports.items() if status.breaker_open)
    reasons: Counter[str] = Counter()
    for status in seen.reports.values():
        reasons.update(status.failures)
    said = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items())) or "of unknown reason"
    if refusing:
        return f"version {version} has overrun its limits three times in a minute on {refusing[0]} ({said})"
    if failures > most:
        return f"version {version} has failed {failures} times within a step ({said}); at most {most} are borne"
    return ""
