"""A fleet view made ready for many decisions: per function its nodes, each with its unit vector, and its policy. Built once for each view."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from controlplane.model import FleetView, RoutedNode, RoutingKind, RoutingPolicy
from controlplane.steering.distance import Vector, unit_vector

ANY_NODE = RoutingPolicy()  # of a decision without a function


@dataclass(frozen=True, slots=True)
class PlacedNode:
    """A node and where it is on the unit sphere."""

    node: RoutedNode
    vector: Vector


@dataclass(frozen=True, slots=True)
class FleetIndex:
    """*crowded* holds the functions (None is "any node") whose answer depends on the client's network and not on its place alone: two of the nodes
    share a place, regions are chosen by weight, or a node sheds. *shed* is each overloaded node's share of prefixes that it gives away, over 0.
    """

    view: FleetView
    everywhere: tuple[PlacedNode, ...]
    by_function: dict[str, tuple[PlacedNode, ...]] = field(repr=False)
    crowded: frozenset[str | None] = frozenset()
    policies: Mapping[str, RoutingPolicy] = field(default_factory=dict, repr=False)
    shed: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, view: FleetView) -> "FleetIndex":
        """Index *view*. Node ids that a function names and the view does not hold are left out."""
        by_id = {node.id: PlacedNode(node, unit_vector(node.location)) for node in view.nodes}
        by_function = {
            function.name: tuple(by_id[node] for node in function.nodes if node in by_id) for function in view.functions
        }
        policies = {function.name: function.policy for function in view.functions if function.policy != ANY_NODE}
        return _with_crowded(cls(view, tuple(by_id.values()), by_function, frozenset(), policies))

    def shedding(self, shed: Mapping[str, float]) -> "FleetIndex":
        """Return the same fleet in which the nodes of *shed* give these shares of their prefixes away."""
        return _with_crowded(replace(self, shed={node: share for node, share in shed.items() if share > 0}))

    def candidates(self, function: str | None) -> tuple[PlacedNode, ...] | None:
        """Return the nodes that *function* is placed on, all nodes for None; None when there is no such function."""
        return self.everywhere if function is None else self.by_function.get(function)

    def policy(self, function: str | None) -> RoutingPolicy:
        """Return how *function*'s clients are spread."""
        return ANY_NODE if function is None else self.policies.get(function, ANY_NODE)


def _with_crowded(index: FleetIndex) -> FleetIndex:
    sets: list[tuple[str | None, tuple[PlacedNode, ...]]] = [(None, index.everywhere), *index.by_function.items()]
    return replace(index, crowded=frozenset(name for name, placed in sets if _needs_network(index, name, placed)))


def _needs_network(index: FleetIndex, function: str | None, placed: tuple[PlacedNode, ...]) -> bool:
    if index.policy(function).kind is RoutingKind.WEIGHTED:
        return True
    if index.shed and any(candidate.node.id in index.shed for candidate in placed):
        return True
    return len({candidate.vector for candidate in placed}) < len(placed)
