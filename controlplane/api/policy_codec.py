"""Routing policies of functions <-> protobuf messages."""

from controlplane.model import Location, RoutingKind, RoutingPolicy
from nearhop.v1 import common_pb2

_KINDS = {
    RoutingKind.NEAREST: common_pb2.RoutingPolicy.KIND_NEAREST,
    RoutingKind.FAILOVER: common_pb2.RoutingPolicy.KIND_FAILOVER,
    RoutingKind.WEIGHTED: common_pb2.RoutingPolicy.KIND_WEIGHTED,
}
_KIND_OF: dict[int, RoutingKind] = {number: kind for kind, number in _KINDS.items()}


def routing(record: RoutingPolicy) -> common_pb2.RoutingPolicy:
    place = record.default_location
    return common_pb2.RoutingPolicy(
        kind=_KINDS[record.kind],
        regions=record.regions,
        weights=record.weights,
        allowed_regions=record.allowed_regions,
        denied_regions=record.denied_regions,
        answers=record.answers,
        default_location=None
        if place is None
        else common_pb2.Location(latitude=place.latitude, longitude=place.longitude),
    )


def read_routing(message: common_pb2.RoutingPolicy) -> RoutingPolicy:
    """Return the record; what it may hold is judged elsewhere."""
    place = message.default_location if message.HasField("default_location") else None
    return RoutingPolicy(
        kind=_KIND_OF.get(message.kind, RoutingKind.NEAREST),
        regions=tuple(message.regions),
        weights=dict(sorted(message.weights.items())),
        allowed_regions=tuple(message.allowed_regions),
        denied_regions=tuple(message.denied_regions),
        answers=message.answers or 1,
        default_location=None if place is None else Location(place.latitude, place.longitude),
    )
