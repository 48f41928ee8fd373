from dataclasses import replace
from types import MappingProxyType

from controlplane.api.routers import Router
from controlplane.api.signals import signals
from controlplane.model import Ingress, Location, Node, NodeReport
from controlplane.store.view import Stored, View
from nearhop.v1 import router_control_pb2


def view(*nodes: str, silent: str = "") -> View:
    known = {name: Stored(Node(name, "r", "", Location(0, 0), Ingress(80)), 1) for name in nodes}
    reports = {name: Stored(NodeReport(name, "i", 1), 1) for name in nodes if name != silent}
    return View(1, nodes=MappingProxyType(known), health=MappingProxyType(reports))


def router(name: str, up: tuple[str, ...] = (), down: tuple[str, ...] = ()) -> Router:
    return Router(name, "", "", 1, seen_up=up, seen_down=down)


def test_the_others_sights_of_known_nodes_in_the_order_of_their_ids() -> None:
    routers = [router("r3", down=("a",)), router("r1", up=("a",)), router("r2", up=("b", "nobody")), router("r4")]
    told = signals(view("a", "b"), routers, "r1")
    assert told == router_control_pb2.Signals(
        sights=[
            router_control_pb2.RouterSight(router="r2", up=["b"]),
            router_control_pb2.RouterSight(router="r3", down=["a"]),
        ]
    )


def test_loads_of_nodes_that_state_a_capacity() -> None:
    reports = {
        "a": NodeReport("a", "i", 1, load_1m=6.0, cpus=4, load_limit=1.5),
        "b": NodeReport("b", "i", 1, load_1m=6.0, cpus=4),
        "c": NodeReport("c", "i", 1, load_1m=6.0, cpus=0, load_limit=1.0),
        "gone": NodeReport("gone", "i", 1, load_1m=6.0, cpus=4, load_limit=1.5),
    }
    found = replace(view("a", "b", "c"), health={name: Stored(report, 1) for name, report in reports.items()})
    assert list(signals(found, [], "r1").loads) == [router_control_pb2.NodeLoad(node="a", load=1.0)]


def test_nodes_without_a_lease_are_silent() -> None:
    assert list(signals(view("a", "b", silent="b"), [], "r1").silent) == ["b"]
