"""How far the nodes are with a deployment, what is decided on it, and how both are said."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from controlplane.model import (
    Deployment,
    NodeProgress,
    Phase,
    PlacementState,
    PlacementStatus,
    Progress,
    Rollout,
    Share,
)

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

    def speaks_of(self, generation: int, revision: int) -> PlacementStatus | None:
        """Return the status if it is about the deployment *generation* as it was written at *revision*."""
        known = self.connected and self.status is not None and self.snapshot_revision >= revision
        return self.status if known and self.status is not None and self.status.generation == generation else None


@dataclass(frozen=True, slots=True)
class Decision:
    """The phase that a deployment should be in, why, how far each node is, and when to look again without being asked to.

    *rollout* and *shares* are those that a gradual one should have; None and empty: as they are. *failures* are its version's within the step.
    """

    phase: Phase
    reason: str
    nodes: tuple[NodeProgress, ...]
    look_again_at: float | None = None
    rollout: Rollout | None = None
    shares: tuple[Share, ...] = ()
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The nodes' progress, gathered."""

    nodes: tuple[NodeProgress, ...]
    refused: tuple[NodeProgress, ...]
    pending: tuple[NodeProgress, ...]
    active: int

    @property
    def by_all(self) -> bool:
        """Whether every connected node serves what is asked for, and there is one."""
        return self.active > 0 and not self.pending and not self.refused


def acknowledged(deployment: Deployment, revision: int, placed: Iterable[PlacedNode]) -> Acknowledged:
    """Gather how far the nodes are with *deployment*, whose shares were written at *revision*."""
    progress = tuple(_progress(node, deployment.generation, revision) for node in placed)
    return Acknowledged(
        progress,
        tuple(node for node in progress if node.progress is Progress.REFUSED),
        tuple(node for node in progress if node.progress is Progress.PENDING),
        sum(node.progress is Progress.ACTIVE for node in progress),
    )


def _progress(node: PlacedNode, generation: int, revision: int) -> NodeProgress:
    if not node.connected:
        return NodeProgress(node.id, node.region, Progress.UNREACHABLE)
    status = node.speaks_of(generation, revision)
    if status is None:
        return NodeProgress(node.id, node.region, Progress.PENDING)
    if status.state is PlacementState.REFUSED:
        return NodeProgress(node.id, node.region, Progress.REFUSED, status.error[:_ERROR_CHARACTERS])
    if status.state is PlacementState.ACTIVE:
        return NodeProgress(node.id, node.region, Progress.ACTIVE)
    return NodeProgress(node.id, node.region, Progress.PENDING, status.error[:_ERROR_CHARACTERS])


def describe(shares: Sequence[Share]) -> str:
    """Name the versions, with their shares where there are several."""
    if len(shares) == 1:
        return f"version {shares[0].version}"
    return "versions " + ", ".join(f"{share.version} ({share.percent} %)" for share in shares)


def refusal(refused: Sequence[NodeProgress]) -> str:
    """Say who refused it, and in which words."""
    others = f" (so did {nodes(len(refused) - 1)} more)" if len(refused) > 1 else ""
    return f"node {refused[0].node} refused it{others}: {refused[0].error or 'it gave no reason'}"


def waiting(pending: Sequence[NodeProgress]) -> str:
    """Say who is waited for."""
    if not pending:
        return "no node is connected"
    # Who has an obstacle to tell of comes first, so that it is among those that are named.
    told = sorted(pending, key=lambda node: not node.error)[:_NAMED]
    more = len(pending) - _NAMED
    names = ", ".join(f"{node.node} ({node.error})" if node.error else node.node for node in told)
    return "waiting for " + names + (f" and {more} more" if more > 0 else "")


def so_far(deployment: Deployment, found: Acknowledged) -> str:
    """Say how many serve the shares, and who is waited for."""
    all_of_them = found.active + len(found.pending)
    served = f"{found.active} of {all_of_them} nodes serve {describe(deployment.shares)}; " if found.pending else ""
    return served + waiting(found.pending)


def nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


def serve(count: int) -> str:
    return "serves" if count == 1 else "serve"
