"""Routing views from outside: from protobuf to checked records, and whether one may replace the view that is answered from.

A view is taken over whole or refused whole with every reason; nothing here repairs one.
"""

import ipaddress
import math
from collections.abc import Iterable

from controlplane.model import FleetView, Ingress, Location, RoutedFunction, RoutedNode
from nearhop import names
from nearhop.errors import InvalidInput, Violation
from nearhop.v1 import router_control_pb2 as pb


def decode(message: pb.RoutingView) -> FleetView:
    """Turn *message* into records. Raises InvalidInput with every violation."""
    view = FleetView(
        epoch=message.epoch,
        zone=message.zone,
        nodes=tuple(_node(node) for node in message.nodes),
        functions=tuple(
            RoutedFunction(function.name, tuple(function.hostnames), tuple(function.nodes))
            for function in message.functions
        ),
    )
    if violations := [*_node_violations(view.nodes), *_function_violations(view.functions)]:
        raise InvalidInput(violations)
    return view


def refusal(current: FleetView | None, offered: FleetView, zone: str) -> str | None:
    """Say why *offered* must not replace *current*, None when it may."""
    if offered.zone != zone:
        return f'the view is of zone "{offered.zone}", this router answers for "{zone}"'
    if current is None:
        return None
    if offered.epoch < current.epoch:
        return f"epoch {offered.epoch} is older than {current.epoch}, which is answered from"
    if current.nodes and not offered.nodes:
        return f"epoch {offered.epoch} has no node, epoch {current.epoch} has {len(current.nodes)}"
    return None


def _node(message: pb.RoutedNode) -> RoutedNode:
    return RoutedNode(
        id=message.id,
        region=message.region,
        location=Location(message.location.latitude, message.location.longitude),
        ingress=Ingress(message.ingress.port, tuple(message.ingress.ipv4), tuple(message.ingress.ipv6)),
        draining=message.draining,
    )


def _node_violations(nodes: Iterable[RoutedNode]) -> Iterable[Violation]:
    seen: set[str] = set()
    for number, node in enumerate(nodes):
        where = f"nodes[{number}]"
        yield from (Violation(f"{where}.id", reason) for reason in names.node_id_reasons(node.id))
        if node.id in seen:
            yield Violation(f"{where}.id", f'"{node.id}" is there twice')
        seen.add(node.id)
        latitude, longitude = node.location.latitude, node.location.longitude
        if not (math.isfinite(latitude) and abs(latitude) <= 90 and math.isfinite(longitude) and abs(longitude) <= 180):
            yield Violation(f"{where}.location", f"{latitude}, {longitude} is not on the earth")
        if not 1 <= node.ingress.port <= 65535:
            yield Violation(f"{where}.ingress.port", f"{node.ingress.port} is no port")
        for version, addresses in ((4, node.ingress.ipv4), (6, node.ingress.ipv6)):
            for address in addresses:
                if not _is_address(address, version):
                    yield Violation(f"{where}.ingress.ipv{version}", f'"{address}" is no IPv{version} address')


def _function_violations(functions: Iterable[RoutedFunction]) -> Iterable[Violation]:
    seen: set[str] = set()
    for number, function in enumerate(functions):
        where = f"functions[{number}]"
        yield from (Violation(f"{where}.name", reason) for reason in names.label_reasons(function.name))
        if function.name in seen:
            yield Violation(f"{where}.name", f'"{function.name}" is there twice')
        seen.add(function.name)
        for hostname in function.hostnames:
            yield from (Violation(f"{where}.hostnames", reason) for reason in names.hostname_reasons(hostname))


def _is_address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False
