"""The contract's manifests and policies -> the node's records. Pure; what cannot be honored is said by problems()."""

from nearhop import names
from nearhop.v1 import common_pb2
from node.plan.records import (
    Assets,
    EdgeRoute,
    HtmlHandling,
    Manifest,
    NotFoundHandling,
    PathRoute,
    RateLimit,
    RateLimiter,
)

ASSETS_MAX_BYTES = 10 << 20
_HTML: dict[int, HtmlHandling] = {
    common_pb2.Assets.HTML_HANDLING_UNSPECIFIED: HtmlHandling.AUTO_TRAILING_SLASH,
    common_pb2.Assets.HTML_HANDLING_AUTO_TRAILING_SLASH: HtmlHandling.AUTO_TRAILING_SLASH,
    common_pb2.Assets.HTML_HANDLING_FORCE_TRAILING_SLASH: HtmlHandling.FORCE_TRAILING_SLASH,
    common_pb2.Assets.HTML_HANDLING_DROP_TRAILING_SLASH: HtmlHandling.DROP_TRAILING_SLASH,
    common_pb2.Assets.HTML_HANDLING_NONE: HtmlHandling.NONE,
}
_NOT_FOUND: dict[int, NotFoundHandling] = {
    common_pb2.Assets.NOT_FOUND_HANDLING_UNSPECIFIED: NotFoundHandling.NONE,
    common_pb2.Assets.NOT_FOUND_HANDLING_NONE: NotFoundHandling.NONE,
    common_pb2.Assets.NOT_FOUND_HANDLING_404_PAGE: NotFoundHandling.PAGE_404,
    common_pb2.Assets.NOT_FOUND_HANDLING_SINGLE_PAGE_APPLICATION: NotFoundHandling.SINGLE_PAGE_APPLICATION,
}


def manifest(message: common_pb2.Manifest) -> Manifest:
    return Manifest(
        vars=dict(sorted(message.vars.items())),
        secrets=tuple(message.secrets),
        crons=tuple(message.crons),
        rate_limiters=tuple(RateLimiter(item.name, item.limit, item.period_s) for item in message.rate_limiters),
        assets=_assets(message.assets) if message.HasField("assets") else None,
        handlers=tuple(message.handlers),
        compatibility_date=message.compatibility_date,
        compatibility_flags=tuple(message.compatibility_flags),
        matchers=tuple(message.matchers),
        edge_routes=tuple(EdgeRoute(item.path, item.export) for item in message.edge_routes),
        version_binding=message.version_binding,
    )


def _assets(message: common_pb2.Assets) -> Assets:
    return Assets(
        digest=message.digest,
        size_bytes=message.size_bytes,
        binding=message.binding,
        html_handling=_HTML.get(message.html_handling, HtmlHandling.AUTO_TRAILING_SLASH),
        not_found_handling=_NOT_FOUND.get(message.not_found_handling, NotFoundHandling.NONE),
        program_first=message.program_first,
        program_first_paths=tuple(message.program_first_paths),
    )


def problems(message: common_pb2.Manifest) -> list[str]:
    """Say why a version with this manifest cannot be carried out."""
    if not message.HasField("assets"):
        return []
    found = [f"assets' digest {reason}" for reason in names.digest_reasons(message.assets.digest)]
    if message.assets.size_bytes > ASSETS_MAX_BYTES:
        found.append(f"{message.assets.size_bytes} bytes of assets are more than {ASSETS_MAX_BYTES}")
    return found


def routes(messages: list[common_pb2.PathRoute]) -> tuple[PathRoute, ...]:
    """Return the routes, each once; what is no route is left out, and is a problem already."""
    found = (PathRoute(item.hostname, item.path) for item in messages if not route_reasons(item))
    return tuple(dict.fromkeys(found))


def route_reasons(message: common_pb2.PathRoute) -> list[str]:
    reasons = [f"hostname {message.hostname!r} {reason}" for reason in names.hostname_reasons(message.hostname)]
    return reasons + [f"path {message.path!r} {reason}" for reason in names.path_prefix_reasons(message.path)]


def rate_limit(message: common_pb2.RateLimit) -> RateLimit:
    return RateLimit(message.requests, min(message.period_s or 10, 3600))
