"""What routers are told beside the view: what the other routers see, whose agents are silent, how full nodes are. Pure."""

from collections.abc import Iterable

from controlplane.api.routers import Router
from controlplane.store.view import View
from nearhop.v1 import router_control_pb2


def signals(view: View, routers: Iterable[Router], listener: str) -> router_control_pb2.Signals:
    """Return what the router *listener* is told: of the other *routers*, those that have probed a node at all; of nodes, those of *view*."""
    return router_control_pb2.Signals(
        sights=[
            router_control_pb2.RouterSight(
                router=router.id,
                up=filter(view.nodes.__contains__, router.seen_up),
                down=filter(view.nodes.__contains__, router.seen_down),
            )
            for router in sorted(routers, key=lambda router: router.id)
            if router.id != listener and (router.seen_up or router.seen_down)
        ],
        silent=sorted(name for name in view.nodes if name not in view.health),
        loads=[
            router_control_pb2.NodeLoad(node=name, load=load)
            for name, report in sorted(view.health.items())
            if name in view.nodes and (load := report.record.load) is not None
        ],
    )
