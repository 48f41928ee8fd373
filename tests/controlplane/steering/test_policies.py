"""decide() under the functions' policies, the operator's targets and load."""

import ipaddress
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from controlplane.model import (
    FleetView,
    Ingress,
    Location,
    RoutedFunction,
    RoutedNode,
    RoutingKind,
    RoutingPolicy,
    Verdict,
)
from controlplane.steering import (
    TTL_DOUBTFUL_S,
    TTL_STEADY_S,
    ClientLocation,
    Decision,
    FleetIndex,
    Outlook,
    Target,
    decide,
    given,
)

LONDON, TOKYO, SYDNEY = Location(51.5, -0.12), Location(35.68, 139.69), Location(-33.87, 151.21)
PARIS = ClientLocation("198.51.100.7", "198.51.100.0/24", "city", Location(48.86, 2.35), "FR", "Paris")
NODES = tuple(
    RoutedNode(name, name.rpartition("-")[0], place, Ingress(80, ("192.0.2.1",)))
    for name, place in (("london-1", LONDON), ("london-2", LONDON), ("sydney-1", SYDNEY), ("tokyo-1", TOKYO))
)
UP = {node.id: Verdict.UP for node in NODES}


def index(**policy: Any) -> FleetIndex:
    function = RoutedFunction("f", (), tuple(node.id for node in NODES), RoutingPolicy(**policy))
    return FleetIndex.of(FleetView(1, "example.org", NODES, (function,)))


def ask(
    fleet: FleetIndex, client: ClientLocation = PARIS, health: Mapping[str, Verdict] = UP, count: int | None = None
) -> Decision:
    return decide("f", client, fleet, health, 0, count=count)


def chosen(decision: Decision) -> list[str]:
    return [node.id for node in decision.chosen]


def why(decision: Decision, node: str) -> str:
    return next(candidate.reason for candidate in decision.candidates if candidate.node == node)


def networks(count: int) -> list[ClientLocation]:
    first = int(ipaddress.ip_address("203.0.113.0"))
    return [replace(PARIS, network=f"{ipaddress.ip_address(first + (number << 8))}/24") for number in range(-count, 0)]


def test_the_policy_says_how_many_answers() -> None:
    assert len(ask(index(answers=3)).chosen) == 3
    assert len(ask(index(answers=3), count=2).chosen) == 2


def test_failover_takes_regions_in_order_whatever_the_distance() -> None:
    fleet = index(kind=RoutingKind.FAILOVER, regions=("tokyo", "sydney"))
    decision = ask(fleet, count=4)
    assert chosen(decision)[:2] == ["tokyo-1", "sydney-1"]
    assert decision.reason == "tokyo-1: region tokyo is number 1 of the failover order"
    assert decision.kind == "failover"
    assert why(decision, "tokyo-1") == "eligible, and preferred by the policy"
    down = ask(fleet, health=UP | {"tokyo-1": Verdict.DOWN})
    assert chosen(down) == ["sydney-1"]
    assert down.ttl_s == TTL_DOUBTFUL_S  # its clients should go home soon
    assert why(down, "london-1") == "eligible, but the policy prefers region sydney"
    last = ask(fleet, health=UP | {"tokyo-1": Verdict.DOWN, "sydney-1": Verdict.DOWN})
    assert chosen(last)[0].startswith("london")
    assert last.reason.endswith("no region of the failover order has a node left")


def test_weights_share_the_networks_out_and_keep_each_where_it_is() -> None:
    weights = {"london": 1, "tokyo": 3}
    fleet = index(kind=RoutingKind.WEIGHTED, weights=weights)
    assert "f" in fleet.crowded
    first = {client.network: ask(fleet, client) for client in networks(400)}
    shares = Counter(decision.chosen[0].region for decision in first.values())
    assert shares.keys() == {"london", "tokyo"}
    assert 240 < shares["tokyo"] < 360
    some = first["203.0.112.0/24"]
    assert some.kind == "weighted"
    assert some.reason.startswith(
        f"{some.chosen[0].id}: 203.0.112.0/24 falls to region {some.chosen[0].region} by weight ("
    )
    heavier = index(kind=RoutingKind.WEIGHTED, weights=weights | {"london": 2})
    for client in networks(400):
        if first[client.network].chosen[0].region == "london":
            assert ask(heavier, client).chosen[0].region == "london"  # more weight takes networks, it gives none back


def test_a_region_without_weight_is_the_last_resort() -> None:
    fleet = index(kind=RoutingKind.WEIGHTED, weights={"tokyo": 1})
    assert chosen(ask(fleet)) == ["tokyo-1"]
    assert chosen(ask(fleet, health=UP | {"tokyo-1": Verdict.DOWN}))[0].startswith("london")


@pytest.mark.parametrize("policy", [{"allowed_regions": ("tokyo", "sydney")}, {"denied_regions": ("london",)}])
def test_a_forbidden_region_is_never_answered_with(policy: dict[str, Any]) -> None:
    fleet = index(**policy)
    decision = ask(fleet, count=8)
    assert chosen(decision) == ["tokyo-1", "sydney-1"]
    assert why(decision, "london-1") == "forbidden: the policy does not allow region london"
    assert not decision.candidates[-1].eligible
    lost = ask(fleet, health=UP | {"tokyo-1": Verdict.DOWN, "sydney-1": Verdict.DOWN})
    assert chosen(lost) == ["tokyo-1"]  # as if up, rather than where it must not be
    assert lost.kind == "emergency"


def test_no_allowed_region_means_no_answer_and_says_so() -> None:
    decision = ask(index(allowed_regions=("virginia",)))
    assert (decision.chosen, decision.kind, decision.scope) == ((), "none", 0)
    assert decision.reason == "the policy forbids the region of every node that it is placed on"
    assert decision.ttl_s == TTL_DOUBTFUL_S


def test_one_allowed_node_is_the_same_answer_for_everybody() -> None:
    assert ask(index(allowed_regions=("tokyo",))).scope == 0


def test_the_functions_default_place_serves_clients_whose_place_is_unknown() -> None:
    nowhere = ClientLocation("192.0.2.9", "192.0.2.0/24", "none")
    decision = ask(index(default_location=Location(35, 139)), nowhere)
    assert chosen(decision) == ["tokyo-1"]
    assert decision.reason == "tokyo-1 is 98 km from the function's default place; its place is unknown"
    assert chosen(ask(index(default_location=Location(35, 139)))) != ["tokyo-1"]


def test_the_operators_region_comes_first_and_its_nodes_share_the_networks() -> None:
    in_london = [
        replace(client, source="operator", location=None, target=Target(region="london"), why="because")
        for client in networks(60)
    ]
    decisions = [ask(index(), client) for client in in_london]
    assert set(Counter(decision.chosen[0].id for decision in decisions)) == {"london-1", "london-2"}
    assert decisions[0].kind == "operator"
    assert decisions[0].reason.endswith("is 0 km from region london; because")
    assert why(decisions[0], "tokyo-1").startswith("eligible, but the operator's file prefers london-")


def test_the_operators_node_comes_first_and_the_next_nearest_to_it_follows() -> None:
    client = replace(PARIS, source="operator", location=None, target=Target(node="tokyo-1"), why="because")
    assert chosen(ask(index(), client, count=2)) == ["tokyo-1", "sydney-1"]
    assert chosen(ask(index(), client, UP | {"tokyo-1": Verdict.DOWN})) == ["sydney-1"]


def test_a_target_that_the_fleet_does_not_have_leaves_the_databases_place() -> None:
    client = replace(
        PARIS,
        source="operator",
        location=None,
        target=Target(node="x-1"),
        fallback=PARIS.location,
        why="the file says x-1",
    )
    decision = ask(index(), client)
    assert decision.chosen[0].region == "london"
    assert decision.reason.endswith("is 342 km from Paris; the file says x-1, where it has no node")


def test_the_operators_place_is_measured_from() -> None:
    client = replace(PARIS, source="operator", location=Location(35, 139), why="the file says so")
    assert ask(index(), client).reason == "tokyo-1 is 98 km from there; the file says so"


def test_a_country_says_that_it_is_no_more() -> None:
    client = replace(PARIS, source="country", city="")
    assert ask(index(), client).reason.endswith("is 342 km from FR; only its country, FR, is known")


def test_a_given_place_has_no_name() -> None:
    assert ask(index(), given(TOKYO)).reason == "tokyo-1 is 0 km from the given place"


def test_doubt_shortens_the_ttl_and_is_told() -> None:
    steady = ask(index(allowed_regions=("tokyo",)), health=Outlook(UP))
    doubtful = ask(index(allowed_regions=("tokyo",)), health=Outlook(UP, doubts={"tokyo-1": "its last probe failed"}))
    assert (steady.ttl_s, doubtful.ttl_s) == (TTL_STEADY_S, TTL_DOUBTFUL_S)
    assert doubtful.candidates[0].reason == "eligible and nearest (in doubt: its last probe failed)"


def test_health_and_load_stand_beside_each_candidate() -> None:
    outlook = Outlook(UP | {"tokyo-1": Verdict.DOWN}, reasons={"tokyo-1": "refused"}, loads={"sydney-1": 0.25})
    candidates = {candidate.node: candidate for candidate in ask(index(), health=outlook).candidates}
    assert candidates["tokyo-1"].verdict is Verdict.DOWN
    assert candidates["tokyo-1"].reason == "down: refused"
    assert (candidates["sydney-1"].load, candidates["london-1"].load) == (0.25, None)


def test_a_full_node_gives_a_growing_and_consistent_share_of_its_networks_away() -> None:
    fleet = index()
    clients = [replace(client, location=TOKYO) for client in networks(500)]
    given_away: set[str] = set()
    for share in (0.1, 0.3, 0.6):
        full = fleet.shedding({"tokyo-1": share, "sydney-1": 0.0})
        assert "f" in full.crowded
        gone = {client.network for client in clients if ask(full, client).chosen[0].id != "tokyo-1"}
        assert given_away < gone
        assert abs(len(gone) / 500 - share) < 0.08
        given_away = gone
    spilled = ask(full, next(client for client in clients if client.network in given_away))
    assert chosen(spilled) == ["sydney-1"]
    assert spilled.kind == "spill"
    assert spilled.reason.endswith("tokyo-1 would be better, but is full and gives this network away")
    assert why(spilled, "tokyo-1") == "full: it gives 60% of its networks away, this one among them"
    assert next(candidate for candidate in spilled.candidates if candidate.node == "tokyo-1").eligible


def test_a_full_node_is_better_than_none() -> None:
    full = index(allowed_regions=("tokyo",)).shedding({"tokyo-1": 1.0})
    decision = ask(full)
    assert chosen(decision) == ["tokyo-1"]
    assert decision.kind == "nearest"
    assert decision.candidates[0].reason.endswith("chosen, as those that are not full are not enough")


def test_shedding_that_ends_leaves_the_fleet_as_it_was() -> None:
    fleet = index()
    assert fleet.shedding({"tokyo-1": 0.5}).shedding({}) == fleet


regions = st.sampled_from(("london", "tokyo", "sydney", "nowhere"))
policies = st.builds(
    RoutingPolicy,
    kind=st.sampled_from(RoutingKind),
    regions=st.lists(regions, unique=True).map(tuple),
    weights=st.dictionaries(regions, st.integers(0, 1000)),
    allowed_regions=st.lists(regions, unique=True, max_size=2).map(tuple),
    denied_regions=st.lists(regions, unique=True, max_size=2).map(tuple),
    answers=st.integers(0, 10),
    default_location=st.none() | st.just(TOKYO),
)
ids = st.sampled_from([node.id for node in NODES])
clients = st.sampled_from(
    (
        PARIS,
        given(SYDNEY),
        ClientLocation("192.0.2.9", "192.0.2.0/24", "none"),
        replace(PARIS, source="operator", location=None, target=Target(region="tokyo"), why="so"),
        replace(PARIS, source="operator", location=None, target=Target(node="gone"), fallback=LONDON, why="so"),
    )
)


@hypothesis.given(
    policies,
    clients,
    st.dictionaries(ids, st.sampled_from(Verdict)),
    st.sets(ids),
    st.dictionaries(ids, st.floats(0, 1)),
)
def test_whatever_the_policy_an_allowed_node_is_answered_with_and_no_other(
    policy: RoutingPolicy,
    client: ClientLocation,
    verdicts: dict[str, Verdict],
    draining: set[str],
    shed: dict[str, float],
) -> None:
    nodes = tuple(replace(node, draining=node.id in draining) for node in NODES)
    function = RoutedFunction("f", (), tuple(node.id for node in nodes), policy)
    fleet = FleetIndex.of(FleetView(1, "example.org", nodes, (function,))).shedding(shed)
    decision = ask(fleet, client, verdicts)
    allowed = [node for node in nodes if policy.allows(node.region)]
    assert bool(decision.chosen) == bool(allowed)
    assert set(decision.chosen) <= set(allowed)
    assert len(decision.chosen) <= 8
    candidates = decision.candidates
    assert sorted(candidate.node for candidate in candidates) == sorted(node.id for node in NODES)
    assert [candidate.node for candidate in candidates if candidate.chosen] == chosen(decision)
    assert all(candidate.reason for candidate in candidates)
    assert decision.reason
    assert (decision.kind == "none") == (not allowed)
    if any(candidate.eligible for candidate in candidates):
        assert all(candidate.eligible for candidate in candidates if candidate.chosen)
    assert ask(fleet, client, verdicts) == decision
