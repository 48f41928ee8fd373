from dataclasses import replace

import pytest

from controlplane.model import Function, Ingress, Location, Node, RoutingPolicy
from controlplane.placement import place

FUNCTION = Function("hello", ("hello.example.org",), 0.0, "r")


def node(name: str, *, draining: bool = False) -> Node:
    return Node(name, "tokyo", "", Location(0, 0), Ingress(80, ("192.0.2.1",)), draining)


def test_a_function_belongs_on_every_node_in_the_order_of_their_ids() -> None:
    assert place(FUNCTION, [node("b"), node("a", draining=True)]) == ("a", "b")


def test_without_nodes_it_belongs_nowhere() -> None:
    assert place(FUNCTION, []) == ()


@pytest.mark.parametrize(
    "policy", [RoutingPolicy(allowed_regions=("tokyo",)), RoutingPolicy(denied_regions=("london",))]
)
def test_it_belongs_on_no_node_of_a_region_that_its_policy_forbids(policy: RoutingPolicy) -> None:
    nodes = [node("a"), replace(node("b"), region="london")]
    assert place(replace(FUNCTION, routing=policy), nodes) == ("a",)
    assert place(replace(FUNCTION, routing=RoutingPolicy(allowed_regions=("osaka",))), nodes) == ()
