"""Renders the maps that HAProxy routes by. Pure.

An entry is one word; its fields are separated by bars. See routing for how they are read.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from node.haproxy.backends import CONCURRENCY
from node.haproxy.frontend import BODY_BYTES
from node.haproxy.routing import SHARES
from node.haproxy.settings import ACTIVATOR, HOSTS, NO_SLOT, PATHS, PICKS, STATIC, kept_name, slot_name
from node.plan.records import Route
from node.plan.routes import preview

_PATHS_HERE = "/"
_LEAST = 100  # in flight, of one of many sandboxes: chance does not spread requests evenly
_Named = Callable[[int], str]  # the backend of a slot


@dataclass(frozen=True, slots=True)
class Maps:
    """The texts of the maps that one set of routes makes."""

    hosts: str
    paths: str
    picks: str

    def by_name(self) -> dict[str, str]:
        """Return them by file name, those first that others refer to."""
        return {PICKS: self.picks, PATHS: self.paths, HOSTS: self.hosts}


def maps(routes: Mapping[str, Route], caching: Collection[str] = ()) -> Maps:
    """Render the maps of *routes*, whose keys are hostnames, or hostnames with the path below which a function answers.

    *caching* are the functions whose answers the edge cache keeps.
    """
    routes = _with_previews(routes)
    split = {key.partition("/")[0] for key in routes if "/" in key}
    picks: dict[str, str] = {}
    hosts = dict.fromkeys(split, _PATHS_HERE)
    paths: dict[str, str] = {}
    for key, route in routes.items():
        host, _, path = key.partition("/")
        entry, shares = _entry(route, slot_name if route.function not in caching else kept_name)
        picks.update(shares)
        if host in split:
            paths[f"{host}/{path.strip('/')}/" if path.strip("/") else f"{host}/"] = entry
        else:
            hosts[host] = entry
    return Maps(_text(hosts), _text(paths), _text(picks))


def reasons_map(reasons: Mapping[int, str]) -> str:
    """Render the reason map: slot, then why its sandbox last ended."""
    return _text({slot_name(slot): reason for slot, reason in reasons.items()})


def assets_map(files: Mapping[str, Iterable[str]]) -> str:
    """Render the map of the paths that files answer, by the name of their set; a path that is not one word is left out."""
    return "".join(
        f"{name}|{path} 1\n"
        for name, paths in sorted(files.items())
        for path in sorted(paths)
        if path.isprintable() and " " not in path
    )


def change(before: str, after: str, *, most: int) -> tuple[dict[str, str], list[str]] | None:
    """Return the entries that are new or other than before and the keys that are gone, None when they are more than *most*."""
    old, new = before.splitlines(), after.splitlines()
    gone, fresh = set(old).difference(new), set(new).difference(old)
    if len(fresh) + len(gone) > 2 * most:
        return None
    entries = dict(line.split(" ", 1) for line in sorted(fresh))
    removed = sorted({line.split(" ", 1)[0] for line in gone} - entries.keys())
    return (entries, removed) if len(entries) + len(removed) <= most else None


def joined(before: str, after: str) -> str:
    """Return *after* with the entries of *before* that it has no others for."""
    return _text(dict(line.split(" ", 1) for line in [*before.splitlines(), *after.splitlines()]))


def _text(entries: Mapping[str, str]) -> str:
    return "".join(f"{key} {value}\n" for key, value in sorted(entries.items()))


def _with_previews(routes: Mapping[str, Route]) -> Mapping[str, Route]:
    """Add the hosts that name a version, `v3--name.zone`: one for each version that `name.zone` leads to."""
    previews: dict[str, Route] = {}
    for host, route in routes.items():
        function, _, zone = host.partition(".")
        if function == route.function and "/" not in zone:
            for version in (share for _, share in route.shares) if route.shares else (route,):
                if version.version:
                    previews[preview(function, version.version, zone)] = version
    return {**previews, **routes}


def _entry(route: Route, named: _Named) -> tuple[str, dict[str, str]]:
    """Return what stands for the route in the host map, and the shares that it refers to."""
    if not route.shares and len(route.slots) < 2:
        return _target(route, route.slot, named), {}
    if not route.shares:
        name = f"{'%' if _is_limited(route) else '+'}{route.function}@{route.version}"
        return name, _table(name, [(SHARES, route)], named)
    name = f"%{route.function}"
    shares = _table(name, route.shares, named)
    for _, version in route.shares:
        shares |= _table(f"{name}@{version.version}", [(SHARES, version)], named)
    return name, shares


def _table(name: str, shares: Sequence[tuple[int, Route]], named: _Named) -> dict[str, str]:
    # The newest version's shares come first, so that who has it keeps it while its part grows.
    ordered = sorted(shares, key=lambda share: -share[1].version)
    versions = [version for percent, version in ordered for _ in range(percent)]
    return {
        f"{name}:{number}": _target(version, _slot(version, number), named) for number, version in enumerate(versions)
    }


def _slot(route: Route, number: int) -> int | None:
    return route.slots[number % len(route.slots)] if route.slots else route.slot


def _target(route: Route, slot: int | None, named: _Named) -> str:
    if route.refusal:
        return f"{NO_SLOT}|{route.function}|{route.version}|{route.wall_ms}|{route.refusal}"
    if route.static:
        where = STATIC
    elif slot is not None:
        where = named(slot)
    elif route.startable:
        where = ACTIVATOR
    else:
        return f"{NO_SLOT}|{route.function}|{route.version}|{route.wall_ms}|no_sandbox"
    target = f"{where}|{route.function}|{route.version}|{route.wall_ms}"
    if _is_limited(route):
        return f"!{target}|{route.cache_epoch}|{_limits(route)}"
    if len(route.slots) > 1:  # HAProxy counts what is in flight for each slot, unless it is told to count by function
        return f"{target}|{route.cache_epoch}|{max(_LEAST, CONCURRENCY // len(route.slots))}"
    return f"{target}|{route.cache_epoch}" if route.cache_epoch else target


def _is_limited(route: Route) -> bool:
    standard = route.request_body_bytes == BODY_BYTES and route.concurrency == CONCURRENCY
    return not standard or bool(route.rate_limit.requests or route.assets)


def _limits(route: Route) -> str:
    rate = route.rate_limit
    fields = (route.request_body_bytes, route.concurrency, rate.requests, rate.period_s, route.assets)
    return "|".join(str(value) or "-" for value in fields)
