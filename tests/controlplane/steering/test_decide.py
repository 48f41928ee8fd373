from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.model import FleetView, Ingress, Location, RoutedFunction, RoutedNode, Verdict
from controlplane.steering import (
    TTL_DOUBTFUL_S,
    TTL_STEADY_S,
    ClientLocation,
    Decision,
    FleetIndex,
    decide,
    distance_km,
    unit_vector,
)
from controlplane.steering import given as given_place

PLACES = {
    "london-1": Location(51.5, -0.12),
    "saopaulo-1": Location(-23.55, -46.63),
    "sydney-1": Location(-33.87, 151.21),
    "tokyo-1": Location(35.68, 139.69),
    "virginia-1": Location(38.95, -77.45),
}


def node(name: str, location: Location, *, draining: bool = False) -> RoutedNode:
    return RoutedNode(name, name.rpartition("-")[0], location, Ingress(80, ("192.0.2.1",)), draining)


NODES = tuple(node(name, place) for name, place in PLACES.items())
UP = dict.fromkeys(PLACES, Verdict.UP)
PARIS = ClientLocation("198.51.100.7", "198.51.100.0/24", "city", Location(48.86, 2.35), "FR", "Paris")
OSAKA = ClientLocation("203.0.113.7", "203.0.113.0/25", "city", Location(34.69, 135.5), "JP", "Osaka")
NOWHERE = ClientLocation("192.0.2.9", "192.0.2.0/24", "none")


def view(*nodes: RoutedNode, functions: tuple[RoutedFunction, ...] = ()) -> FleetView:
    return FleetView(1, "example.org", nodes or NODES, functions)


def drained(*names: str) -> FleetView:
    return view(*(replace(node, draining=node.id in names) for node in NODES))


def chosen(decision: Decision) -> list[str]:
    return [node.id for node in decision.chosen]


def order(decision: Decision) -> list[str]:
    return [candidate.node for candidate in decision.candidates]


def test_the_nearest_healthy_node_is_chosen_and_every_other_is_explained() -> None:
    decision = decide(None, PARIS, view(), UP, 12.5)
    assert chosen(decision) == ["london-1"]
    assert order(decision) == ["london-1", "virginia-1", "saopaulo-1", "tokyo-1", "sydney-1"]
    assert decision.candidates[0].reason == "eligible and nearest"
    assert decision.candidates[1].reason == "eligible, but 5847 km farther than london-1"
    assert decision.reason == "london-1 is 342 km from Paris"
    assert (decision.ttl_s, decision.scope, decision.decided_at) == (TTL_STEADY_S, 24, 12.5)


def test_only_the_functions_nodes_are_candidates() -> None:
    fleet = view(functions=(RoutedFunction("f", (), ("sydney-1", "tokyo-1")),))
    assert order(decide("f", PARIS, fleet, UP, 0)) == ["tokyo-1", "sydney-1"]


def test_a_function_that_is_placed_nowhere_or_unknown_has_no_answer_and_says_why() -> None:
    fleet = view(functions=(RoutedFunction("f", (), ()),))
    assert decide("f", PARIS, fleet, UP, 0).reason == "no node to choose from"
    unknown = decide("g", PARIS, fleet, UP, 0)
    assert (unknown.reason, unknown.chosen, unknown.scope) == ("no function of that name", (), 0)


def test_a_down_node_is_passed_over_with_a_short_ttl() -> None:
    decision = decide(None, PARIS, view(), UP | {"london-1": Verdict.DOWN}, 0)
    assert chosen(decision) == ["virginia-1"]
    assert order(decision)[-1] == "london-1"
    assert decision.candidates[-1].reason == "down: probes of its ingress fail"
    assert decision.ttl_s == TTL_DOUBTFUL_S


def test_a_down_node_farther_away_leaves_the_ttl_alone() -> None:
    assert decide(None, PARIS, view(), UP | {"sydney-1": Verdict.DOWN}, 0).ttl_s == TTL_STEADY_S


def test_a_draining_node_is_passed_over_at_the_usual_ttl() -> None:
    decision = decide(None, OSAKA, drained("tokyo-1"), UP, 0)
    assert chosen(decision) == ["sydney-1"]
    assert decision.candidates[-1].reason == "draining"
    assert not decision.candidates[-1].eligible
    assert decision.ttl_s == TTL_STEADY_S


@pytest.mark.parametrize("health", [{}, dict.fromkeys(PLACES, Verdict.UNKNOWN)])
def test_a_node_not_probed_yet_counts_as_up_with_a_short_ttl(health: dict[str, Verdict]) -> None:
    decision = decide(None, OSAKA, view(), health, 0)
    assert chosen(decision) == ["tokyo-1"]
    assert decision.candidates[0].reason == "eligible and nearest (not probed yet, counts as up)"
    assert decision.ttl_s == TTL_DOUBTFUL_S


def test_all_down_answers_the_nearest_as_if_up() -> None:
    decision = decide(None, PARIS, view(), dict.fromkeys(PLACES, Verdict.DOWN), 0)
    assert chosen(decision) == ["london-1"]
    assert not decision.candidates[0].eligible
    assert decision.reason.endswith("every node that is not draining is down: answered as if they were up")
    assert decision.candidates[1].reason == "down: probes of its ingress fail"


def test_all_down_still_keeps_clients_off_a_draining_node() -> None:
    decision = decide(None, PARIS, drained("london-1"), dict.fromkeys(PLACES, Verdict.DOWN), 0)
    assert chosen(decision) == ["virginia-1"]
    assert order(decision)[-1] == "london-1"


def test_all_draining_answers_the_nearest_that_is_up() -> None:
    decision = decide(None, PARIS, drained(*PLACES), UP | {"london-1": Verdict.DOWN}, 0)
    assert chosen(decision) == ["virginia-1"]
    assert order(decision)[-1] == "london-1"
    assert "every node is draining" in decision.reason


def test_all_draining_and_down_answers_the_nearest() -> None:
    decision = decide(None, PARIS, drained(*PLACES), dict.fromkeys(PLACES, Verdict.DOWN), 0)
    assert chosen(decision) == ["london-1"]


@pytest.mark.parametrize(("count", "answers"), [(-3, 1), (1, 1), (3, 3), (8, 5), (100, 5)])
def test_several_answers_are_the_nearest_in_order(count: int, answers: int) -> None:
    decision = decide(None, PARIS, view(), UP, 0, count=count)
    assert chosen(decision) == order(decision)[:answers]
    assert [candidate.chosen for candidate in decision.candidates] == [True] * answers + [False] * (5 - answers)


def test_never_more_than_eight_answers() -> None:
    crowd = [node(f"n-{number:02}", Location(number, 0)) for number in range(20)]
    assert len(decide(None, PARIS, view(*crowd), {}, 0, count=20).chosen) == 8


def test_one_candidate_makes_the_answer_everybodys() -> None:
    decision = decide(None, PARIS, view(NODES[0]), UP, 0)
    assert (chosen(decision), decision.scope) == (["london-1"], 0)


def test_an_unknown_place_gets_a_stable_choice_by_hash_that_says_so() -> None:
    decision = decide(None, NOWHERE, view(), UP, 0)
    assert decide(None, NOWHERE, view(*reversed(NODES)), UP, 99).chosen == decision.chosen
    assert decision.candidates[0].distance_km is None
    assert decision.candidates[0].reason == "eligible, by hash"
    assert decision.candidates[1].reason == "eligible, but the hash prefers another"
    assert decision.reason.endswith("by hash of 192.0.2.0/24: its place is unknown")
    assert decision.ttl_s == TTL_STEADY_S


def test_a_client_of_which_only_the_country_is_known_is_told_so() -> None:
    client = ClientLocation("192.0.2.9", "192.0.2.0/24", "country", None, "NZ")
    assert decide(None, client, view(), UP, 0).reason.endswith("only its country, NZ, is known")


def test_unknown_places_are_spread_and_a_node_that_leaves_moves_only_its_own() -> None:
    clients = [ClientLocation(f"10.0.{n}.1", f"10.0.{n}.0/24", "none") for n in range(250)]
    before = {client.network: chosen(decide(None, client, view(), UP, 0))[0] for client in clients}
    after = {client.network: chosen(decide(None, client, view(*NODES[1:]), UP, 0))[0] for client in clients}
    assert min(Counter(before.values()).values()) > 25
    assert {network for network in before if before[network] != after[network]} == {
        network for network in before if before[network] == "london-1"
    }


def test_nodes_of_one_place_share_its_clients() -> None:
    pair = (node("tokyo-1", PLACES["tokyo-1"]), node("tokyo-2", PLACES["tokyo-1"]), NODES[0])
    clients = [replace(OSAKA, network=f"10.0.{n}.0/24") for n in range(100)]
    shares = Counter(chosen(decide(None, client, view(*pair), {}, 0))[0] for client in clients)
    assert set(shares) == {"tokyo-1", "tokyo-2"}
    assert min(shares.values()) > 25


def test_a_place_without_a_city_or_country_is_named_by_its_network() -> None:
    client = ClientLocation("192.0.2.9", "192.0.2.0/24", "city", Location(48.9, 2.3))
    assert decide(None, client, view(), UP, 0).reason.endswith("km from 192.0.2.0/24")


FLEETS = st.lists(
    st.tuples(st.floats(-90, 90), st.floats(-180, 180), st.booleans(), st.sampled_from(Verdict)),
    min_size=1,
    max_size=12,
)
CLIENTS = st.one_of(
    st.just(NOWHERE),
    st.builds(lambda a, b: replace(PARIS, location=Location(a, b)), st.floats(-90, 90), st.floats(-180, 180)),
)


@given(FLEETS, CLIENTS)
def test_agrees_with_an_exhaustive_search_and_never_withholds_an_answer(
    fleet: list[tuple[float, float, bool, Verdict]], client: ClientLocation
) -> None:
    nodes = [node(f"n-{n:02}", Location(a, b), draining=draining) for n, (a, b, draining, _) in enumerate(fleet)]
    health = {node.id: verdict for node, (*_, verdict) in zip(nodes, fleet, strict=True)}
    index = FleetIndex.of(view(*nodes))
    decision = decide(None, client, index, health, 0)
    assert sorted(order(decision)) == [node.id for node in nodes]
    staying = [node for node in nodes if not node.draining] or nodes
    pool = [node for node in staying if health[node.id] is not Verdict.DOWN] or staying
    (best,) = decision.chosen
    assert best in pool
    if client.location is not None:
        here = unit_vector(client.location)
        nearest = min(distance_km(here, unit_vector(node.location)) for node in pool)
        assert distance_km(here, unit_vector(best.location)) == pytest.approx(nearest, abs=0.002)


def test_a_given_place_is_named_as_such_and_depends_on_no_address() -> None:
    decision = decide(None, given_place(PARIS.location or Location(0, 0)), view(), UP, 0)
    assert order(decision) == order(decide(None, PARIS, view(), UP, 0))
    assert (decision.reason, decision.scope) == ("london-1 is 342 km from the given place", 0)


def test_the_reason_has_a_kind_for_counting() -> None:
    everywhere_down = dict.fromkeys(PLACES, Verdict.DOWN)
    assert decide(None, PARIS, view(), UP, 0).kind == "nearest"
    assert decide(None, NOWHERE, view(), UP, 0).kind == "hash"
    assert decide(None, NOWHERE, view(), everywhere_down, 0).kind == "emergency"
    assert decide(None, PARIS, drained(*PLACES), UP, 0).kind == "emergency"
    assert decide("g", PARIS, view(), UP, 0).kind == "none"
