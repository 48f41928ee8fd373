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


@dataclass(frozen=True, slots=True)
class Deployment:
    """The newest deployment of a function.

    *shares* is what was asked for, *previous* what was in force before it. What nodes are told to run is in_force(): a failed deployment
    gives the function back to its previous shares.
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

    def in_force(self) -> tuple[Share, ...]:
        """Return the shares that nodes should serve now."""
        return self.previous if self.phase is Phase.FAILED else self.shares


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
