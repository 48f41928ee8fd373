"""A fleet view made ready for many decisions: per function its nodes, each with its unit vector. Built once for each view."""

from dataclasses import dataclass, field
from typing import Self

from controlplane.model import FleetView, RoutedNode
from controlplane.steering.distance import Vector, unit_vector


@dataclass(frozen=True, slots=True)
class PlacedNode:
    """A node and where it is on the unit sphere."""

    node: RoutedNode
    vector: Vector


@dataclass(frozen=True, slots=True)
class FleetIndex:
    """*crowded* holds the candidate sets in which two nodes share a place, so that distance alone does not order them; None is "all nodes"."""

    view: FleetView
    everywhere: tuple[PlacedNode, ...]
    by_function: dict[str, tuple[PlacedNode, ...]] = field(repr=False)
    crowded: frozenset[str | None] = frozenset()

    @classmethod
    def of(cls, view: FleetView) -> Self:
        """Index *view*. Node ids that a function names and the view does not hold are left out."""
        by_id = {node.id: PlacedNode(node, unit_vector(node.location)) for node in view.nodes}
        by_function = {
            function.name: tuple(by_id[node] for node in function.nodes if node in by_id) for function in view.functions
        }
        everywhere = tuple(by_id.values())
        sets: list[tuple[str | None, tuple[PlacedNode, ...]]] = [(None, everywhere), *by_function.items()]
        crowded = frozenset(name for name, placed in sets if _shares_a_place(placed))
        return cls(view, everywhere, by_function, crowded)

    def candidates(self, function: str | None) -> tuple[PlacedNode, ...] | None:
        """Return the nodes that *function* is placed on, all nodes for None; None when there is no such function."""
        return self.everywhere if function is None else self.by_function.get(function)


def _shares_a_place(placed: tuple[PlacedNode, ...]) -> bool:
    return len({candidate.vector for candidate in placed}) < len(placed)
