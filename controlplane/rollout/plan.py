"""All at once: every placed node gets the shares together; the deployment ends with the first refusal or the last acknowledgement."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from controlplane.model import Deployment, NodeProgress, Phase, PlacementState, PlacementStatus, Progress, Share

_NAMED = 5  # nodes that a reason names; the rest are counted
_ERROR_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class PlacedNode:
    """A node that the function is placed on. *snapshot_revision* is the newest snapshot it has taken over, *status* its report on the function."""

    id: str
    region: str
    connected: bool
    snapshot_revision: int = 0
    status: PlacementStatus | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The phase that a deployment should be in, why, how far each node is, and when to look again without being asked to."""

    phase: Phase
    reason: str
    nodes: tuple[NodeProgress, ...]
    look_again_at: float | None = None


def plan(
    deployment: Deployment, revision: int, nodes: Sequence[PlacedNode], now: float, *, deadline_s: float
) -> Decision:
    """Decide on a deployment that is progressing.

    *revision* is the record's in the store: what a node said before it had a snapshot of that revision is about another deployment, however its
    generation is numbered (a function that was deleted and made again counts from 1 again).
    """
    if deployment.phase is not Phase.PROGRESSING:
        return Decision(deployment.phase, deployment.reason, deployment.nodes)
    progress = tuple(_progress(node, deployment.generation, revision) for node in nodes)
    refused = [node for node in progress if node.progress is Progress.REFUSED]
    pending = [node for node in progress if node.progress is Progress.PENDING]
    active = sum(node.progress is Progress.ACTIVE for node in progress)
    deadline = deployment.created_at + deadline_s
    if refused:
        return Decision(Phase.FAILED, _refusal(refused), progress)
    if active and not pending:
        return Decision(Phase.COMPLETE, f"{_nodes(active)} {_serve(active)} {describe(deployment.shares)}", progress)
    waiting = f"waiting for {_waiting(pending)}" if pending else "no node is connected"
    if now >= deadline:
        return Decision(Phase.FAILED, f"out of time after {deadline_s:g} s: {waiting}", progress)
    served = f"{active} of {active + len(pending)} nodes serve {describe(deployment.shares)}; " if pending else ""
    return Decision(Phase.PROGRESSING, served + waiting, progress, look_again_at=deadline)


def apply(deployment: Deployment, decision: Decision, now: float) -> Deployment:
    """Return the deployment as *decision* ends it; the same one while it goes on."""
    if decision.phase is deployment.phase:
        return deployment
    return replace(deployment, phase=decision.phase, reason=decision.reason, nodes=decision.nodes, ended_at=now)


def describe(shares: Sequence[Share]) -> str:
    """Name the versions, with their shares where there are several."""
    if len(shares) == 1:
        return f"version {shares[0].version}"
    return "versions " + ", ".join(f"{share.version} ({share.percent} %)" for share in shares)


def _progress(node: PlacedNode, generation: int, revision: int) -> NodeProgress:
    status = node.status
    if not node.connected:
        return NodeProgress(node.id, node.region, Progress.UNREACHABLE)
    if status is None or status.generation != generation or node.snapshot_revision < revision:
        return NodeProgress(node.id, node.region, Progress.PENDING)
    if status.state is PlacementState.REFUSED:
        return NodeProgress(node.id, node.region, Progress.REFUSED, status.error[:_ERROR_CHARACTERS])
    if status.state is PlacementState.ACTIVE:
        return NodeProgress(node.id, node.region, Progress.ACTIVE)
    return NodeProgress(node.id, node.region, Progress.PENDING, status.error[:_ERROR_CHARACTERS])


def _refusal(refused: Sequence[NodeProgress]) -> str:
    others = f" (so did {_nodes(len(refused) - 1)} more)" if len(refused) > 1 else ""
    return f"node {refused[0].node} refused it{others}: {refused[0].error or 'it gave no reason'}"


def _waiting(pending: Sequence[NodeProgress]) -> str:
    # Who has an obstacle to tell of comes first, so that it is among those that are named.
    told = sorted(pending, key=lambda node: not node.error)[:_NAMED]
    more = len(pending) - _NAMED
    names = ", ".join(f"{node.node} ({node.error})" if node.error else node.node for node in told)
    return names + (f" and {more} more" if more > 0 else "")


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


def _serve(count: int) -> str:
    return "serves" if count == 1 else "serve"
