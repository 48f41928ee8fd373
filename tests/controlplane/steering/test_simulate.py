from controlplane.model import FleetView, Ingress, Location, RoutedNode, Verdict
from controlplane.steering import ClientLocation, decide, given, simulate

NODES = tuple(
    RoutedNode(name, name, place, Ingress(80, ("192.0.2.1",)))
    for name, place in (("london", Location(51.5, -0.12)), ("tokyo", Location(35.68, 139.69)))
)
VIEW = FleetView(1, "example.org", NODES)
UP = {node.id: Verdict.UP for node in NODES}
NOWHERE = ClientLocation("192.0.2.9", "192.0.2.0/24", "none")
PARIS, OSAKA = given(Location(48.86, 2.35)), given(Location(34.69, 135.5))


def tally(view: FleetView, *clients: ClientLocation) -> simulate.Tally:
    found = simulate.Tally()
    for client in clients:
        found.add(decide(None, client, view, UP, 0))
    return found


def test_shares_and_distances_of_each_node_and_of_all() -> None:
    told = tally(VIEW, PARIS, PARIS, PARIS, OSAKA).distribution()
    assert [(node.node, node.region, node.share) for node in told.nodes] == [
        ("london", "london", 0.75),
        ("tokyo", "tokyo", 0.25),
    ]
    assert [round(node.median_km or 0) for node in told.nodes] == [342, 396]
    assert (round(told.median_km or 0), round(told.p95_km or 0)) == (342, 396)
    assert (told.unlocated, told.unanswered) == (0, 0)


def test_a_drain_moves_its_nodes_clients() -> None:
    clients = (PARIS, PARIS, OSAKA, OSAKA)
    now, then = tally(VIEW, *clients), tally(simulate.drained(VIEW, "tokyo"), *clients)
    assert now.moved(then) == 0.5
    assert [node.node for node in then.distribution().nodes] == ["london"]


def test_clients_without_a_place_and_without_an_answer_are_told_apart() -> None:
    told = tally(VIEW, PARIS, NOWHERE).distribution()
    assert (told.unlocated, told.unanswered) == (0.5, 0)
    nothing = tally(FleetView(1, "example.org"), PARIS).distribution()
    assert (nothing.nodes, nothing.median_km, nothing.p95_km, nothing.unanswered) == ((), None, None, 1)


def test_no_client_at_all() -> None:
    empty = tally(VIEW)
    assert empty.moved(empty) == 0
    assert empty.distribution().unanswered == 0
