from controlplane.router.signals import Signals, decode
from controlplane.steering import Heard, Sight
from nearhop.v1 import router_control_pb2 as pb


def test_sights_are_turned_from_routers_to_nodes_without_ones_own() -> None:
    message = pb.Signals(
        sights=[
            pb.RouterSight(router="r1", up=["a"], down=["b"]),
            pb.RouterSight(router="r2", up=["a", "b"]),
            pb.RouterSight(router="r3", down=["a"]),
        ],
        silent=["b"],
    )
    expected = Heard({"a": Sight(("r2",), ("r3",)), "b": Sight(("r2",))}, frozenset(("b",)))
    assert decode(message, "r1").heard == expected


def test_a_load_that_is_no_number_is_left_out() -> None:
    loads = [("a", 0.5), ("b", float("nan")), ("c", -1.0), ("d", float("inf")), ("e", 0.0)]
    message = pb.Signals(loads=[pb.NodeLoad(node=node, load=load) for node, load in loads])
    assert decode(message, "r1").loads == {"a": 0.5, "e": 0.0}


def test_nothing_is_nothing() -> None:
    assert decode(pb.Signals(), "r1") == Signals()
