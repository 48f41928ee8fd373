"""Where a sample of clients goes: shares and distances by node, and what changes when a node is drained. Fed with decisions, it makes none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from controlplane.model import FleetView
from controlplane.steering.decision import Decision


@dataclass(frozen=True, slots=True)
class NodeShare:
    """One node's part of the clients. Distances are None when no place is known."""

    node: str
    region: str
    share: float
    median_km: float | None
    p95_km: float | None


@dataclass(frozen=True, slots=True)
class Distribution:
    """Where all clients go; *nodes* are ordered by id. *unlocated* and *unanswered* are shares."""

    nodes: tuple[NodeShare, ...]
    median_km: float | None
    p95_km: float | None
    unlocated: float
    unanswered: float


@dataclass(slots=True)
class Tally:
    """Gathers decisions, one for each client of the sample."""

    regions: dict[str, str] = field(default_factory=dict)
    distances: dict[str, list[float | None]] = field(default_factory=dict)
    firsts: list[str] = field(default_factory=list)

    def add(self, decision: Decision) -> None:
        """Count *decision*'s first node."""
        if not decision.chosen:
            self.firsts.append("")
            return
        node, distance = decision.chosen[0], decision.ranked[0].distance_km
        self.regions[node.id] = node.region
        self.distances.setdefault(node.id, []).append(distance)
        self.firsts.append(node.id)

    def distribution(self) -> Distribution:
        """Return what has been gathered."""
        count = len(self.firsts) or 1
        everything = [distance for distances in self.distances.values() for distance in distances]
        return Distribution(
            nodes=tuple(
                NodeShare(node, self.regions[node], len(found) / count, _percentile(found, 50), _percentile(found, 95))
                for node, found in sorted(self.distances.items())
            ),
            median_km=_percentile(everything, 50),
            p95_km=_percentile(everything, 95),
            unlocated=sum(distance is None for distance in everything) / count,
            unanswered=self.firsts.count("") / count,
        )

    def moved(self, other: "Tally") -> float:
        """Return the share of clients that get another first node in *other*, a tally of the same clients."""
        pairs = zip(self.firsts, other.firsts, strict=True)
        return sum(here != there for here, there in pairs) / (len(self.firsts) or 1)


def drained(view: FleetView, node: str) -> FleetView:
    """Return *view* with *node* drained."""
    return replace(
        view, nodes=tuple(replace(found, draining=True) if found.id == node else found for found in view.nodes)
    )


def _percentile(distances: Sequence[float | None], percent: int) -> float | None:
    """By the nearest rank."""
    known = sorted(distance for distance in distances if distance is not None)
    return known[math.ceil(len(known) * percent / 100) - 1] if known else None
