"""Wrangler's configuration, wrangler.toml or wrangler.json(c), as settings. Pure."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from controlplane.bundle.errors import UnusableSource
from controlplane.bundle.settings import AssetSettings, Keys, Settings
from nearhop import names
from nearhop.packs import HTML_HANDLING, NOT_FOUND_HANDLING
from nearhop.spec import RateLimiter

_NO_BINDING = "the platform has no such binding, and a program that uses it would not run"
_MEANINGFUL = {
    **dict.fromkeys(
        (
            "ai", "ai_search", "analytics_engine_datasets", "browser", "cloudchamber", "containers", "d1_databases", "data_blobs",
            "dispatch_namespaces", "durable_objects", "exports", "hyperdrive", "images", "kv_namespaces", "media", "migrations",
            "mtls_certificates", "pipelines", "queues", "r2_buckets", "secrets_store_secrets", "send_email", "services", "stream",
            "text_blobs", "vectorize", "vpc_services", "wasm_modules", "worker_loaders", "workflows",
        ),
        _NO_BINDING,
    ),
    "site": "Workers Sites are not offered: use assets",
    "pages_build_output_dir": "Pages projects are not read: use main and assets",
    "define": "the bundler replaces no names: use vars",
    "alias": "the bundler knows no aliases: use the import map of deno.json",
    "python_modules": "only JavaScript and TypeScript run here",
}  # fmt: skip
# What wrangler does on its own machine or account, which changes nothing of what runs.
_SILENT = frozenset(
    {
        "$schema", "account_id", "dev", "env", "keep_vars", "legacy_env", "minify", "preview_urls", "send_metrics",
        "upload_source_maps", "workers_dev",
    }
)  # fmt: skip
# What an environment does not take over from the top level (Wrangler's "non-inheritable keys").
_OWN = frozenset({"vars", "ratelimits", "unsafe", "version_metadata", "define", "tail_consumers"} | {
    key for key, reason in _MEANINGFUL.items() if reason == _NO_BINDING
})  # fmt: skip
_HOST = re.compile(r"(?:https?://)?([^/:*]+)(/.*)?", re.IGNORECASE)
_BINDING = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)
_NAVIGATION_SINCE = "2025-04-01"  # assets_navigation_prefers_asset_serving is the default from then on


def read(file: str, table: Mapping[str, Any], environment: str | None = None) -> Settings:
    """Return what *table* says, under the environment of that name if one is given. Raises UnusableSource with every error."""
    keys = Keys(file, _chosen(file, table, environment))
    hostnames, routes = _routes(keys)
    limits = keys.table("limits")
    main, date = keys.text("main"), keys.text("compatibility_date") or ""
    settings = Settings(
        name=keys.text("name"),
        main=main,
        vars=_vars(keys),
        crons=_crons(keys),
        rate_limiters=_rate_limiters(keys),
        assets=_assets(keys, main, date),
        hostnames=hostnames,
        routes=routes,
        cpu_ms=(limits and limits.count("cpu_ms")) or 0,
        subrequests=(limits and limits.count("subrequests")) or 0,
        version_binding=_version_binding(keys),
        compatibility_date=date,
        compatibility_flags=keys.texts("compatibility_flags"),
    )
    if limits:
        limits.rest(meaningful={})
    keys.rest(meaningful=_MEANINGFUL, silent=_SILENT)
    if table.get("env") and environment is None:
        keys.warn("env", "no environment is chosen, so the top level counts; choose one with --env")
    keys.raise_if_any()
    return replace(settings, warnings=tuple(dict.fromkeys(keys.warnings)))


def _chosen(file: str, table: Mapping[str, Any], environment: str | None) -> Mapping[str, Any]:
    if environment is None:
        return table
    all_of_them = table.get("env")
    known = all_of_them if isinstance(all_of_them, dict) else {}
    chosen = known.get(environment)
    if not isinstance(chosen, dict):
        there = ", ".join(sorted(map(str, known))) or "none"
        raise UnusableSource(f"{file} has no environment {environment}; there is {there}")
    shared = {key: value for key, value in table.items() if key not in _OWN and key != "env"}
    name = table.get("name")
    named = {"name": f"{name}-{environment}"} if isinstance(name, str) else {}
    return {**shared, **named, **chosen}


def _vars(keys: Keys) -> dict[str, str]:
    table = keys.table("vars")
    found = {}
    for name, value in table.items() if table else ():
        if isinstance(value, str):
            found[name] = value
        else:
            keys.error(f"vars.{name}", "must be a text; the program parses what else it needs")
    return found


def _crons(keys: Keys) -> tuple[str, ...]:
    triggers = keys.table("triggers")
    if triggers is None:
        return ()
    crons = triggers.texts("crons")
    triggers.rest(meaningful={})
    for cron in crons:
        if len(cron.split()) != 5:
            triggers.error("crons", f'"{cron}" has not five fields')
    return crons


def _rate_limiters(keys: Keys) -> tuple[RateLimiter, ...]:
    found = [_rate_limiter(item, item.text("name")) for item in keys.tables("ratelimits")]
    unsafe = keys.table("unsafe")
    for binding in unsafe.tables("bindings") if unsafe else ():
        if binding.text("type") == "ratelimit":
            found.append(_rate_limiter(binding, binding.text("name")))
        else:
            binding.error("type", _NO_BINDING)
    if unsafe:
        unsafe.rest(meaningful={})
    return tuple(found)


def _rate_limiter(keys: Keys, name: str | None) -> RateLimiter:
    keys.any(
        "namespace_id"
    )  # limiters of one namespace share their counts on Cloudflare; here each function has its own
    simple = keys.table("simple")
    limit = simple.count("limit") if simple else None
    period = simple.any("period") if simple else None
    if name is None or not _BINDING.fullmatch(name) or limit is None or period not in (10, 60):
        keys.error("simple", "a rate limiter needs a name, simple.limit, and simple.period, which is 10 or 60")
        return RateLimiter("", 1, 10)
    keys.rest(meaningful={})
    return RateLimiter(name, limit, period)


def _assets(keys: Keys, main: str | None, date: str) -> AssetSettings | None:
    table = keys.table("assets")
    if table is None:
        return None
    first = table.any("run_worker_first")
    if first is not None and not isinstance(first, bool) and not _patterns(first):
        table.error("run_worker_first", "must be true, false, or a list of paths that begin with / or !/")
        first = None
    html = table.one_of("html_handling", HTML_HANDLING) or HTML_HANDLING[0]
    missing = table.one_of("not_found_handling", NOT_FOUND_HANDLING) or NOT_FOUND_HANDLING[0]
    directory, binding = table.text("directory"), table.text("binding") or ""
    if binding and not _BINDING.fullmatch(binding):
        table.error("binding", "must be a name that a program can use")
    if directory is None:
        table.error("directory", "is missing: the folder of the files")
    if main and missing != "none" and date >= _NAVIGATION_SINCE:
        table.warn(
            "not_found_handling", "a path without a file goes to the program, also when a browser navigates there"
        )
    table.rest(meaningful={})
    patterns = () if isinstance(first, bool) or first is None else tuple(first)
    return AssetSettings(directory or "", binding, html, missing, first is True, patterns)


def _patterns(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item.startswith(("/", "!/")) for item in value)


def _version_binding(keys: Keys) -> str:
    table = keys.table("version_metadata")
    binding = (table and table.text("binding")) or ""
    if table is not None and not _BINDING.fullmatch(binding):
        table.error("binding", "must be a name that a program can use")
    return binding


def _routes(keys: Keys) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    several = keys.any("routes")
    one = keys.any("route")
    if several is not None and not isinstance(several, list):
        keys.error("routes", "must be a list")
        several = []
    hostnames: list[str] = []
    paths: list[tuple[str, str]] = []
    for route in [*([] if one is None else [one]), *(several or [])]:
        pattern, custom = (route.get("pattern"), route.get("custom_domain") is True) if isinstance(route, dict) else (route, False)  # fmt: skip
        found = _route(keys, pattern, custom=custom)
        if found is None:
            continue
        host, path = found
        if path == "/":
            hostnames.append(host)
        else:
            paths.append((host, path))
    return tuple(dict.fromkeys(hostnames)), tuple(dict.fromkeys(paths))


def _route(keys: Keys, pattern: Any, *, custom: bool) -> tuple[str, str] | None:
    match = _HOST.fullmatch(pattern) if isinstance(pattern, str) else None
    if match is None:
        keys.error(
            "routes", f"{ascii(pattern)[:80]} is no pattern of a host and a path; a * in the host is not offered"
        )
        return None
    host, path = match[1].lower(), match[2] or ""
    if reasons := names.hostname_reasons(host):
        keys.error("routes", f"{ascii(pattern)[:80]}: {reasons[0]}")
        return None
    if custom and path not in ("", "/"):
        keys.error("routes", f"{pattern}: a custom domain has no path")
        return None
    if custom:
        return host, "/"
    if not path.endswith("*") or "*" in path[:-1] or "?" in path:
        keys.error("routes", f"{pattern} is one path alone, and routes are prefixes here: end it with *")
        return None
    return host, path[:-1]
