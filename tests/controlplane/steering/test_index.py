from controlplane.model import FleetView, Ingress, Location, RoutedFunction, RoutedNode
from controlplane.steering import FleetIndex

TOKYO = RoutedNode("tokyo-1", "tokyo", Location(35.68, 139.69), Ingress(80, ("192.0.2.1",)))
TOKYO_2 = RoutedNode("tokyo-2", "tokyo", Location(35.68, 139.69), Ingress(80, ("192.0.2.2",)))
LONDON = RoutedNode("london-1", "london", Location(51.5, -0.12), Ingress(80, ("192.0.2.3",)))


def test_functions_have_their_nodes_and_none_has_all() -> None:
    view = FleetView(1, "example.org", (LONDON, TOKYO), (RoutedFunction("f", (), ("tokyo-1", "gone-1")),))
    index = FleetIndex.of(view)
    assert [placed.node for placed in index.candidates("f") or ()] == [TOKYO]
    assert [placed.node for placed in index.candidates(None) or ()] == [LONDON, TOKYO]
    assert index.candidates("g") is None


def test_a_set_is_crowded_when_two_of_its_nodes_share_a_place() -> None:
    functions = (
        RoutedFunction("apart", (), ("london-1", "tokyo-1")),
        RoutedFunction("near", (), ("tokyo-1", "tokyo-2")),
    )
    index = FleetIndex.of(FleetView(1, "example.org", (LONDON, TOKYO, TOKYO_2), functions))
    assert index.crowded == {None, "near"}
