"""The fleet as a router needs it: an immutable value that is swapped whole."""

from dataclasses import dataclass, field

from controlplane.model.node import Ingress, Location
from controlplane.model.policy import RoutingPolicy


@dataclass(frozen=True, slots=True)
class RoutedNode:
    """A node that clients may be sent to; a draining one is never in an answer while another is left."""

    id: str
    region: str
    location: Location
    ingress: Ingress
    draining: bool = False


@dataclass(frozen=True, slots=True)
class RoutedFunction:
    """A function's hostnames, the ids of the nodes it is placed on, and how its clients are spread over them."""

    name: str
    hostnames: tuple[str, ...]
    nodes: tuple[str, ...]
    policy: RoutingPolicy = field(default_factory=RoutingPolicy)


@dataclass(frozen=True, slots=True)
class FleetView:
    """Everything that an answer depends on, but for health. *epoch* only ever grows; nodes are ordered by id, functions by name."""

    epoch: int
    zone: str
    nodes: tuple[RoutedNode, ...] = ()
    functions: tuple[RoutedFunction, ...] = ()
