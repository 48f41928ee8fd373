"""Renders the maps that HAProxy routes by, and what changes in them from one set of routes to the next. Pure.

An entry is one word; its fields are separated by bars. See routing for how they are read.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from node.haproxy.backends import CONCURRENCY
from node.haproxy.frontend import BODY_BYTES
from node.haproxy.routing import SHARES
from node.haproxy.settings import ACTIVATOR, HOSTS, NO_SLOT, PATHS, PICKS, STATIC, kept_name, slot_name
from node.plan.records import Route
from node.plan.routes import preview

_PATHS_HERE = "/"
_REFERRED = (PICKS, PATHS)  # the maps that entries refer to: those of the path map and of the host map to the first
_LEAST = 100  # in flight, of one of many sandboxes: chance does not spread requests evenly
_Named = Callable[[int], str]  # the backend of a slot


Changes = dict[
    str, dict[str, str | None]
]  # by map: the entries that are other than before, None where there is none any more


def in_order(changes: Changes) -> Iterator[tuple[str, dict[str, str | None]]]:
    """Yield *changes* in the order in which no entry ever refers to what is not there: it is there before, and goes after."""
    for name in _REFERRED:
        yield name, {key: value for key, value in changes[name].items() if value is not None}
    yield HOSTS, changes[HOSTS]
    for name in reversed(_REFERRED):
        yield name, {key: value for key, value in changes[name].items() if value is None}


class Board:
    """The entries of the maps, kept from one set of routes to the next: only what has changed is rendered anew."""

    def __init__(self) -> None:
        self.entries: Mapping[str, dict[str, str]] = {PICKS: {}, PATHS: {}, HOSTS: {}}
        self._routes: Mapping[str, Route] = {}
        self._caching: frozenset[str] = frozenset()
        self._previews: dict[str, Route] = {}
        self._by_host: dict[str, set[str]] = defaultdict(set)  # keys of the routes
        self._by_function: dict[str, set[str]] = defaultdict(set)  # the same, and the hosts of previews
        self._paths: dict[str, set[str]] = {}  # the keys of the entries that each host has in the path map
        self._picks: dict[str, set[str]] = {}  # those that each function has in the picks

    def take(self, routes: Mapping[str, Route], caching: Collection[str]) -> Changes:
        """Take these *routes* over in place of those before and return what that changes in the entries.

        Their keys are hostnames, or hostnames with the path below which a function answers; *caching* are the functions whose answers the edge
        cache keeps.
        """
        before, self._routes = self._routes, dict(routes)
        other, self._caching = self._caching.symmetric_difference(caching), frozenset(caching)
        changed = {key for key, route in routes.items() if (was := before.get(key)) is not route and was != route}
        changed |= before.keys() - routes.keys()
        if other:
            changed |= {key for key, route in routes.items() if route.function in other}
        hosts = {key.partition("/")[0] for key in changed}
        functions = set()
        for key in changed:
            if (route := before.get(key)) is not None:
                functions.add(route.function)
                hosts |= self._forget(key, route)
        for key in changed:
            if (route := routes.get(key)) is not None:
                functions.add(route.function)
                hosts |= self._note(key, route)
        functions |= {self._previews[key].function for key in changed if key in self._previews}
        changes: Changes = {PICKS: {}, PATHS: {}, HOSTS: {}}
        for function in sorted(functions):
            self._put(PICKS, self._picks, function, self._picks_of(function), changes)
        for host in sorted(hosts):
            self._place(host, changes)
        return changes

    def _note(self, key: str, route: Route) -> set[str]:
        previews = _previews(key, route)
        self._by_host[key.partition("/")[0]].add(key)
        self._by_function[route.function].update((key, *previews))
        self._previews |= previews
        return set(previews)

    def _forget(self, key: str, route: Route) -> set[str]:
        previews = _previews(key, route)
        _discard(self._by_host, key.partition("/")[0], {key})
        _discard(self._by_function, route.function, {key, *previews})
        for host in previews:
            del self._previews[host]
        return set(previews)

    def _picks_of(self, function: str) -> dict[str, str]:
        found: dict[str, str] = {}
        # A preview's host may be a route's own: the route is what it leads to then.
        for key in sorted(self._by_function.get(function, ())):
            route = self._routes.get(key, self._previews.get(key))
            if route is not None and route.function == function:
                found |= self._entry(route)[1]
        return found

    def _place(self, host: str, changes: Changes) -> None:
        keys = self._by_host.get(host, set())
        alone = self._routes.get(host, self._previews.get(host))
        paths: dict[str, str] = {}
        if any("/" in key for key in keys):
            paths = {_path_key(key): self._entry(self._routes[key])[0] for key in sorted(keys) if "/" in key}
            if alone is not None:
                paths[f"{host}/"] = self._entry(alone)[0]
        self._put(PATHS, self._paths, host, paths, changes)
        if paths:
            self._set(HOSTS, host, _PATHS_HERE, changes)
        else:
            self._set(HOSTS, host, None if alone is None else self._entry(alone)[0], changes)

    def _entry(self, route: Route) -> tuple[str, dict[str, str]]:
        return _entry(route, slot_name if route.function not in self._caching else kept_name)

    def _put(
        self, name: str, owned: dict[str, set[str]], owner: str, entries: Mapping[str, str], changes: Changes
    ) -> None:
        for key, value in entries.items():
            self._set(name, key, value, changes)
        for key in owned.pop(owner, set()).difference(entries):
            self._set(name, key, None, changes)
        if entries:
            owned[owner] = set(entries)

    def _set(self, name: str, key: str, value: str | None, changes: Changes) -> None:
        entries = self.entries[name]
        if entries.get(key) == value:
            return
        changes[name][key] = value
        if value is None:
            del entries[key]
        else:
            entries[key] = value


def _discard(index: dict[str, set[str]], name: str, keys: set[str]) -> None:
    index[name] -= keys
    if not index[name]:
        del index[name]


def _path_key(key: str) -> str:
    host, _, path = key.partition("/")
    return f"{host}/{path.strip('/')}/" if path.strip("/") else f"{host}/"


def reasons_map(reasons: Mapping[int, str]) -> str:
    """Render the reason map: slot, then why its sandbox last ended."""
    return "".join(lines({slot_name(slot): reason for slot, reason in sorted(reasons.items())}).values())


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


def lines(entries: Mapping[str, str]) -> dict[str, str]:
    """Return the line that each entry is in the file that HAProxy starts from."""
    return {key: f"{key} {value}\n" for key, value in entries.items()}


def _previews(host: str, route: Route) -> dict[str, Route]:
    """Return the hosts that name a version, `v3--name.zone`: one for each version that `name.zone` leads to."""
    function, _, zone = host.partition(".")
    if function != route.function or "/" in zone:
        return {}
    versions = (share for _, share in route.shares) if route.shares else (route,)
    return {preview(function, version.version, zone): version for version in versions if version.version}


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
