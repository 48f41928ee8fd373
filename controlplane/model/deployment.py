"""Deployments: which versions of a function get which share of its traffic."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Phase(StrEnum):
    """How a deployment stands. Only PROGRESSING and PAUSED can change; PAUSED and ROLLED_BACK are of gradual ones alone."""

    PROGRESSING = "progressing"
    COMPLETE = "complete"
    FAILED = "failed"
    PAUSED = "paused"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class Share:
    """One version's part of the traffic, in percent."""

    version: int
    percent: int


@dataclass(frozen=True, slots=True)
class Gradual:
    """In which steps a version gets its traffic: percentages that ascend to 100, *pause_s* after each, or with *hold* until somebody resumes.

    More than *max_failures* within one step, over all nodes, bring the deployment back.
    """

    steps: tuple[int, ...]
    pause_s: float = 0.0
    hold: bool = False
    max_failures: int = 10


@dataclass(frozen=True, slots=True)
class Rollout:
    """How far a gradual deployment of *version*, which takes traffic from *stable*, is.

    *step* is an index into the steps, -1 while the version is made ready without a share; it was begun at *step_at* and served by every connected
    node at *reached_at*. *revision* is the record's in the store when the present shares were written, 0 as long as it is the newest.
    *lifted* is the step whose pause somebody has ended, -2 where nobody has. *baseline* is how often the version had failed when the step
    began, by node.
    """

    version: int
    stable: int
    gradual: Gradual
    step: int = -1
    step_at: float = 0.0
    reached_at: float | None = None
    revision: int = 0
    lifted: int = -2
    baseline: Mapping[str, int] = field(default_factory=dict, hash=False)


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

    *shares* is what is asked for, at present where *rollout* is there, *previous* what was in force before it (since *previous_generation*).
    What nodes are told to run is in_force(): a failed deployment gives the function back to its previous shares. *nodes* is every node's
    progress when it ended, *past* the deployments before it, newest first.
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
    rollout: Rollout | None = None
    note: str = ""  # what was done otherwise than asked for

    @property
    def ended(self) -> bool:
        """Whether it never changes again."""
        return self.phase not in (Phase.PROGRESSING, Phase.PAUSED)

    @property
    def gave_back(self) -> bool:
        """Whether the function has its previous shares again."""
        return self.phase in (Phase.FAILED, Phase.ROLLED_BACK)

    @property
    def version(self) -> int:
        """The version that it is about: the one whose share grows, or else the one with the most traffic."""
        return self.rollout.version if self.rollout else max(self.shares, key=lambda share: share.percent).version

    def in_force(self) -> tuple[Share, ...]:
        """Return the shares that nodes should serve now."""
        return self.previous if self.gave_back else self.shares

    def in_force_generation(self) -> int:
        """Return the generation of the deployment whose shares are in force; 0 when none are."""
        return self.previous_generation if self.gave_back else self.generation
