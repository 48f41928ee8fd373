"""What the ingress must know of a function beyond where its sandboxes are: its names, its limits, its files."""

import re
import zlib
from collections.abc import Iterable
from dataclasses import replace

from node.plan.records import Assets, Dialect, Placement, Route, Version


def table(placement: Placement, route: Route, zone: str) -> dict[str, Route]:
    """Return *route* under every name that leads to it: hostnames, hostnames with a path, and the host of the version that it serves.

    A preview host, `v3--name.zone`, names one version: there is one only for the version that serves.
    """
    names = [*placement.hostnames, *(f"{item.hostname}{item.path}" for item in placement.routes)]
    found = dict.fromkeys(names, route)
    for version in (share for _, share in route.shares) if route.shares else (route,):
        if zone and version.version:
            found[preview(placement.function, version.version, zone)] = version
    return found


def preview(function: str, version: int, zone: str) -> str:
    """Return the hostname under which one version of a function is reached, whatever its share."""
    return f"v{version}--{function}.{zone}"


def complete(route: Route, placement: Placement, version: Version | None) -> Route:
    """Add to *route* what it does not say yet of *placement*, and of the *version* that it leads to."""
    limits = placement.limits
    assets = version.manifest.assets if version is not None else None
    is_static = version is not None and version.dialect is Dialect.STATIC
    files_first = assets is not None and (is_static or not assets.program_first)
    return replace(
        route,
        request_body_bytes=limits.request_body_bytes,
        concurrency=limits.concurrency,
        rate_limit=placement.rate_limit,
        cache_epoch=placement.cache_epoch,
        assets=asset_set(assets) if assets is not None and files_first else "",
        static=is_static,
    )


def asset_set(assets: Assets) -> str:
    """Name the files of a pack that answer before the program: all of them, or those that its patterns leave."""
    if not assets.program_first_paths:
        return assets.digest
    return f"{assets.digest}-{zlib.crc32(chr(0).join(assets.program_first_paths).encode()):08x}"


def answered(assets: Assets, paths: Iterable[str]) -> frozenset[str]:
    """Return those of a pack's request paths that are answered before the program is asked."""
    patterns = assets.program_first_paths
    first = [_matcher(pattern) for pattern in patterns if not pattern.startswith("!")]
    excluded = [_matcher(pattern[1:]) for pattern in patterns if pattern.startswith("!")]

    def is_programs(path: str) -> bool:
        return any(item.fullmatch(path) for item in first) and not any(item.fullmatch(path) for item in excluded)

    return frozenset(path for path in paths if not is_programs(path))


def _matcher(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))))
