"""A decision and its reasons. What is for people only is worked out when one asks for it: most decisions go out as DNS answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, NamedTuple, assert_never

from controlplane.model import RoutedNode, RoutingKind, RoutingPolicy, Verdict
from controlplane.steering.distance import Vector
from controlplane.steering.index import PlacedNode
from controlplane.steering.location import ClientLocation
from controlplane.steering.outlook import Outlook


class Tier(IntEnum):
    """How good a candidate is before its distance counts; the first two are eligible."""

    ELIGIBLE = 0
    SHEDDING = 1  # full, and it gives this client's network away
    DOWN = 2
    DRAINING = 3
    FORBIDDEN = 4  # by the policy, whatever else is lost


# The policy's rank, whether it is not preferred by the operator's file, metres, the hash, the id: least first.
Order = tuple[float, bool, float, int, str]


class Ranked(NamedTuple):
    """A candidate in its place. One is made for each node in each decision, and a tuple is made three times as fast as a frozen dataclass."""

    placed: PlacedNode
    verdict: Verdict
    tier: Tier
    distance_km: float | None
    order: Order


@dataclass(frozen=True, slots=True)
class Place:
    """Where the client is taken to be: *vector* None is nowhere. *words* name it, *note* tells how it was found, if not by its city.

    The nodes in *preferred* come before all others.
    """

    vector: Vector | None
    words: str
    note: str = ""
    preferred: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One node in one decision. *eligible*: neither draining, down nor forbidden; only an emergency chooses one that is not.

    *load* is a share of its capacity, None when that is not known.
    """

    node: str
    region: str
    distance_km: float | None
    eligible: bool
    chosen: bool
    reason: str
    verdict: Verdict = Verdict.UNKNOWN
    load: float | None = None


# The kinds of a decision's reason, for counting.
ReasonKind = Literal["nearest", "hash", "operator", "failover", "weighted", "spill", "emergency", "none"]


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a client goes. *chosen* are the nodes to answer with, in order, empty only when there is none that may be.

    *scope* is the number of leading bits of the client's address that the decision depends on (RFC 7871 section 7.2.1). *ranked* are all candidates,
    best first, beginning with the chosen ones. *emergency* says why they were chosen though they are not eligible; *nothing* why there is none.
    """

    client: ClientLocation
    policy: RoutingPolicy
    place: Place
    ranked: tuple[Ranked, ...]
    chosen: tuple[RoutedNode, ...]
    ttl_s: int
    scope: int
    decided_at: float
    outlook: Outlook
    shed: Mapping[str, float]
    emergency: str = ""
    nothing: str = ""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every candidate with its reason, best first."""
        return tuple(
            Candidate(
                node=entry.placed.node.id,
                region=entry.placed.node.region,
                distance_km=entry.distance_km,
                eligible=entry.tier <= Tier.SHEDDING,
                chosen=number < len(self.chosen),
                reason=self._why(entry, number),
                verdict=entry.verdict,
                load=self.outlook.loads.get(entry.placed.node.id),
            )
            for number, entry in enumerate(self.ranked)
        )

    @property
    def kind(self) -> ReasonKind:
        """Why the first node was chosen, in a word."""
        if not self.chosen:
            return "none"
        if self.emergency:
            return "emergency"
        best = self.ranked[0]
        if self._passed_over(best):
            return "spill"
        return self._kind_by_policy(best)

    def _kind_by_policy(self, best: Ranked) -> ReasonKind:
        match self.policy.kind:
            case RoutingKind.FAILOVER:
                return "failover"
            case RoutingKind.WEIGHTED:
                return "weighted"
            case RoutingKind.NEAREST:
                if self.client.source == "operator":
                    return "operator"
                return "hash" if best.distance_km is None else "nearest"
            case _:
                assert_never(self.policy.kind)

    @property
    def reason(self) -> str:
        """A sentence: why the first candidate is the first."""
        if not self.chosen:
            return self.nothing
        best = self.ranked[0]
        parts = [self._main(best), self.place.note if best.distance_km is not None else "", self.emergency]
        if not self.emergency and (full := self._passed_over(best)):
            parts.append(f"{', '.join(full)} would be better, but is full and gives this network away")
        return "; ".join(part for part in parts if part)

    def _passed_over(self, best: Ranked) -> list[str]:
        return [
            entry.placed.node.id
            for entry in self.ranked
            if entry.tier is Tier.SHEDDING and best.tier is Tier.ELIGIBLE and entry.order < best.order
        ]

    def _main(self, best: Ranked) -> str:
        node = best.placed.node
        match self.policy.kind:
            case RoutingKind.FAILOVER:
                if node.region not in self.policy.regions:
                    return f"{node.id}: no region of the failover order has a node left"
                place = self.policy.regions.index(node.region) + 1
                return f"{node.id}: region {node.region} is number {place} of the failover order"
            case RoutingKind.WEIGHTED:
                weight = self.policy.weights.get(node.region, 0)
                return f"{node.id}: {self.client.network} falls to region {node.region} by weight ({weight})"
            case RoutingKind.NEAREST:
                if best.distance_km is None:
                    return f"{node.id} by hash of {self.client.network}: {self.place.note}"
                return f"{node.id} is {best.distance_km:.0f} km from {self.place.words}"
            case _:
                assert_never(self.policy.kind)

    def _why(self, entry: Ranked, number: int) -> str:
        node, chosen = entry.placed.node.id, number < len(self.chosen)
        told = f": {text}" if (text := self.outlook.reasons.get(node)) else ""
        match entry.tier:
            case Tier.FORBIDDEN:
                return f"forbidden: the policy does not allow region {entry.placed.node.region}"
            case Tier.DRAINING | Tier.DOWN if chosen:
                return self.emergency
            case Tier.DRAINING:
                return "draining"
            case Tier.DOWN:
                return f"down{told or ': probes of its ingress fail'}"
            case Tier.SHEDDING:
                share = f"full: it gives {self.shed[node]:.0%} of its networks away, this one among them"
                return f"{share}; chosen, as those that are not full are not enough" if chosen else share
            case Tier.ELIGIBLE:
                return self._why_eligible(entry, chosen) + self._doubt(entry)
            case _:
                assert_never(entry.tier)

    def _doubt(self, entry: Ranked) -> str:
        if doubt := self.outlook.doubts.get(entry.placed.node.id):
            return f" (in doubt: {doubt})"
        return " (not probed yet, counts as up)" if entry.verdict is Verdict.UNKNOWN else ""

    def _why_eligible(self, entry: Ranked, chosen: bool) -> str:
        best = self.ranked[0] if self.ranked[0].tier is Tier.ELIGIBLE else entry
        if self.policy.kind is not RoutingKind.NEAREST and entry.order[0] != best.order[0]:
            return f"eligible, but the policy prefers region {best.placed.node.region}"
        if entry.order[1] != best.order[1]:
            return f"eligible, but the operator's file prefers {best.placed.node.id}"
        if entry.distance_km is None or best.distance_km is None:
            return "eligible, by hash" if chosen else "eligible, but the hash prefers another"
        if chosen:
            return (
                "eligible and nearest"
                if self.policy.kind is RoutingKind.NEAREST
                else "eligible, and preferred by the policy"
            )
        return f"eligible, but {entry.distance_km - best.distance_km:.0f} km farther than {best.placed.node.id}"
