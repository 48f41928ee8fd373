"""When a deployment has ended: every placed node gets the same shares together, and the first refusal or the last acknowledgement decides."""

from collections.abc import Sequence
from dataclasses import replace

from controlplane.model import Deployment, Phase
from controlplane.rollout import gradual
from controlplane.rollout.progress import (
    Acknowledged,
    Decision,
    PlacedNode,
    acknowledged,
    describe,
    nodes,
    refusal,
    serve,
    so_far,
    waiting,
)


def plan(
    deployment: Deployment, revision: int, placed: Sequence[PlacedNode], now: float, *, deadline_s: float
) -> Decision:
    """Decide on a deployment that has not ended.

    *revision* is the record's in the store: what a node said before it had a snapshot of that revision is about another deployment, however its
    generation is numbered (a function that was deleted and made again counts from 1 again).
    """
    if deployment.ended:
        return Decision(deployment.phase, deployment.reason, deployment.nodes)
    if deployment.rollout is not None:
        return gradual.plan(deployment, revision, placed, now, deadline_s=deadline_s)
    return _all_at_once(deployment, acknowledged(deployment, revision, placed), now, deadline_s)


def _all_at_once(deployment: Deployment, found: Acknowledged, now: float, deadline_s: float) -> Decision:
    if found.refused:
        return Decision(Phase.FAILED, refusal(found.refused), found.nodes)
    if found.by_all:
        reason = f"{nodes(found.active)} {serve(found.active)} {describe(deployment.shares)}"
        return Decision(Phase.COMPLETE, reason, found.nodes)
    deadline = deployment.created_at + deadline_s
    if now >= deadline:
        return Decision(Phase.FAILED, f"out of time after {deadline_s:g} s: {waiting(found.pending)}", found.nodes)
    return Decision(Phase.PROGRESSING, so_far(deployment, found), found.nodes, look_again_at=deadline)


def apply(deployment: Deployment, decision: Decision, now: float) -> Deployment:
    """Return the deployment as *decision* wants it; the same one when nothing is to be written."""
    fresh = deployment
    if decision.rollout is not None and decision.rollout != deployment.rollout:
        fresh = replace(fresh, rollout=decision.rollout, shares=decision.shares or fresh.shares)
    if decision.phase is not deployment.phase:
        fresh = replace(fresh, phase=decision.phase, reason=decision.reason)
        if fresh.ended:
            fresh = replace(fresh, nodes=decision.nodes, ended_at=now)
    return fresh
