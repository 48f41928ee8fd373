"""Events: what happened, told to people. Never read to decide anything, but for Presence, which says what was told last."""

from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """The contract's kinds, in lower case."""

    DEPLOY_STARTED = "deploy_started"
    DEPLOY_COMPLETE = "deploy_complete"
    DEPLOY_FAILED = "deploy_failed"
    NODE_JOINED = "node_joined"
    NODE_CONNECTED = "node_connected"
    NODE_LOST = "node_lost"
    HEALTH_CHANGED = "health_changed"
    NODE_DRAINED = "node_drained"
    NODE_UNCORDONED = "node_uncordoned"
    ROLLBACK = "rollback"
    FUNCTION_DELETED = "function_deleted"
    NODE_DELETED = "node_deleted"


@dataclass(frozen=True, slots=True)
class Event:
    """One event; what it is not about stays empty. *index* tells the events of one transaction apart, in their order (0 to 127)."""

    kind: EventKind
    time: float
    message: str
    function: str = ""
    version: int = 0
    node: str = ""
    region: str = ""
    actor: str = ""
    index: int = 0


@dataclass(frozen=True, slots=True)
class Presence:
    """What the events have told of a node last: whether its agent is connected, and whether routers see its ingress down."""

    node: str
    connected: bool = True
    down: bool = False
