"""What the ingress must know of a function beyond where its sandboxes are: its names, its limits, its files."""

from dataclasses import replace

from node.plan.records import Dialect, Placement, Route, Version


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
    # A program that is asked first has its files behind it, not before it.
    answers = assets is not None and not (assets.program_first or assets.program_first_paths)
    is_static = version is not None and version.dialect is Dialect.STATIC
    return replace(
        route,
        request_body_bytes=limits.request_body_bytes,
        concurrency=limits.concurrency,
        rate_limit=placement.rate_limit,
        cache_epoch=placement.cache_epoch,
        assets=assets.digest if assets is not None and (answers or is_static) else "",
        static=is_static,
    )
