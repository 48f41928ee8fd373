"""What a function's hostnames, path routes, rate limit and routing policy must be."""

import ipaddress
from collections.abc import Iterable

from controlplane.api import policy_codec, validate
from controlplane.api.validate import Check
from controlplane.model import RoutingKind, RoutingPolicy
from nearhop import names, spec_codec
from nearhop.spec import PathRoute, RateLimit
from nearhop.v1 import common_pb2

_HOSTNAMES_MAX = 16
_ROUTES_MAX = 32  # etcd takes 128 writes in a transaction: all claims that are given up, and all new ones
_PERIOD_S_MAX = 3600
_REGIONS_MAX = 64
_WEIGHT_MAX = 1_000_000
_ANSWERS_MAX = 8
_OWN_LABELS = 2  # a hostname of one label is of no domain that anybody owns


def hostnames(check: Check, field: str, values: Iterable[str], zone: str) -> tuple[str, ...]:
    """Return the owner's own domains. Names within the platform's zone are given by it, and never taken."""
    found = list(values)
    if len(found) > _HOSTNAMES_MAX:
        check.add(field, [f"holds {len(found)} hostnames; at most {_HOSTNAMES_MAX} are allowed"])
        return ()
    for number, value in enumerate(found):
        check.add(f"{field}[{number}]", hostname_reasons(value, zone))
        if value in found[:number]:
            check.add(f"{field}[{number}]", [f"{value} stands there twice"])
    return tuple(found)


def routes(check: Check, field: str, messages: Iterable[common_pb2.PathRoute], zone: str) -> tuple[PathRoute, ...]:
    """Return the path routes."""
    found = spec_codec.read_routes(messages)
    if len(found) > _ROUTES_MAX:
        check.add(field, [f"holds {len(found)} path routes; at most {_ROUTES_MAX} are allowed"])
        return ()
    for number, route in enumerate(found):
        check.add(f"{field}[{number}].hostname", hostname_reasons(route.hostname, zone))
        check.add(f"{field}[{number}].path", names.path_prefix_reasons(route.path))
        if route in found[:number]:
            check.add(f"{field}[{number}]", [f"{route.hostname}{route.path} stands there twice"])
    return tuple(found)


def hostname_reasons(value: str, zone: str) -> list[str]:
    """Say why *value* cannot be a function's own hostname."""
    if not value.isascii():
        return ["must be given as its A-label (xn--…): an internationalized name has more than one spelling"]
    if reasons := names.hostname_reasons(value):
        return reasons
    labels = value.split(".")
    if len(labels) < _OWN_LABELS:
        return ["must hold a dot"]
    if labels[-1].isdigit() or _is_address(value):
        return ["is an address, not a hostname"]
    if value == zone or value.endswith(f".{zone}"):
        return [f"lies within the platform's zone {zone}, whose names belong to the functions that they spell"]
    return []


def rate_limit(check: Check, message: common_pb2.RateLimit) -> RateLimit:
    if message.period_s > _PERIOD_S_MAX:
        check.add("rate_limit.period_s", [f"is {message.period_s}; 1 to {_PERIOD_S_MAX} is allowed"])
    return spec_codec.read_rate_limit(message)


def routing(check: Check, message: common_pb2.RoutingPolicy) -> RoutingPolicy:
    policy = policy_codec.read_routing(message)
    if message.kind not in common_pb2.RoutingPolicy.Kind.values():
        check.add("routing.kind", [f"{message.kind} is not known"])
    for field in ("regions", "weights", "allowed_regions", "denied_regions"):
        _regions(check, f"routing.{field}", tuple(getattr(policy, field)))
    if policy.kind is RoutingKind.FAILOVER and not policy.regions:
        check.add("routing.regions", ["must name the regions in order of preference for FAILOVER"])
    if policy.kind is RoutingKind.WEIGHTED and not any(policy.weights.values()):
        check.add("routing.weights", ["must give at least one region a weight above 0 for WEIGHTED"])
    for region, weight in policy.weights.items():
        if weight > _WEIGHT_MAX:
            check.add(f"routing.weights[{region}]", [f"is {weight}; at most {_WEIGHT_MAX} is allowed"])
    if both := sorted(set(policy.allowed_regions) & set(policy.denied_regions)):
        check.add("routing.denied_regions", [f"names {', '.join(both)}, which allowed_regions names too"])
    if message.answers > _ANSWERS_MAX:
        check.add("routing.answers", [f"is {message.answers}; 1 to {_ANSWERS_MAX} is allowed"])
    if message.HasField("default_location"):
        validate.location(check, "routing.default_location", message.default_location)
    return policy


def _regions(check: Check, field: str, values: tuple[str, ...]) -> None:
    if len(values) > _REGIONS_MAX:
        check.add(field, [f"holds {len(values)} regions; at most {_REGIONS_MAX} are allowed"])
    for value in values:
        check.add(f"{field}[{value}]", names.region_reasons(value))
    if len(set(values)) < len(values):
        check.add(field, ["names a region twice"])


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True
