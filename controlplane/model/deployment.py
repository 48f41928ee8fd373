"""Deployments: which versions of a function get which share of its traffic."""

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """PROGRESSING is the only phase that can change."""

    PROGRESSING = "progressing"
    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Share:
    """One version's part of the traffic, in percent."""

    version: int
    percent: int


class Progress(StrEnum):
    """How far one node is with a deployment."""

    PENDING = "pending"
    ACTIVE = "active"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class NodeProgress:
    """One node's progress with a deployment; *error* is the node's own text when it refused."""

    node: str
    region: str
    progress: Progress
    error: str = ""


@dataclass(frozen=True, slots=True)
class EndedDeployment:
    """What is remembered of an earlier deployment."""

    generation: int
    shares: tuple[Share, ...]
    previous: tuple[Share, ...]
    phase: Phase
    reason: str
    created_at: float
    ended_at: float


@dataclass(frozen=True, slots=True)
class Deployment:
    """The newest deployment of a function.

    *shares* is what was asked for, *previous* what was in force before it (since *previous_generation*). What nodes are told to run is
    in_force(): a failed deployment gives the function back to its previous shares. *nodes* is every node's progress when it ended, *past*
    the deployments before it, newest first.
    """

    function: str
    generation: int
    shares: tuple[Share, ...]
    previous: tuple[Share, ...]
    phase: Phase
    reason: str
    created_at: float
    request_id: str
    ended_at: float | None = None
    previous_generation: int = 0
    nodes: tuple[NodeProgress, ...] = ()
    past: tuple[EndedDeployment, ...] = ()

    def in_force(self) -> tuple[Share, ...]:
        """Return the shares that nodes should serve now."""
        return self.previous if self.phase is Phase.FAILED else self.shares

    def in_force_generation(self) -> int:
        """Return the generation of the deployment whose shares are in force; 0 when none are."""
        return self.previous_generation if self.phase is Phase.FAILED else self.generation
