"""The decision: a client's candidates in order, the ones to answer with, and the reason of each.

Order of preference: nodes that are neither draining nor down, by distance. When none is left, those not draining, as if up. When all drain,
as if none did: an answer that may fail beats no answer (gdnsd and AWS Route 53 answer the same way).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from controlplane.model import FleetView, RoutedNode, Verdict
from controlplane.steering.distance import distance_km, unit_vector
from controlplane.steering.index import FleetIndex, PlacedNode
from controlplane.steering.location import ClientLocation

TTL_STEADY_S = 30
TTL_DOUBTFUL_S = 5  # somebody near is down or not yet probed: have resolvers ask again soon
COUNT_MAX = 8


class _Tier(IntEnum):
    ELIGIBLE = 0
    DOWN = 1
    DRAINING = 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """One node in one decision. *eligible*: neither draining nor down; only an emergency chooses one that is not."""

    node: str
    region: str
    distance_km: float | None
    eligible: bool
    chosen: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a client goes. *candidates* are best first; *chosen* are the ones to answer with, in order, empty only when none is placed.

    *scope* is the number of leading bits of the client's address that the decision depends on (RFC 7871 section 7.2.1).
    """

    candidates: tuple[Candidate, ...]
    chosen: tuple[RoutedNode, ...]
    ttl_s: int
    scope: int
    reason: str
    decided_at: float


@dataclass(frozen=True, slots=True)
class _Ranked:
    placed: PlacedNode
    verdict: Verdict
    tier: _Tier
    distance_km: float | None


def decide(
    function: str | None,
    client: ClientLocation,
    view: FleetView | FleetIndex,
    health: Mapping[str, Verdict],
    now: float,
    *,
    count: int = 1,
) -> Decision:
    """Choose *count* nodes (1 to 8) for *client*. *function* None makes every node a candidate; a node that *health* misses is UNKNOWN."""
    index = view if isinstance(view, FleetIndex) else FleetIndex.of(view)
    placed = index.candidates(function)
    if not placed:
        what = "no function of that name" if placed is None else "no node to choose from"
        return Decision((), (), TTL_DOUBTFUL_S, 0, what, now)
    ranked = _rank(placed, client, health, spread=client.location is None or function in index.crowded)
    pool, rest, emergency = _pool(ranked)
    chosen = pool[: max(1, min(count, COUNT_MAX))]
    return Decision(
        candidates=(
            *(_explain(entry, True, chosen[0], emergency) for entry in chosen),
            *(_explain(entry, False, chosen[0], emergency) for entry in pool[len(chosen) :] + rest),
        ),
        chosen=tuple(entry.placed.node for entry in chosen),
        ttl_s=_ttl(ranked, chosen),
        # One candidate: the answer is the same for everybody.
        scope=client.prefix_length if len(placed) > 1 else 0,
        reason=_reason(chosen[0], client, emergency),
        decided_at=now,
    )


def _rank(
    placed: tuple[PlacedNode, ...], client: ClientLocation, health: Mapping[str, Verdict], *, spread: bool
) -> list[_Ranked]:
    here = unit_vector(client.location) if client.location else None
    ranked = []
    for candidate in placed:
        verdict = health.get(candidate.node.id, Verdict.UNKNOWN)
        kilometres = None if here is None else distance_km(here, candidate.vector)
        ranked.append(_Ranked(candidate, verdict, _tier(candidate.node, verdict), kilometres))

    def preference(entry: _Ranked) -> tuple[_Tier, float, int, str]:
        # To the metre, so that nodes of one place tie and share its clients.
        metres = 0.0 if entry.distance_km is None else round(entry.distance_km, 3)
        node = entry.placed.node.id
        return entry.tier, metres, -_affinity(client.network, node) if spread else 0, node

    return sorted(ranked, key=preference)


def _tier(node: RoutedNode, verdict: Verdict) -> _Tier:
    if node.draining:
        return _Tier.DRAINING
    return _Tier.DOWN if verdict is Verdict.DOWN else _Tier.ELIGIBLE


def _affinity(network: str, node: str) -> int:
    """Rendezvous hashing (Thaler and Ravishankar 1998): a node that leaves moves only the networks that it had."""
    return int.from_bytes(hashlib.blake2b(f"{network} {node}".encode(), digest_size=8).digest())


def _pool(ranked: list[_Ranked]) -> tuple[list[_Ranked], list[_Ranked], str]:
    """Split *ranked* into those to choose from and the rest, both best first, with the emergency's sentence when none is eligible."""
    eligible = [entry for entry in ranked if entry.tier is _Tier.ELIGIBLE]
    if eligible:
        return eligible, ranked[len(eligible) :], ""
    staying = [entry for entry in ranked if entry.tier is _Tier.DOWN]
    if staying:
        return staying, ranked[len(staying) :], "every node that is not draining is down: answered as if they were up"
    up = [entry for entry in ranked if entry.verdict is not Verdict.DOWN]
    if up:
        down = [entry for entry in ranked if entry.verdict is Verdict.DOWN]
        return up, down, "every node is draining: answered as if none were"
    return ranked, [], "every node is draining and down: answered as if none were"


def _ttl(ranked: list[_Ranked], chosen: list[_Ranked]) -> int:
    if any(entry.verdict is not Verdict.UP for entry in chosen):
        return TTL_DOUBTFUL_S
    farthest = chosen[-1].distance_km
    for entry in ranked:
        missed = farthest is None or entry.distance_km is None or entry.distance_km <= farthest
        if entry.tier is _Tier.DOWN and missed:
            return TTL_DOUBTFUL_S  # its clients should come home soon after it is back
    return TTL_STEADY_S


def _explain(entry: _Ranked, chosen: bool, best: _Ranked, emergency: str) -> Candidate:
    node = entry.placed.node
    return Candidate(
        node=node.id,
        region=node.region,
        distance_km=entry.distance_km,
        eligible=entry.tier is _Tier.ELIGIBLE,
        chosen=chosen,
        reason=_candidate_reason(entry, chosen, best, emergency),
    )


def _candidate_reason(entry: _Ranked, chosen: bool, best: _Ranked, emergency: str) -> str:
    unprobed = " (not probed yet, counts as up)" if entry.verdict is Verdict.UNKNOWN else ""
    if chosen:
        return (emergency or ("eligible, by hash" if entry.distance_km is None else "eligible and nearest")) + unprobed
    if entry.tier is _Tier.DRAINING:
        return "draining"
    if entry.tier is _Tier.DOWN:
        return "down: probes of its ingress fail"
    if entry.distance_km is None or best.distance_km is None:
        return "eligible, but the hash prefers another" + unprobed
    return f"eligible, but {entry.distance_km - best.distance_km:.0f} km farther than {best.placed.node.id}" + unprobed


def _reason(best: _Ranked, client: ClientLocation, emergency: str) -> str:
    node = best.placed.node.id
    if best.distance_km is not None:
        place = client.city or client.country or ("the given place" if client.source == "given" else client.network)
        sentence = f"{node} is {best.distance_km:.0f} km from {place}"
    else:
        known = (
            f"only its country, {client.country}, is known" if client.source == "country" else "its place is unknown"
        )
        # Without a place every node is as good: the hash keeps a network's choice stable and spreads the networks.
        sentence = f"{node} by hash of {client.network}: {known}"
    return f"{sentence}; {emergency}" if emergency else sentence
