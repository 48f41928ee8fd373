"""The records of spec <-> the contract's messages. Pure but for the stubs.

Nothing is judged or cut here: a reader's own checks come before (the API) or after (the node). What is not known reads as the default.
"""

from collections.abc import Iterable

from nearhop.spec import (
    Assets,
    Dialect,
    EdgeRoute,
    HtmlHandling,
    Limits,
    Manifest,
    NotFoundHandling,
    PathRoute,
    RateLimit,
    RateLimiter,
)
from nearhop.v1 import common_pb2

DIALECTS = {
    Dialect.WORKERS: common_pb2.DIALECT_WORKERS,
    Dialect.DENO: common_pb2.DIALECT_DENO,
    Dialect.VERCEL: common_pb2.DIALECT_VERCEL,
    Dialect.STATIC: common_pb2.DIALECT_STATIC,
}
DIALECT_OF: dict[int, Dialect] = {number: kind for kind, number in DIALECTS.items()}  # one without a default
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
_HTML_OF: dict[int, HtmlHandling] = {number: kind for kind, number in _HTML.items()}
_NOT_FOUND_OF: dict[int, NotFoundHandling] = {number: kind for kind, number in _NOT_FOUND.items()}


def limits(record: Limits) -> common_pb2.Limits:
    return common_pb2.Limits(
        cpu_ms=record.cpu_ms,
        memory_mib=record.memory_mib,
        wall_ms=record.wall_ms,
        subrequests=record.subrequests,
        request_body_bytes=record.request_body_bytes,
        concurrency=record.concurrency,
        instances=record.instances,
    )


def read_limits(message: common_pb2.Limits, default: Limits | None = None) -> Limits:
    """Return the limits; where the message says zero those of *default*, which are the platform's without one."""
    default = Limits() if default is None else default
    return Limits(
        message.cpu_ms or default.cpu_ms,
        message.memory_mib or default.memory_mib,
        message.wall_ms or default.wall_ms,
        message.subrequests or default.subrequests,
        message.request_body_bytes or default.request_body_bytes,
        message.concurrency or default.concurrency,
        message.instances or default.instances,
    )


def routes(records: Iterable[PathRoute]) -> list[common_pb2.PathRoute]:
    return [common_pb2.PathRoute(hostname=route.hostname, path=route.path) for route in records]


def read_routes(messages: Iterable[common_pb2.PathRoute]) -> list[PathRoute]:
    return [PathRoute(message.hostname, message.path) for message in messages]


def rate_limit(record: RateLimit) -> common_pb2.RateLimit:
    return common_pb2.RateLimit(requests=record.requests, period_s=record.period_s)


def read_rate_limit(message: common_pb2.RateLimit) -> RateLimit:
    return RateLimit(message.requests, message.period_s or RateLimit().period_s)


def manifest(record: Manifest) -> common_pb2.Manifest:
    return common_pb2.Manifest(
        vars=record.vars,
        secrets=record.secrets,
        crons=record.crons,
        rate_limiters=[
            common_pb2.RateLimiter(name=item.name, limit=item.limit, period_s=item.period_s)
            for item in record.rate_limiters
        ],
        assets=None if record.assets is None else _assets(record.assets),
        handlers=record.handlers,
        compatibility_date=record.compatibility_date,
        compatibility_flags=record.compatibility_flags,
        matchers=record.matchers,
        edge_routes=[common_pb2.EdgeRoute(path=item.path, export=item.export) for item in record.edge_routes],
        version_binding=record.version_binding,
    )


def read_manifest(message: common_pb2.Manifest) -> Manifest:
    return Manifest(
        vars=dict(sorted(message.vars.items())),
        secrets=tuple(message.secrets),
        crons=tuple(message.crons),
        rate_limiters=tuple(RateLimiter(item.name, item.limit, item.period_s) for item in message.rate_limiters),
        assets=_read_assets(message.assets) if message.HasField("assets") else None,
        handlers=tuple(message.handlers),
        compatibility_date=message.compatibility_date,
        compatibility_flags=tuple(message.compatibility_flags),
        matchers=tuple(message.matchers),
        edge_routes=tuple(EdgeRoute(item.path, item.export) for item in message.edge_routes),
        version_binding=message.version_binding,
    )


def _assets(record: Assets) -> common_pb2.Assets:
    return common_pb2.Assets(
        digest=record.digest,
        size_bytes=record.size_bytes,
        binding=record.binding,
        html_handling=_HTML[record.html_handling],
        not_found_handling=_NOT_FOUND[record.not_found_handling],
        program_first=record.program_first,
        program_first_paths=record.program_first_paths,
    )


def _read_assets(message: common_pb2.Assets) -> Assets:
    return Assets(
        digest=message.digest,
        size_bytes=message.size_bytes,
        binding=message.binding,
        html_handling=_HTML_OF.get(message.html_handling, HtmlHandling.AUTO_TRAILING_SLASH),
        not_found_handling=_NOT_FOUND_OF.get(message.not_found_handling, NotFoundHandling.NONE),
        program_first=message.program_first,
        program_first_paths=tuple(message.program_first_paths),
    )
