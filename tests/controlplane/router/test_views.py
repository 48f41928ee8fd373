import pytest

from controlplane.model import FleetView, Ingress, Location, RoutedFunction, RoutedNode
from controlplane.router.views import decode, refusal
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
    assert decode(view(node(draining=True), functions=(function,))) == FleetView(
        7,
        ZONE,
        (RoutedNode("tokyo-1", "tokyo", Location(35.6, 139.6), Ingress(80, ("192.0.2.1",), ("2001:db8::1",)), True),),
        (RoutedFunction("hello", (f"hello.{ZONE}",), ("tokyo-1", "not-there")),),
    )


@pytest.mark.parametrize(("bad", "field"), [
    (view(node("Tokyo 1")), "nodes[0].id"),
    (view(node(), node()), "nodes[1].id"),
    (view(node(location=common_pb2.Location(latitude=91))), "nodes[0].location"),
    (view(node(location=common_pb2.Location(latitude=float("nan")))), "nodes[0].location"),
    (view(node(location=common_pb2.Location(longitude=-180.5))), "nodes[0].location"),
    (view(node(ingress=common_pb2.Ingress(port=0))), "nodes[0].ingress.port"),
    (view(node(ingress=common_pb2.Ingress(port=65536))), "nodes[0].ingress.port"),
    (view(node(ingress=common_pb2.Ingress(port=80, ipv4=["2001:db8::1"]))), "nodes[0].ingress.ipv4"),
    (view(node(ingress=common_pb2.Ingress(port=80, ipv6=["nowhere"]))), "nodes[0].ingress.ipv6"),
    (view(functions=(pb.RoutedFunction(name="A"),)), "functions[0].name"),
    (view(functions=(pb.RoutedFunction(name="a"), pb.RoutedFunction(name="a"))), "functions[1].name"),
    (view(functions=(pb.RoutedFunction(name="a", hostnames=["a..example.org"]),)), "functions[0].hostnames"),
    (view(functions=(pb.RoutedFunction(name="a", hostnames=["x" * 64 + ".example.org"]),)), "functions[0].hostnames"),
])  # fmt: skip
def test_a_bad_view_is_refused_with_the_field(bad: pb.RoutingView, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(bad)
    assert [violation.field for violation in caught.value.violations] == [field]


NODES = decode(view(node())).nodes


@pytest.mark.parametrize(("current", "offered", "reason"), [
    (None, FleetView(1, ZONE), None),
    (None, FleetView(0, ZONE, NODES), None),
    (FleetView(5, ZONE), FleetView(6, ZONE), None),
    (FleetView(5, ZONE, NODES), FleetView(5, ZONE, NODES), None),
    (FleetView(5, ZONE, NODES), FleetView(6, ZONE, NODES), None),
    (FleetView(5, ZONE, NODES), FleetView(4, ZONE, NODES), "epoch 4 is older than 5, which is answered from"),
    (FleetView(5, ZONE, NODES), FleetView(6, ZONE), "epoch 6 has no node, epoch 5 has 1"),
    (None, FleetView(1, "other.example"), 'the view is of zone "other.example", this router answers for "edge.example.org"'),
])  # fmt: skip
def test_f9_f26_what_may_replace_what(current: FleetView | None, offered: FleetView, reason: str | None) -> None:
    assert refusal(current, offered, ZONE) == reason
