"""Manifests and policies of functions <-> protobuf messages."""

from controlplane.model import (
    Assets,
    EdgeRoute,
    HtmlHandling,
    Location,
    Manifest,
    NotFoundHandling,
    PathRoute,
    RateLimit,
    RateLimiter,
    RoutingKind,
    RoutingPolicy,
)
from nearhop.v1 import common_pb2

_HTML = {
    HtmlHandling.AUTO_TRAILING_SLASH: common_pb2.Assets.HTML_HANDLING_AUTO_TRAILING_SLASH,
    HtmlHandling.FORCE_TRAILING_SLASH: common_pb2.Assets.HTML_HANDLING_FORCE_TRAILING_SLASH,
    HtmlHandling.DROP_TRAILING_SLASH: common_pb2.Assets.HTML_HANDLING_DROP_TRAILING_SLASH,
    HtmlHandling.NONE: common_pb2.Assets.HTML_HANDLING_NONE,
}
_NOT_FOUND = {
    NotFoundHandling.NONE: common_pb2.Assets.NOT_FOUND_HANDLING_NONE,
    NotFoundHandling.PAGE_404: common_pb2.Assets.NOT_FOUND_HANDLING_404_PAGE,
    NotFoundHandling.SINGLE_PAGE_APPLICATION: common_pb2.Assets.NOT_FOUND_HANDLING_SINGLE_PAGE_APPLICATION,
}
_KINDS = {
    RoutingKind.NEAREST: common_pb2.RoutingPolicy.KIND_NEAREST,
    RoutingKind.FAILOVER: common_pb2.RoutingPolicy.KIND_FAILOVER,
    RoutingKind.WEIGHTED: common_pb2.RoutingPolicy.KIND_WEIGHTED,
}
_HTML_OF: dict[int, HtmlHandling] = {number: kind for kind, number in _HTML.items()}
_NOT_FOUND_OF: dict[int, NotFoundHandling] = {number: kind for kind, number in _NOT_FOUND.items()}
_KIND_OF: dict[int, RoutingKind] = {number: kind for kind, number in _KINDS.items()}


def manifest(record: Manifest) -> common_pb2.Manifest:
    return common_pb2.Manifest(
        vars=record.vars,
        secrets=record.secrets,
        crons=record.crons,
        rate_limiters=[
            common_pb2.RateLimiter(name=item.name, limit=item.limit, period_s=item.period_s)
            for item in record.rate_limiters
        ],
        assets=None if record.assets is None else assets(record.assets),
        handlers=record.handlers,
        compatibility_date=record.compatibility_date,
        compatibility_flags=record.compatibility_flags,
        matchers=record.matchers,
        edge_routes=[common_pb2.EdgeRoute(path=item.path, export=item.export) for item in record.edge_routes],
        version_binding=record.version_binding,
    )


def read_manifest(message: common_pb2.Manifest) -> Manifest:
    """Return the record; what it may hold is judged elsewhere."""
    return Manifest(
        vars=dict(sorted(message.vars.items())),
        secrets=tuple(message.secrets),
        crons=tuple(message.crons),
        rate_limiters=tuple(RateLimiter(item.name, item.limit, item.period_s) for item in message.rate_limiters),
        assets=read_assets(message.assets) if message.HasField("assets") else None,
        handlers=tuple(message.handlers),
        compatibility_date=message.compatibility_date,
        compatibility_flags=tuple(message.compatibility_flags),
        matchers=tuple(message.matchers),
        edge_routes=tuple(EdgeRoute(item.path, item.export) for item in message.edge_routes),
        version_binding=message.version_binding,
    )


def assets(record: Assets) -> common_pb2.Assets:
    return common_pb2.Assets(
        digest=record.digest,
        size_bytes=record.size_bytes,
        binding=record.binding,
        html_handling=_HTML[record.html_handling],
        not_found_handling=_NOT_FOUND[record.not_found_handling],
        program_first=record.program_first,
        program_first_paths=record.program_first_paths,
    )


def read_assets(message: common_pb2.Assets) -> Assets:
    """Return the record; a handling that is not known is the default one."""
    return Assets(
        digest=message.digest,
        size_bytes=message.size_bytes,
        binding=message.binding,
        html_handling=_HTML_OF.get(message.html_handling, HtmlHandling.AUTO_TRAILING_SLASH),
        not_found_handling=_NOT_FOUND_OF.get(message.not_found_handling, NotFoundHandling.NONE),
        program_first=message.program_first,
        program_first_paths=tuple(message.program_first_paths),
    )


def routes(records: tuple[PathRoute, ...]) -> list[common_pb2.PathRoute]:
    return [common_pb2.PathRoute(hostname=route.hostname, path=route.path) for route in records]


def rate_limit(record: RateLimit) -> common_pb2.RateLimit:
    return common_pb2.RateLimit(requests=record.requests, period_s=record.period_s)


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
