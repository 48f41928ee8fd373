"""What a bundle brings with it, as the contract's messages and for people. Pure but for the stubs."""

from collections.abc import Iterable
from typing import Any

from controlplane.bundle import Bundle
from controlplane.bundle.bundler import STATIC_BINDING
from nearhop.spec import Dialect
from nearhop.v1 import common_pb2, functions_pb2

_HTML = {
    "auto-trailing-slash": common_pb2.Assets.HTML_HANDLING_AUTO_TRAILING_SLASH,
    "force-trailing-slash": common_pb2.Assets.HTML_HANDLING_FORCE_TRAILING_SLASH,
    "drop-trailing-slash": common_pb2.Assets.HTML_HANDLING_DROP_TRAILING_SLASH,
    "none": common_pb2.Assets.HTML_HANDLING_NONE,
}
_NOT_FOUND = {
    "none": common_pb2.Assets.NOT_FOUND_HANDLING_NONE,
    "404-page": common_pb2.Assets.NOT_FOUND_HANDLING_404_PAGE,
    "single-page-application": common_pb2.Assets.NOT_FOUND_HANDLING_SINGLE_PAGE_APPLICATION,
}


def manifest(made: Bundle) -> common_pb2.Manifest:
    """Return the manifest of a version of *made*."""
    settings = made.settings
    limiters = (
        common_pb2.RateLimiter(name=item.name, limit=item.limit, period_s=item.period_s)
        for item in settings.rate_limiters
    )
    return common_pb2.Manifest(
        vars=dict(settings.vars),
        crons=settings.crons,
        rate_limiters=limiters,
        assets=_assets(made),
        handlers=made.handlers,
        compatibility_date=settings.compatibility_date,
        compatibility_flags=settings.compatibility_flags,
        matchers=settings.matchers,
        edge_routes=(common_pb2.EdgeRoute(path=item.path, export=item.export) for item in settings.edge_routes),
        version_binding=settings.version_binding,
    )


def _assets(made: Bundle) -> common_pb2.Assets | None:
    pack, settings = made.assets, made.settings.assets
    if pack is None or settings is None:
        return None
    return common_pb2.Assets(
        digest=pack.digest,
        size_bytes=len(pack.data),
        binding=settings.binding or (STATIC_BINDING if made.dialect is Dialect.STATIC else ""),
        html_handling=_HTML[settings.html_handling],
        not_found_handling=_NOT_FOUND[settings.not_found_handling],
        program_first=settings.program_first,
        program_first_paths=settings.program_first_paths,
    )


def update(made: Bundle, function: functions_pb2.Function) -> functions_pb2.UpdateFunctionRequest | None:
    """Return the change that the project's files ask of *function*, None when it is so already. What they do not name stays."""
    settings = made.settings
    request = functions_pb2.UpdateFunctionRequest(name=function.name)
    limits = common_pb2.Limits()
    limits.CopyFrom(function.limits)
    limits.cpu_ms = settings.cpu_ms or limits.cpu_ms
    limits.subrequests = settings.subrequests or limits.subrequests
    if limits != function.limits:
        request.limits.CopyFrom(limits)
    if settings.hostnames or settings.routes:
        wanted = functions_pb2.UpdateFunctionRequest.Hostnames(
            hostnames=settings.hostnames,
            routes=(common_pb2.PathRoute(hostname=host, path=path) for host, path in settings.routes),
        )
        own = list(function.hostnames)[1:]  # the first is the platform's
        if own != list(settings.hostnames) or _pairs(function.routes) != _pairs(wanted.routes):
            request.hostnames.CopyFrom(wanted)
    return request if request.HasField("limits") or request.HasField("hostnames") else None


def _pairs(routes: Iterable[common_pb2.PathRoute]) -> set[tuple[str, str]]:
    return {(route.hostname, route.path) for route in routes}


def plan(made: Bundle, function: str) -> dict[str, Any]:
    """Return what `--dry-run --json` prints: what would be deployed, without the values of variables."""
    settings, pack = made.settings, made.assets
    return {
        "function": function,
        "dialect": made.dialect.value,
        "entrypoint": made.entrypoint,
        "module": {"digest": made.digest, "bytes": len(made.source)},
        "assets": None
        if pack is None or settings.assets is None
        else {
            "digest": pack.digest,
            "bytes": len(pack.data),
            "files": pack.files,
            "unpacked_bytes": pack.unpacked_bytes,
            "directory": settings.assets.directory,
            "html_handling": settings.assets.html_handling,
            "not_found_handling": settings.assets.not_found_handling,
        },
        "vars": sorted(settings.vars),
        "crons": list(settings.crons),
        "rate_limiters": [item.name for item in settings.rate_limiters],
        "hostnames": list(settings.hostnames),
        "routes": [f"{host}{path}*" for host, path in settings.routes],
        "paths": [item.path for item in settings.edge_routes],
        "matchers": list(settings.matchers),
        "limits": {key: value for key, value in (("cpu_ms", settings.cpu_ms), ("subrequests", settings.subrequests)) if value},
        "warnings": list(made.warnings),
    }  # fmt: skip


def lines(planned: dict[str, Any]) -> list[str]:
    """Return *planned* as sentences for people."""
    module, assets = planned["module"], planned["assets"]
    said = [
        f"{planned['function']} would be deployed as a {planned['dialect']} program"
        if planned["dialect"] != "static"
        else f"{planned['function']} would be deployed as a static site"
    ]
    if planned["dialect"] != "static":
        said.append(
            f"  module        {planned['entrypoint']}, {module['bytes']:,} bytes, sha256 {module['digest'][:12]}"
        )
    if assets is not None:
        said.append(
            f"  static files  {assets['files']:,} of {assets['directory']}, {assets['unpacked_bytes']:,} bytes, "
            f"{assets['bytes']:,} packed, sha256 {assets['digest'][:12]}"
        )
    lists = ("paths", "matchers", "hostnames", "routes", "vars", "rate_limiters", "crons")
    said += [f"  {key.replace('_', ' '):13} {', '.join(planned[key])}" for key in lists if planned[key]]
    if planned["limits"]:
        said.append("  limits        " + ", ".join(f"{key} {value}" for key, value in planned["limits"].items()))
    return said
