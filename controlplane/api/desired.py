"""What nodes and routers should have: pure functions from a view of the store to snapshots and to the fleet as routers see it.

A node leaves neither because its lease is gone: only an operator, or the data path as routers see it, takes a node out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controlplane.api import codec, policy_codec
from controlplane.model import Deployment, FleetView, Function, RoutedFunction, RoutedNode, RoutingPolicy, Share
from controlplane.placement import place
from controlplane.store.view import View
from nearhop import spec_codec
from nearhop.v1 import node_control_pb2, router_control_pb2


@dataclass(frozen=True, slots=True)
class Desired:
    """What follows from the store's *revision*. *placements* are ordered by function, each with the nodes it is for.

    *made_of* holds by function what its placement was made of: as long as that is the same, so is the message.
    """

    revision: int
    fleet: FleetView
    routing: router_control_pb2.RoutingView
    placements: tuple[tuple[frozenset[str], node_control_pb2.Placement], ...]
    draining: Mapping[str, bool]
    made_of: Mapping[str, tuple[object, node_control_pb2.Placement]]

    def snapshot(self, node: str, *, not_before: int = 0) -> node_control_pb2.Snapshot:
        """Return the snapshot of *node*, under the revision *not_before* when that is greater: the store's, until which nothing has changed."""
        return node_control_pb2.Snapshot(
            revision=max(self.revision, not_before),
            zone=self.fleet.zone,
            draining=self.draining.get(node, False),
            placements=[placement for nodes, placement in self.placements if node in nodes],
        )


Secrets = Mapping[str, Sequence[node_control_pb2.Secret]]  # by function, opened
_NO_SECRETS: Secrets = {}


def derive(view: View, zone: str, before: Desired | None, secrets: Secrets = _NO_SECRETS) -> Desired:
    """Derive what follows from *view*; the fleet keeps the epoch it had *before* when nothing in it has changed."""
    served = _served(view)
    nodes = tuple(
        RoutedNode(node.id, node.region, node.location, node.ingress, node.draining)
        for node in sorted((stored.record for stored in view.nodes.values()), key=lambda node: node.id)
    )
    functions = tuple(
        RoutedFunction(function.name, _answered(function), ids, function.routing) for function, _, ids in served
    )
    fleet = FleetView(view.revision, zone, nodes, functions)
    if before is not None and (before.fleet.nodes, before.fleet.functions) == (nodes, functions):
        fleet = before.fleet
    made_of = {
        function.name: _made(view, function.name, secrets.get(function.name, ()), before) for function, _, _ in served
    }
    return Desired(
        revision=view.revision,
        fleet=fleet,
        routing=before.routing if before is not None and fleet is before.fleet else _routing(fleet),
        placements=tuple((frozenset(ids), made_of[function.name][1]) for function, _, ids in served),
        draining={name: stored.record.draining for name, stored in view.nodes.items()},
        made_of=made_of,
    )


def same_inputs(view: View, other: View) -> bool:
    """Tell whether derive() is bound to give the same for both: nothing but nodes' reports has changed."""
    return (
        view.functions is other.functions
        and view.versions is other.versions
        and view.deployments is other.deployments
        and view.nodes is other.nodes
        and view.secrets is other.secrets
    )


def _served(view: View) -> list[tuple[Function, Deployment, tuple[str, ...]]]:
    nodes = [stored.record for stored in view.nodes.values()]
    served = []
    for name in sorted(view.functions):
        function, deployment = view.functions[name].record, view.deployments.get(name)
        if deployment is not None and deployment.record.in_force():
            served.append((function, deployment.record, place(function, nodes)))
    return served


def _answered(function: Function) -> tuple[str, ...]:
    # Routers answer names; which path of one a function has is the nodes' business.
    return tuple(dict.fromkeys((*function.hostnames, *(route.hostname for route in function.routes))))


def _made(
    view: View, name: str, secrets: Sequence[node_control_pb2.Secret], before: Desired | None
) -> tuple[object, node_control_pb2.Placement]:
    """Return the function's placement with what it is made of; the one *before* when it was made of the same."""
    function, deployment = view.functions[name], view.deployments[name]
    versions = [view.versions.get((name, share.version)) for share in deployment.record.in_force()]
    source = (function, deployment, versions, [(secret.name, secret.value) for secret in secrets])
    known = before.made_of.get(name) if before is not None else None
    if known is not None and known[0] == source:  # what is unchanged is the same object: this costs next to nothing
        return known
    return source, _placement(view, function.record, deployment.record, secrets)


def _placement(
    view: View, function: Function, deployment: Deployment, secrets: Sequence[node_control_pb2.Secret]
) -> node_control_pb2.Placement:
    return node_control_pb2.Placement(
        function=function.name,
        generation=deployment.in_force_generation(),
        hostnames=function.hostnames,
        limits=spec_codec.limits(function.limits),
        versions=[
            placed for share in deployment.in_force() if (placed := _version(view, function.name, share)) is not None
        ],
        routes=spec_codec.routes(function.routes),
        rate_limit=spec_codec.rate_limit(function.rate_limit),
        cache_epoch=function.cache_epoch,
        secrets=secrets,
    )


def _version(view: View, function: str, share: Share) -> node_control_pb2.PlacedVersion | None:
    stored = view.versions.get((function, share.version))
    if stored is None:
        return None
    return node_control_pb2.PlacedVersion(
        number=share.version,
        digest=stored.record.digest,
        size_bytes=stored.record.size_bytes,
        dialect=spec_codec.DIALECTS[stored.record.dialect],
        percent=share.percent,
        manifest=spec_codec.manifest(stored.record.manifest),
        created_at=stored.record.created_at,
    )


def _routing(fleet: FleetView) -> router_control_pb2.RoutingView:
    return router_control_pb2.RoutingView(
        epoch=fleet.epoch,
        zone=fleet.zone,
        nodes=[
            router_control_pb2.RoutedNode(
                id=node.id,
                region=node.region,
                location=codec.location(node.location),
                ingress=codec.ingress(node.ingress),
                draining=node.draining,
            )
            for node in fleet.nodes
        ],
        functions=[
            router_control_pb2.RoutedFunction(
                name=function.name,
                hostnames=function.hostnames,
                nodes=function.nodes,
                policy=policy_codec.routing(function.policy) if function.policy != RoutingPolicy() else None,
            )
            for function in fleet.functions
        ],
    )
