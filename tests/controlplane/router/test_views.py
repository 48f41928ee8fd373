import pytest

from controlplane.model import FleetView, Ingress, Location, RoutedFunction, RoutedNode, RoutingKind, RoutingPolicy
from controlplane.router.views import Decoded, decode, refusal
from nearhop.errors import InvalidInput
from nearhop.v1 import common_pb2
from nearhop.v1 import router_control_pb2 as pb

ZONE = "edge.example.org"


def node(name: str = "tokyo-1", **changes: object) -> pb.RoutedNode:
    values: dict[str, object] = {
        "id": name,
        "region": "tokyo",
        "location": common_pb2.Location(latitude=35.6, longitude=139.6),
        "ingress": common_pb2.Ingress(ipv4=["192.0.2.1"], ipv6=["2001:db8::1"], port=80),
    }
    return pb.RoutedNode(**(values | changes))  # type: ignore[arg-type]


def view(*nodes: pb.RoutedNode, epoch: int = 7, functions: tuple[pb.RoutedFunction, ...] = ()) -> pb.RoutingView:
    return pb.RoutingView(epoch=epoch, zone=ZONE, nodes=nodes, functions=functions)


def test_a_good_view_becomes_records() -> None:
    function = pb.RoutedFunction(name="hello", hostnames=[f"hello.{ZONE}"], nodes=["tokyo-1", "not-there"])
    assert decode(view(node(draining=True), functions=(function,))) == Decoded(
        FleetView(
            7,
            ZONE,
            (
                RoutedNode(
                    "tokyo-1", "tokyo", Location(35.6, 139.6), Ingress(80, ("192.0.2.1",), ("2001:db8::1",)), True
                ),
            ),
            (RoutedFunction("hello", (f"hello.{ZONE}",), ("tokyo-1", "not-there")),),
        )
    )


def test_a_policy_becomes_a_record_and_an_unknown_kind_the_default() -> None:
    policy = common_pb2.RoutingPolicy(
        kind=common_pb2.RoutingPolicy.KIND_WEIGHTED, regions=["a"], weights={"tokyo": 2}, allowed_regions=["tokyo"],
        denied_regions=["b"], answers=3, default_location=common_pb2.Location(latitude=1, longitude=2),
    )  # fmt: skip
    newer = common_pb2.RoutingPolicy(kind=77)  # type: ignore[arg-type]
    functions = (pb.RoutedFunction(name="f", policy=policy), pb.RoutedFunction(name="g", policy=newer))
    first, second = decode(view(node(), functions=functions)).view.functions
    assert first.policy == RoutingPolicy(
        RoutingKind.WEIGHTED, ("a",), {"tokyo": 2}, ("tokyo",), ("b",), 3, Location(1, 2)
    )
    assert second.policy == RoutingPolicy()


@pytest.mark.parametrize(("bad", "field"), [
    (view(node("Tokyo 1")), "nodes[0].id"),
    (view(node(), node()), "nodes[1]"),
    (view(node(location=common_pb2.Location(latitude=91))), "nodes[0].location"),
    (view(node(location=common_pb2.Location(latitude=float("nan")))), "nodes[0].location"),
    (view(node(location=common_pb2.Location(longitude=-180.5))), "nodes[0].location"),
    (view(node(ingress=common_pb2.Ingress(port=0))), "nodes[0].ingress.port"),
    (view(node(ingress=common_pb2.Ingress(port=65536))), "nodes[0].ingress.port"),
    (view(node(ingress=common_pb2.Ingress(port=80, ipv4=["2001:db8::1"]))), "nodes[0].ingress.ipv4"),
    (view(node(ingress=common_pb2.Ingress(port=80, ipv6=["nowhere"]))), "nodes[0].ingress.ipv6"),
    (view(functions=(pb.RoutedFunction(name="A"),)), "functions[0].name"),
    (view(functions=(pb.RoutedFunction(name="a", policy=common_pb2.RoutingPolicy(default_location=common_pb2.Location(latitude=91))),)),
     "functions[0].policy.default_location"),
    (view(functions=(pb.RoutedFunction(name="a", policy=common_pb2.RoutingPolicy(weights={"x": 1_000_001})),)),
     "functions[0].policy.weights"),
    (view(functions=(pb.RoutedFunction(name="a"), pb.RoutedFunction(name="a"))), "functions[1]"),
    (view(functions=(pb.RoutedFunction(name="a", hostnames=["a..example.org"]),)), "functions[0].hostnames"),
    (view(functions=(pb.RoutedFunction(name="a", hostnames=["x" * 64 + ".example.org"]),)), "functions[0].hostnames"),
])  # fmt: skip
def test_a_bad_entry_is_left_out_and_told(bad: pb.RoutingView, field: str) -> None:
    good = view(node("good-1"), functions=(pb.RoutedFunction(name="good"),))
    bad.nodes.extend(good.nodes)
    bad.functions.extend(good.functions)
    decoded = decode(bad)
    assert [violation.field for violation in decoded.quarantined] == [field]
    assert "good-1" in [node.id for node in decoded.view.nodes]
    assert "good" in [function.name for function in decoded.view.functions]
    assert len(decoded.view.nodes) + len(decoded.view.functions) == len(bad.nodes) + len(bad.functions) - 1


def test_the_last_good_form_of_a_bad_entry_stays() -> None:
    before = decode(view(node(), node("b-1"))).view
    broken = view(node(location=common_pb2.Location(latitude=91)), node("b-1"))
    assert decode(broken, before).view.nodes == before.nodes
    function = pb.RoutedFunction(name="f", hostnames=["f.example.org"])
    before = decode(view(node(), functions=(function,))).view
    broken = view(node(), functions=(pb.RoutedFunction(name="f", hostnames=["f..org"]),))
    assert decode(broken, before).view.functions == before.functions


def test_a_view_without_any_good_node_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(view(node("A"), node("B")))
    assert [violation.field for violation in caught.value.violations] == ["nodes[0].id", "nodes[1].id"]


def fleet(epoch: int, nodes: int, functions: int = 0) -> FleetView:
    found = decode(view(*(node(f"n{number}") for number in range(nodes)))).view.nodes
    return FleetView(epoch, ZONE, found, tuple(RoutedFunction(f"f{number}", (), ()) for number in range(functions)))


NODES = decode(view(node())).view.nodes


@pytest.mark.parametrize(("current", "offered", "reason"), [
    (None, FleetView(1, ZONE), None),
    (None, FleetView(0, ZONE, NODES), None),
    (FleetView(5, ZONE), FleetView(6, ZONE), None),
    (FleetView(5, ZONE, NODES), FleetView(5, ZONE, NODES), None),
    (FleetView(5, ZONE, NODES), FleetView(6, ZONE, NODES), None),
    (FleetView(5, ZONE, NODES), FleetView(4, ZONE, NODES), "epoch 4 is older than 5, which is answered from"),
    (FleetView(5, ZONE, NODES), FleetView(6, ZONE), "epoch 6 has no node, epoch 5 has 1"),
    (fleet(5, 4), fleet(6, 2), None),
    (fleet(5, 6), fleet(6, 3), None),
    (fleet(5, 5), fleet(6, 2), "3 of 5 nodes would vanish at once, more than 50%"),
    (fleet(5, 1, 18), fleet(6, 1, 9), None),
    (fleet(5, 1, 20), fleet(6, 1, 9), "11 of 20 functions would vanish at once, more than 50%"),
    (None, FleetView(1, "other.example"), 'the view is of zone "other.example", this router answers for "edge.example.org"'),
])  # fmt: skip
def test_f9_f26_what_may_replace_what(current: FleetView | None, offered: FleetView, reason: str | None) -> None:
    assert refusal(current, offered, ZONE) == reason
