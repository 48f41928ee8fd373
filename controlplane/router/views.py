"""Routing views from outside: from protobuf to checked records, and whether one may replace the view that is answered from.

One bad entry does not cost the others: it is left out, or its last good form stays, and it is told. A view in which nothing is good, that is older,
or that has lost most of the fleet at once is refused whole.
"""

import ipaddress
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from controlplane.model import FleetView, Ingress, Location, RoutedFunction, RoutedNode, RoutingKind, RoutingPolicy
from nearhop import names
from nearhop.errors import InvalidInput, Violation
from nearhop.v1 import common_pb2
from nearhop.v1 import router_control_pb2 as pb

# What may vanish in one step without an operator's word: not more than half of the nodes, unless they are few; the same for functions.
LOST_SHARE_MAX = 0.5
LOST_NODES_FREE = 2
LOST_FUNCTIONS_FREE = 9
WEIGHT_MAX = 1_000_000

_KINDS = {
    common_pb2.RoutingPolicy.KIND_UNSPECIFIED: RoutingKind.NEAREST,
    common_pb2.RoutingPolicy.KIND_NEAREST: RoutingKind.NEAREST,
    common_pb2.RoutingPolicy.KIND_FAILOVER: RoutingKind.FAILOVER,
    common_pb2.RoutingPolicy.KIND_WEIGHTED: RoutingKind.WEIGHTED,
}

Entry = TypeVar("Entry", RoutedNode, RoutedFunction)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A view and what of it could not be used."""

    view: FleetView
    quarantined: tuple[Violation, ...] = ()


def decode(message: pb.RoutingView, last_good: FleetView | None = None) -> Decoded:
    """Turn *message* into records; entries that are wrong stay as they are in *last_good*. Raises InvalidInput when no node is right."""
    found: list[Violation] = []
    known_nodes = {node.id: node for node in last_good.nodes} if last_good else {}
    nodes = _sift("nodes", [(node.id, _node(node)) for node in message.nodes], _node_violations, known_nodes, found)
    if message.nodes and not nodes:
        raise InvalidInput(found)
    known = {function.name: function for function in last_good.functions} if last_good else {}
    offered = [(function.name, _function(function)) for function in message.functions]
    functions = _sift("functions", offered, _function_violations, known, found)
    return Decoded(FleetView(message.epoch, message.zone, nodes, functions), tuple(found))


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
    nodes = {node.id for node in current.nodes}
    functions = {function.name for function in current.functions}
    return _shrunk("nodes", nodes, {node.id for node in offered.nodes}, LOST_NODES_FREE) or _shrunk(
        "functions", functions, {function.name for function in offered.functions}, LOST_FUNCTIONS_FREE
    )


def _shrunk(what: str, before: set[str], after: set[str], free: int) -> str | None:
    lost = len(before - after)
    if lost <= free or lost <= LOST_SHARE_MAX * len(before):
        return None
    return f"{lost} of {len(before)} {what} would vanish at once, more than {LOST_SHARE_MAX:.0%}"


def _sift(
    table: str,
    entries: Iterable[tuple[str, Entry]],
    judge: Callable[[Entry], list[Violation]],
    last_good: dict[str, Entry],
    found: list[Violation],
) -> tuple[Entry, ...]:
    kept: dict[str, Entry] = {}
    for number, (name, entry) in enumerate(entries):
        wrong = [Violation(f"{table}[{number}].{violation.field}", violation.reason) for violation in judge(entry)]
        if name in kept:
            found.append(Violation(f"{table}[{number}]", f'"{name}" is there twice'))
        elif not wrong:
            kept[name] = entry
        else:
            found += wrong
            if name in last_good:
                kept[name] = last_good[name]
    return tuple(kept[name] for name in sorted(kept))


def _node(message: pb.RoutedNode) -> RoutedNode:
    return RoutedNode(
        id=message.id,
        region=message.region,
        location=Location(message.location.latitude, message.location.longitude),
        ingress=Ingress(message.ingress.port, tuple(message.ingress.ipv4), tuple(message.ingress.ipv6)),
        draining=message.draining,
    )


def _function(message: pb.RoutedFunction) -> RoutedFunction:
    return RoutedFunction(message.name, tuple(message.hostnames), tuple(message.nodes), _policy(message.policy))


def _policy(message: common_pb2.RoutingPolicy) -> RoutingPolicy:
    place = message.default_location
    return RoutingPolicy(
        kind=_KINDS.get(message.kind, RoutingKind.NEAREST),  # of a newer control plane: the default is better than none
        regions=tuple(message.regions),
        weights=dict(message.weights),
        allowed_regions=tuple(message.allowed_regions),
        denied_regions=tuple(message.denied_regions),
        answers=message.answers or 1,
        default_location=Location(place.latitude, place.longitude) if message.HasField("default_location") else None,
    )


def _node_violations(node: RoutedNode) -> list[Violation]:
    found = [Violation("id", reason) for reason in names.node_id_reasons(node.id)]
    found += _location_violations("location", node.location)
    if not 1 <= node.ingress.port <= 65535:
        found.append(Violation("ingress.port", f"{node.ingress.port} is no port"))
    for version, addresses in ((4, node.ingress.ipv4), (6, node.ingress.ipv6)):
        found += [
            Violation(f"ingress.ipv{version}", f'"{address}" is no IPv{version} address')
            for address in addresses
            if not _is_address(address, version)
        ]
    return found


def _function_violations(function: RoutedFunction) -> list[Violation]:
    policy = function.policy
    found = [Violation("name", reason) for reason in names.label_reasons(function.name)]
    found += [
        Violation("hostnames", reason) for hostname in function.hostnames for reason in names.hostname_reasons(hostname)
    ]
    if policy.default_location is not None:
        found += _location_violations("policy.default_location", policy.default_location)
    found += [
        Violation("policy.weights", f"{weight} is more than {WEIGHT_MAX}")
        for weight in policy.weights.values()
        if weight > WEIGHT_MAX
    ]
    return found


def _location_violations(field: str, place: Location) -> list[Violation]:
    latitude, longitude = place.latitude, place.longitude
    if math.isfinite(latitude) and abs(latitude) <= 90 and math.isfinite(longitude) and abs(longitude) <= 180:
        return []
    return [Violation(field, f"{latitude}, {longitude} is not on the earth")]


def _is_address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False
