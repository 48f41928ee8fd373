from dataclasses import replace

from controlplane.model import Function, Ingress, Location, Node, RoutingPolicy
from controlplane.placement import place

FUNCTION = Function("hello", ("hello.example.org",), 0.0, "r")


def node(name: str, *, draining: bool = False) -> Node:
    return Node(name, "tokyo", "", Location(0, 0), Ingress(80, ("192.0.2.1",)), draining)


def test_a_function_belongs_on_every_node_in_the_order_of_their_ids() -> None:
    assert place(FUNCTION, [node("b"), node("a", draining=True)]) == ("a", "b")


def test_a_policy_names_the_regions_that_it_may_be_in() -> None:
    nodes = [node("a"), replace(node("b"), region="london"), replace(node("c"), region="sydney")]

    def placed(**policy: tuple[str, ...]) -> tuple[str, ...]:
        return place(replace(FUNCTION, routing=RoutingPolicy(**policy)), nodes)  # type: ignore[arg-type]

    assert placed(allowed_regions=("tokyo", "london")) == ("a", "b")
    assert placed(denied_regions=("london",)) == ("a", "c")
    assert placed(allowed_regions=("tokyo",), denied_regions=("tokyo",)) == ()


def test_without_nodes_it_belongs_nowhere() -> None:
    assert place(FUNCTION, []) == ()
