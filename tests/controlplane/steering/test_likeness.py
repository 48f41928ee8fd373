from typing import Any

from hypothesis import given
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
from controlplane.steering import ClientLocation, Decision, FleetIndex, Likeness, Outlook, Target, decide

PLACES = {
    "london-1": Location(51.5, -0.12), "paris-1": Location(48.86, 2.35), "tokyo-1": Location(35.68, 139.69),
    "osaka-1": Location(34.69, 135.5), "sydney-1": Location(-33.87, 151.21), "virginia-1": Location(38.95, -77.45),
}  # fmt: skip
NODES = tuple(
    RoutedNode(name, name.partition("-")[0], place, Ingress(80, ("192.0.2.1",))) for name, place in PLACES.items()
)
LYON = ClientLocation("198.51.100.7", "198.51.100.0/24", "city", Location(45.76, 4.84), "FR", "Lyon")


def index(*nodes: RoutedNode, **policy: Any) -> FleetIndex:
    nodes = nodes or NODES
    function = RoutedFunction("f", (), tuple(node.id for node in nodes), RoutingPolicy(**policy))
    return FleetIndex.of(FleetView(1, "example.org", nodes, (function,)))


def key(client: ClientLocation, *nodes: RoutedNode, outlook: Outlook | None = None, **policy: Any) -> object:
    likeness = Likeness.of("f", index(*nodes, **policy), outlook or Outlook())
    return None if likeness is None else likeness.key(client)


def answer(decision: Decision) -> tuple[object, ...]:
    return [node.id for node in decision.chosen], decision.ttl_s, decision.kind, decision.scope > 0


locations = st.builds(
    Location,
    st.floats(-90, 90).map(lambda degrees: round(degrees, 4)),
    st.floats(-180, 180).map(lambda degrees: round(degrees, 4)),
)
nodes = st.lists(st.one_of(locations, st.sampled_from(list(PLACES.values()))), min_size=1, max_size=6).flatmap(
    lambda places: st.tuples(
        *(
            st.builds(
                RoutedNode,
                st.just(f"r{number % 3}-{number}"),
                st.just(f"r{number % 3}"),
                st.just(place),
                st.just(Ingress(80, ("192.0.2.1",))),
                st.booleans(),
            )
            for number, place in enumerate(places)
        )
    )
)
clients = st.builds(
    ClientLocation,
    st.just("198.51.100.7"),
    st.sampled_from(("198.51.100.0/24", "198.51.96.0/20", "0.0.0.0/0")),
    st.sampled_from(("city", "country", "operator")),
    st.one_of(st.none(), locations, st.sampled_from(list(PLACES.values()))),
    st.sampled_from(("FR", "JP")),
)


@given(
    nodes=nodes,
    clients=st.lists(clients, min_size=8, max_size=30),
    answers=st.integers(1, 3),
    denied=st.sampled_from(((), ("r0",), ("r1", "r2"))),
    health=st.data(),
)
def test_clients_of_one_key_get_one_answer(
    nodes: tuple[RoutedNode, ...],
    clients: list[ClientLocation],
    answers: int,
    denied: tuple[str, ...],
    health: st.DataObject,
) -> None:
    verdicts = {node.id: health.draw(st.sampled_from(Verdict)) for node in nodes}
    doubts = {node.id: "slow" for node in nodes if health.draw(st.booleans())}
    outlook = Outlook(verdicts, doubts)
    fleet = index(*nodes, answers=answers, denied_regions=denied)
    likeness = Likeness.of("f", fleet, outlook)
    if likeness is None:
        return
    known: dict[object, tuple[object, ...]] = {}
    for client in clients:
        alike = likeness.key(client)
        if alike is not None:
            told = answer(decide("f", client, fleet, outlook, 0))
            assert known.setdefault(alike, told) == told


def test_who_is_nearest_to_the_same_node_is_alike() -> None:
    geneva = ClientLocation("203.0.113.7", "203.0.113.0/25", "city", Location(46.2, 6.14), "CH", "Geneva")
    assert key(LYON) == key(geneva) is not None
    osaka = ClientLocation("203.0.113.7", "203.0.113.0/25", "city", Location(34.6, 135.6), "JP", "Osaka")
    assert key(osaka) not in (key(LYON), None)
    assert key(LYON, answers=3) != key(LYON, answers=2)


def test_between_two_nodes_it_must_be_decided() -> None:
    ends = [
        RoutedNode(name, "r", Location(0, longitude), Ingress(80, ("192.0.2.1",)))
        for name, longitude in (("east-1", 10), ("west-1", -10))
    ]
    middle = ClientLocation("203.0.113.7", "203.0.113.0/25", "city", Location(0, 0))
    assert key(middle, *ends) is None
    assert key(middle, *ends, answers=2) is None
    assert key(ClientLocation("203.0.113.7", "203.0.113.0/25", "city", Location(0, 0.001)), *ends) is not None
    down = Outlook({"east-1": Verdict.DOWN})
    assert key(middle, *ends, outlook=down) is None


def test_a_nearer_node_that_is_down_is_told_apart() -> None:
    outlook = Outlook({"paris-1": Verdict.DOWN})
    near_london = ClientLocation("203.0.113.7", "203.0.113.0/25", "city", Location(52, -1), "GB")
    assert key(LYON, outlook=outlook) != key(near_london, outlook=outlook)


def test_there_is_none_where_more_than_the_place_counts() -> None:
    assert key(LYON, kind=RoutingKind.FAILOVER, regions=("tokyo",)) is None
    assert key(LYON, kind=RoutingKind.WEIGHTED, weights={"tokyo": 1}) is None
    twin = RoutedNode("paris-2", "paris", PLACES["paris-1"], Ingress(80, ("192.0.2.2",)))
    assert key(LYON, *NODES, twin) is None
    assert Likeness.of("f", index().shedding({"tokyo-1": 0.1}), Outlook()) is None
    assert Likeness.of("f", index(), Outlook(dict.fromkeys(PLACES, Verdict.DOWN))) is None
    assert Likeness.of("g", index(), Outlook()) is None
    for client in (
        ClientLocation("192.0.2.9", "192.0.2.0/24", "none"),
        ClientLocation("192.0.2.9", "192.0.2.0/24", "operator", None, target=Target(region="tokyo")),
        ClientLocation("192.0.2.9", "0.0.0.0/0", "city", PLACES["paris-1"]),
    ):
        assert key(client) is None


def test_an_operators_place_is_told_apart() -> None:
    placed = ClientLocation(LYON.ip, LYON.network, "operator", LYON.location, "FR")
    assert key(placed) not in (key(LYON), None)
