"""The decision: a client's candidates in order, and the ones to answer with.

Order of preference: nodes that are neither draining, down nor giving this client's network away, by the function's policy; then those that give it
away, being full. When none of these is left, those not draining, as if up. When all drain, as if none did: an answer that may fail beats
no answer (gdnsd and AWS Route 53 answer the same way). A region that the policy forbids is never answered with, whatever else is lost.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.model import FleetView, RoutedNode, RoutingKind, RoutingPolicy, Verdict
from controlplane.steering.decision import Decision, Order, Place, Ranked, Tier
from controlplane.steering.distance import distance_km, unit_vector
from controlplane.steering.index import FleetIndex, PlacedNode
from controlplane.steering.location import ClientLocation
from controlplane.steering.outlook import Outlook

TTL_STEADY_S = 30
TTL_DOUBTFUL_S = 5  # somebody near is down, in doubt or not yet probed: have resolvers ask again soon
COUNT_MAX = 8
_HASHES = 1 << 64


def decide(
    function: str | None,
    client: ClientLocation,
    view: FleetView | FleetIndex,
    health: Mapping[str, Verdict],
    now: float,
    *,
    count: int | None = None,
) -> Decision:
    """Choose *count* nodes (1 to 8; None: as many as the policy says) for *client*.

    *function* None makes every node a candidate; a node that *health*, an Outlook or bare verdicts, misses is UNKNOWN.
    """
    index = view if isinstance(view, FleetIndex) else FleetIndex.of(view)
    outlook = health if isinstance(health, Outlook) else Outlook(health)
    policy = index.policy(function)
    placed = index.candidates(function)
    place = _place(client, placed or (), policy)
    question = _Question(client, place, policy, index.shed, outlook, spread=function in index.crowded)
    ranked = sorted(
        (question.rank(candidate) for candidate in placed or ()), key=lambda entry: (entry.tier, entry.order)
    )
    allowed = sum(entry.tier is not Tier.FORBIDDEN for entry in ranked)
    wanted = answers_wanted(policy, count)
    ranked, chosen, emergency = _choose(ranked, allowed, wanted)
    return Decision(
        client=client,
        policy=policy,
        place=place,
        ranked=tuple(ranked),
        chosen=tuple(entry.placed.node for entry in chosen),
        ttl_s=_ttl(ranked, chosen, outlook),
        # One candidate: the answer is the same for everybody.
        scope=client.prefix_length if allowed > 1 else 0,
        decided_at=now,
        outlook=outlook,
        shed=index.shed,
        emergency=emergency,
        nothing=_nothing(placed),
    )


def answers_wanted(policy: RoutingPolicy, count: int | None = None) -> int:
    """Return how many nodes to answer with, *count* being asked for."""
    return max(1, min(policy.answers if count is None else count, COUNT_MAX))


def share_of(network: str, node: str) -> float:
    """Return where *network* stands among all in *node*'s eyes, from 0 to 1: those below its share are given away first and taken back last."""
    return _hash(f"{network} {node} shed") / _HASHES


@dataclass(frozen=True, slots=True)
class _Question:
    """Everything that a candidate is measured by. *spread*: distance alone does not order the candidates."""

    client: ClientLocation
    place: Place
    policy: RoutingPolicy
    shed: Mapping[str, float]
    outlook: Outlook
    spread: bool

    def rank(self, placed: PlacedNode) -> Ranked:
        node, here = placed.node, self.place.vector
        verdict = self.outlook.verdicts.get(node.id, Verdict.UNKNOWN)
        kilometres = None if here is None else distance_km(here, placed.vector)
        return Ranked(placed, verdict, self._tier(node, verdict), kilometres, self._order(node, kilometres))

    def _tier(self, node: RoutedNode, verdict: Verdict) -> Tier:
        if not self.policy.allows(node.region):
            return Tier.FORBIDDEN
        if node.draining:
            return Tier.DRAINING
        if verdict is Verdict.DOWN:
            return Tier.DOWN
        share = self.shed.get(node.id)
        if share is not None and share_of(self.client.network, node.id) < share:
            return Tier.SHEDDING
        return Tier.ELIGIBLE

    def _order(self, node: RoutedNode, kilometres: float | None) -> Order:
        near = node.id in self.place.preferred
        # To the metre, so that nodes of one place tie and share its clients.
        metres = 0.0 if near or kilometres is None else round(kilometres, 3)
        spread = near or kilometres is None or self.spread
        affinity = -_hash(f"{self.client.network} {node.id}") if spread else 0
        return self._rank(node), not near, metres, affinity, node.id

    def _rank(self, node: RoutedNode) -> float:
        if self.policy.kind is RoutingKind.FAILOVER:
            regions = self.policy.regions
            return regions.index(node.region) if node.region in regions else len(regions)
        if self.policy.kind is RoutingKind.WEIGHTED:
            return _weighted(self.client.network, node.region, self.policy.weights.get(node.region, 0))
        return 0


def _place(client: ClientLocation, placed: tuple[PlacedNode, ...], policy: RoutingPolicy) -> Place:
    note = client.why
    if not note and client.source == "country":
        note = f"only its country, {client.country}, is known"
    if (target := client.target) is not None:
        there = [entry for entry in placed if target.node == entry.node.id or target.region == entry.node.region]
        if there:
            return Place(there[0].vector, target.words, note, frozenset(entry.node.id for entry in there))
        note += ", where it has no node"
    if (location := client.location or client.fallback) is not None:
        return Place(unit_vector(location), _words(client), note)
    note = note or "its place is unknown"
    if policy.default_location is not None:
        return Place(unit_vector(policy.default_location), "the function's default place", note)
    # Without a place every node is as good: the hash keeps a network's choice stable and spreads the networks.
    return Place(None, client.network, note)


def _words(client: ClientLocation) -> str:
    if client.source == "given":
        return client.city or client.country or "the given place"
    if client.source == "operator" and client.location is not None:
        return "there"
    return client.city or client.country or client.network


def _weighted(network: str, region: str, weight: int) -> float:
    """Weighted rendezvous hashing (Schindelhauer and Schomaker 2005): a region's share is its weight's, and a change of weight moves no more."""
    if weight <= 0:
        return math.inf
    return -math.log((_hash(f"{network} {region} weight") + 1) / (_HASHES + 1)) / weight


def _hash(text: str) -> int:
    """Rendezvous hashing (Thaler and Ravishankar 1998): a node that leaves moves only the networks that it had."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def _choose(ranked: list[Ranked], allowed: int, wanted: int) -> tuple[list[Ranked], list[Ranked], str]:
    """Return *ranked* with those to choose from at its head, the chosen ones, and the emergency's sentence when none is eligible."""
    candidates, forbidden = ranked[:allowed], ranked[allowed:]
    eligible = [entry for entry in candidates if entry.tier <= Tier.SHEDDING]
    if eligible or not candidates:
        return ranked, eligible[:wanted], ""
    staying = [entry for entry in candidates if entry.tier is Tier.DOWN]
    if staying:
        return ranked, staying[:wanted], "every node that is not draining is down: answered as if they were up"
    up = [entry for entry in candidates if entry.verdict is not Verdict.DOWN]
    down = [entry for entry in candidates if entry.verdict is Verdict.DOWN]
    if up:
        return up + down + forbidden, up[:wanted], "every node is draining: answered as if none were"
    return ranked, down[:wanted], "every node is draining and down: answered as if none were"


def _ttl(ranked: list[Ranked], chosen: list[Ranked], outlook: Outlook) -> int:
    if not chosen or any(entry.verdict is not Verdict.UP or entry.placed.node.id in outlook.doubts for entry in chosen):
        return TTL_DOUBTFUL_S
    last = chosen[-1].order[:3]
    if any(entry.tier is Tier.DOWN and entry.order[:3] <= last for entry in ranked):
        return TTL_DOUBTFUL_S  # its clients should come home soon after it is back
    return TTL_STEADY_S


def _nothing(placed: tuple[PlacedNode, ...] | None) -> str:
    if placed is None:
        return "no function of that name"
    if not placed:
        return "no node to choose from"
    return "the policy forbids the region of every node that it is placed on"
