"""Turns a snapshot and what is observed into the actions that bring the node nearer to it.

A version that has never been ready here is started and ready before any request meets it. One that has been may sleep: nothing runs,
and its first request starts it. What diff() costs grows with the functions that it is asked about, not with all that are placed.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from node.plan.needs import claims, is_here, is_static, is_whole, needs, pack_of
from node.plan.records import (
    Good,
    Observed,
    Placement,
    Route,
    SandboxSpec,
    SandboxView,
    Snapshot,
    Version,
    lane,
    sandbox_spec,
)
from node.plan.routes import asset_set

BOOTS_AT_ONCE = 4  # of programs that no request waits for: the others keep the processors for themselves
EVICTABLE_S = 1.0  # unused for so long, a sandbox gives its slot to a function that has none


@dataclass(frozen=True, slots=True)
class FetchBundle:
    digest: str
    size_bytes: int
    pack: bool = False  # of static files


@dataclass(frozen=True, slots=True)
class StartSandbox:
    slot: int
    spec: SandboxSpec


@dataclass(frozen=True, slots=True)
class SwitchRoutes:
    """Replace all routes at once; *changed* are the hostnames that are routed otherwise than before."""

    routes: Mapping[str, Route]
    changed: frozenset[str] = field(default=frozenset(), compare=False)


@dataclass(frozen=True, slots=True)
class RememberGood:
    """Replace the record of what last served, by function."""

    good: Mapping[str, Good]


@dataclass(frozen=True, slots=True)
class DrainSandbox:
    """Retire the sandbox: it ends once its requests are finished, and frees its slot."""

    slot: int


@dataclass(frozen=True, slots=True)
class RemoveBundle:
    digest: str
    pack: bool = False  # of static files


Action = FetchBundle | StartSandbox | SwitchRoutes | RememberGood | DrainSandbox | RemoveBundle


@dataclass(frozen=True, slots=True)
class Index:
    """A snapshot, looked up by name."""

    placements: Mapping[str, Placement]  # in the snapshot's order
    owners: Mapping[str, str]  # which function a hostname belongs to; one that two claim belongs to the first
    sides: Mapping[str, Placement] = field(default_factory=dict)  # by lane: the versions beside their function's own

    def lane(self, name: str) -> Placement | None:
        """Return the placement of a lane."""
        return self.placements.get(name) or self.sides.get(name)

    def lanes(self, function: str) -> tuple[str, ...]:
        """Name the lanes of a function, its own first."""
        placement = self.placements.get(function)
        beside = () if placement is None else placement.beside
        return (function, *(lane(function, part.version.number) for part in beside))

    def lane_of(self, spec: SandboxSpec) -> str:
        """Name the lane that a sandbox belongs to."""
        name = lane(spec.function, spec.version.number)
        return name if name in self.sides else spec.function


def index(snapshot: Snapshot) -> Index:
    """Index a snapshot, once for all that is planned by it."""
    owners: dict[str, str] = {}
    sides: dict[str, Placement] = {}
    for placement in snapshot.placements:
        if _is_served(placement):
            for host in claims(placement):
                owners.setdefault(host, placement.function)
        if placement.beside:
            sides.update((side.lane, side) for side in placement.sides())
    return Index({placement.function: placement for placement in snapshot.placements}, owners, sides)


def changed(before: Index, after: Index) -> set[str]:
    """Name the functions that two snapshots do not place alike."""
    old = before.placements
    names = {name for name, item in after.placements.items() if (was := old.get(name)) is not item and was != item}
    names |= before.placements.keys() - after.placements.keys()
    names |= {name for host, name in after.owners.items() if before.owners.get(host) != name}
    return names | {name for host, name in before.owners.items() if after.owners.get(host) != name}


@dataclass(frozen=True, slots=True)
class _World:
    """What the steps of one plan share."""

    index: Index
    observed: Observed
    only: Collection[str]  # the lanes that are planned for
    sandboxes: Mapping[str, list[SandboxView]]  # by lane
    hosts: Mapping[str, Collection[str]]  # by function: those that are routed to it now
    routed: frozenset[int]  # slots


def diff(snapshot: Snapshot, observed: Observed, now: float) -> tuple[Action, ...]:
    """Say what to do next, in order. Empty when there is nothing to do but wait, or nothing at all."""
    placed = index(snapshot)
    return (*diff_some(placed, observed, now, None), *removals(placed, observed))


def diff_some(placed: Index, observed: Observed, now: float, only: Collection[str] | None) -> tuple[Action, ...]:
    """Say what to do next for the functions in *only*, None for all. Bundles are removed by removals() alone.

    About others nothing is said, but that one of them has to give its slot up. A lane that *only* names beside functions is one that is gone.
    """
    world, wanted = _planned(placed, observed, now, only)
    return (
        *_fetches(wanted, world, now),
        *_starts(wanted, world, now),
        *_switch(wanted, world),
        *_remember(world),
        *_drains(wanted, world),
    )


def _world(placed: Index, observed: Observed, only: Collection[str] | None) -> _World:
    sandboxes: dict[str, list[SandboxView]] = defaultdict(list)
    for sandbox in observed.sandboxes:
        sandboxes[placed.lane_of(sandbox.spec)].append(sandbox)
    hosts = observed.hosts if observed.hosts is not None else hosts_by_function(observed.routes)
    if only is None:
        known = hosts.keys() | observed.good.keys() | {sandbox.spec.function for sandbox in observed.sandboxes}
        only = [*placed.placements, *sorted(known - placed.placements.keys())]
    routes = (observed.routes[host] for name in only for host in hosts.get(name, ()))
    routed = frozenset(slot for route in routes for slot in route.all_slots)
    lanes = tuple(dict.fromkeys(name for function in only for name in placed.lanes(function)))
    return _World(placed, observed, lanes, sandboxes, hosts, routed)


def hosts_by_function(routes: Mapping[str, Route]) -> dict[str, set[str]]:
    """Return the hostnames that are routed to each function."""
    hosts: dict[str, set[str]] = defaultdict(set)
    for host, route in routes.items():
        hosts[route.function].add(host)
    return hosts


def _is_served(placement: Placement) -> bool:
    return placement.version is not None or bool(placement.problem)


def target(placement: Placement, observed: Observed) -> SandboxSpec | None:
    """Return what the placement asks for, None when this node has refused it or nothing is asked for."""
    refusal = observed.refusals.get(placement.lane)
    if placement.version is None or (refusal is not None and refusal.generation == placement.generation):
        return None
    return sandbox_spec(placement, placement.version, placement.limits)


def is_proven(spec: SandboxSpec, good: Good | None) -> bool:
    """Say whether the version has been ready on this node, so that it may sleep until it is asked for; *good* is what served last."""
    return good is not None and good.version == spec.version and good.limits == spec.limits


Wanted = Mapping[SandboxSpec, int]  # of one lane: which sandboxes there should be, and how many of each


def _planned(
    placed: Index, observed: Observed, now: float, only: Collection[str] | None
) -> tuple[_World, Mapping[str, Wanted]]:
    world = _world(placed, observed, only)
    wanted = _all_wanted(world)
    if (lack := _lack(wanted, world, now)) <= 0:
        return world, wanted
    if only is not None:  # whose slot it is to be is found among all who have one
        world = _world(placed, observed, {*only, *(sandbox.spec.function for sandbox in observed.sandboxes)})
        wanted = _all_wanted(world)
        lack = _lack(wanted, world, now)
    return world, _with_room(wanted, world, lack, now)


def _all_wanted(world: _World) -> dict[str, Wanted]:
    placed = ((name, world.index.lane(name)) for name in world.only)
    return {name: _wanted(placement, world) for name, placement in placed if placement is not None}


def _wanted(placement: Placement, world: _World) -> Wanted:
    # The version asked for, and until it is ready the one that served last, as far as it runs or requests wait for it.
    observed = world.observed
    if not _is_served(placement):
        return {}
    aim = target(placement, observed)
    good = observed.good.get(placement.lane)
    live = [sandbox for sandbox in world.sandboxes.get(placement.lane, ()) if not sandbox.retiring]
    demanded = placement.lane in observed.demanded
    if aim is not None:
        own = [sandbox for sandbox in live if sandbox.spec == aim]
        if any(sandbox.ready for sandbox in own):
            sleeps = not demanded and is_proven(aim, good) and all(sandbox.idle for sandbox in own)
            return {} if sleeps else {aim: observed.instances.get(aim, 1)}
        if is_proven(aim, good):
            awake = demanded or own or any(sandbox.ready for sandbox in live)
            return {aim: 1} if awake else {}
    if aim is not None and is_static(aim.version):
        if is_whole(aim.version, observed):
            return {}
        aim = None
    wanted = {} if aim is None else {aim: 1}
    if good is not None and not is_static(good.version):
        fallback = sandbox_spec(placement, good.version, good.limits)
        if world.index.lane_of(fallback) != placement.lane:
            return wanted  # it runs in a lane of its own
        runs = [sandbox for sandbox in live if sandbox.spec == fallback]
        if demanded or any(not sandbox.idle for sandbox in runs):
            wanted.setdefault(fallback, max(1, len(runs)))
    return wanted


def _lack(wanted: Mapping[str, Wanted], world: _World, now: float) -> int:
    """Count the sandboxes that cannot start for want of a slot."""
    missing = sum(1 for _ in _missing(wanted, world, now))
    leaving = sum(1 for sandbox in world.observed.sandboxes if sandbox.retiring)
    return missing - len(world.observed.free_slots) - len(world.observed.warm_slots) - leaving


def _with_room(wanted: Mapping[str, Wanted], world: _World, lack: int, now: float) -> Mapping[str, Wanted]:
    """Let so many sandboxes sleep as others lack slots, those that have not been used for longest."""
    asleep: dict[str, Wanted] = {}
    for sandbox in sorted(world.observed.sandboxes, key=lambda item: item.used_at):
        name = world.index.lane_of(sandbox.spec)
        if len(asleep) >= lack or now - sandbox.used_at < EVICTABLE_S:
            break
        alone = len(world.sandboxes[name]) == 1 and sandbox.spec in wanted.get(name, ())
        if (
            alone
            and sandbox.ready
            and name not in world.observed.demanded
            and is_proven(sandbox.spec, world.observed.good.get(name))
        ):
            asleep[name] = {}
    return {**wanted, **asleep}


def _fetches(wanted: Mapping[str, Wanted], world: _World, now: float) -> Iterator[FetchBundle]:
    observed = world.observed
    asked = set(observed.fetching)
    for version in _versions(wanted, world):
        for need in needs(version):
            failure = observed.fetch_failures.get(need.digest)
            if is_here(need, observed) or need.digest in asked or (failure is not None and now < failure.retry_at):
                continue
            asked.add(need.digest)
            yield FetchBundle(need.digest, need.size_bytes, need.pack)


def _versions(wanted: Mapping[str, Wanted], world: _World) -> Iterator[Version]:
    for name, specs in wanted.items():
        yield from (spec.version for spec in specs)
        placement = world.index.lane(name)
        aim = None if placement is None else target(placement, world.observed)
        if aim is not None and is_static(aim.version):
            yield aim.version


def _missing(wanted: Mapping[str, Wanted], world: _World, now: float) -> Iterator[SandboxSpec]:
    """Yield what is to be started, what requests wait for first."""
    demanded = world.observed.demanded
    for name in sorted(wanted, key=lambda name: name not in demanded):
        for spec, count in wanted[name].items():
            if not is_whole(spec.version, world.observed) or now < world.observed.held.get(spec, now):
                continue
            live = sum(1 for s in world.sandboxes.get(name, ()) if s.spec == spec and not s.retiring)
            yield from (spec for _ in range(count - live))


def _starts(wanted: Mapping[str, Wanted], world: _World, now: float) -> Iterator[StartSandbox]:
    observed = world.observed
    cold, warm = list(observed.free_slots), list(observed.warm_slots)
    boots = sum(1 for s in observed.sandboxes if not (s.ready or s.retiring or s.crashed))
    for spec in _missing(wanted, world, now):
        if boots >= BOOTS_AT_ONCE and world.index.lane_of(spec) not in observed.demanded:
            continue
        if not (cold or warm):
            return
        boots += 1
        yield StartSandbox((warm or cold).pop(0), spec)


def routes(snapshot: Snapshot, observed: Observed) -> dict[str, Route]:
    """Say where each hostname's requests should go now. A hostname that two functions claim goes to the first."""
    world = _world(index(snapshot), observed, None)
    return _routes(_all_wanted(world), world)


def routes_some(placed: Index, observed: Observed, only: Collection[str], now: float) -> dict[str, Route]:
    """Return routes() of the functions in *only*, and of those that have to give their slots up for them."""
    world, wanted = _planned(placed, observed, now, only)
    return _routes(wanted, world)


def _routes(wanted: Mapping[str, Wanted], world: _World) -> dict[str, Route]:
    found: dict[str, Route] = {}
    for name in wanted:
        placement = world.index.placements.get(name)
        if placement is None or not _is_served(placement):
            continue
        route = _limited(_route(placement, wanted[name], world), placement, world.observed)
        if placement.beside:
            sides = [
                _limited(_route(side, wanted.get(side.lane, {}), world), side, world.observed)
                for side in placement.sides()
            ]
            route = _shared(route, [(part.percent, side) for part, side in zip(placement.beside, sides, strict=True)])
        found.update((host, route) for host in claims(placement) if world.index.owners.get(host) == name)
    return found


def _shared(own: Route, beside: Sequence[tuple[int, Route]]) -> Route:
    """Divide the requests; what falls to a version that cannot serve is served by the function's own, if that can."""
    held = [(percent if side.can_serve or not own.can_serve else 0, side) for percent, side in beside]
    return replace(own, shares=((100 - sum(percent for percent, _ in held), own), *held))


def _route(placement: Placement, wanted: Wanted, world: _World) -> Route:
    observed = world.observed
    aim = target(placement, observed)
    if aim is not None and is_static(aim.version) and is_whole(aim.version, observed):
        return _files(placement, aim.version)
    good = observed.good.get(placement.lane)
    ready = [s for s in world.sandboxes.get(placement.lane, ()) if s.ready and not s.retiring]

    def preference(sandbox: SandboxView) -> tuple[bool, bool, bool, int]:
        # What has just stood beside the function's own, for a part of the requests, does not get all of them.
        spec = sandbox.spec
        return (spec != aim, not is_proven(spec, good), sandbox.slot not in world.routed, -spec.version.number)

    best = min(ready, key=preference, default=None)
    if best is None or (not wanted and is_proven(best.spec, good)):
        return _asleep(placement, aim, world)
    alike = [s for s in ready if s.spec == best.spec]
    alike.sort(key=lambda s: (s.slot not in world.routed, s.slot))
    slots = tuple(s.slot for s in alike[: max(1, wanted.get(best.spec, 1))])
    version = best.spec.version
    return Route(
        placement.function,
        version.number,
        slots[0],
        best.spec.limits.wall_ms,
        tuple(sorted(slots)),
        assets=_pack(version),
    )


def _files(placement: Placement, version: Version) -> Route:
    pack = pack_of(version)
    digest = version.digest if pack is None else pack.digest
    return Route(placement.function, version.number, None, placement.limits.wall_ms, assets=digest, static=True)


def _pack(version: Version) -> str:
    """Name the files that answer before the program does."""
    pack = pack_of(version)
    return "" if pack is None or pack.program_first else asset_set(pack)


def _limited(route: Route, placement: Placement, observed: Observed) -> Route:
    """Add what holds for the function whichever version serves."""
    limits = placement.limits
    return replace(
        route,
        request_body_bytes=limits.request_body_bytes,
        concurrency=1 if (route.function, route.version) in observed.probed else limits.concurrency,
        rate_limit=placement.rate_limit,
        cache_epoch=placement.cache_epoch,
        refusal="breaker_open" if (route.function, route.version) in observed.broken else "",
    )


def _asleep(placement: Placement, aim: SandboxSpec | None, world: _World) -> Route:
    observed = world.observed
    good = observed.good.get(placement.lane)
    if good is not None and is_static(good.version) and is_whole(good.version, observed):
        return _files(placement, good.version)
    starts = aim is not None and not is_static(aim.version)
    version = aim.version if starts and aim is not None and (good is None or is_proven(aim, good)) else None
    if version is None and good is not None and not is_static(good.version):
        version = good.version
    live = [s for s in world.sandboxes.get(placement.lane, ()) if not s.retiring]
    crashes = bool(live) and all(s.waiting for s in live)
    number, wall_ms = 0 if version is None else version.number, placement.limits.wall_ms
    if (version is None and not starts) or crashes:
        return Route(placement.function, number, None, wall_ms)
    pack = "" if version is None or not is_whole(version, observed) else _pack(version)
    return Route(placement.function, number, None, wall_ms, startable=True, assets=pack)


def _switch(wanted: Mapping[str, Wanted], world: _World) -> Iterator[SwitchRoutes]:
    should = _routes(wanted, world)
    before = world.observed.routes
    gone = [host for name in world.only for host in world.hosts.get(name, ()) if host not in should]
    # A hostname that has changed hands is routed by its new owner, who is planned for as well.
    gone = [host for host in gone if world.index.owners.get(host) is None]
    fresh = {host: route for host, route in should.items() if before.get(host) != route}
    if fresh or gone:
        after = {**before, **fresh}
        for host in gone:
            del after[host]
        yield SwitchRoutes(after, frozenset([*fresh, *gone]))


def _remember(world: _World) -> Iterator[RememberGood]:
    fresh: dict[str, Good] = {}
    for name in world.only:
        placement = world.index.lane(name)
        aim = None if placement is None else target(placement, world.observed)
        if aim is not None and _has_served(aim, name, world):
            good = Good(aim.version, aim.limits)
            if world.observed.good.get(name) != good:
                fresh[name] = good
    gone = [name for name in world.only if world.index.lane(name) is None and name in world.observed.good]
    if fresh or gone:
        after = {**world.observed.good, **fresh}
        for name in gone:
            del after[name]
        yield RememberGood(after)


def _has_served(aim: SandboxSpec, name: str, world: _World) -> bool:
    if is_static(aim.version):
        return is_whole(aim.version, world.observed)
    return any(s.ready and s.spec == aim for s in world.sandboxes.get(name, ()))


def _drains(wanted: Mapping[str, Wanted], world: _World) -> Iterator[DrainSandbox]:
    kept: dict[SandboxSpec, int] = defaultdict(int)
    theirs = [sandbox for name in world.only for sandbox in world.sandboxes.get(name, ()) if not sandbox.retiring]
    for sandbox in sorted(theirs, key=lambda s: (not s.ready, s.slot not in world.routed, s.slot)):
        if kept[sandbox.spec] < wanted.get(world.index.lane_of(sandbox.spec), {}).get(sandbox.spec, 0):
            kept[sandbox.spec] += 1
        elif sandbox.slot not in world.routed:
            yield DrainSandbox(sandbox.slot)


def removals(placed: Index, observed: Observed) -> tuple[RemoveBundle, ...]:
    """Name the bundles and packs that no version needs which is asked for, served last, or runs."""
    versions = [version for p in placed.placements.values() for version in p.versions]
    versions += [good.version for name, good in observed.good.items() if placed.lane(name) is not None]
    versions += [sandbox.spec.version for sandbox in observed.sandboxes]
    used = [need for version in versions for need in needs(version)]
    modules = observed.bundles.difference(need.digest for need in used if not need.pack)
    packs = observed.packs.difference(need.digest for need in used if need.pack)
    return (
        *(RemoveBundle(digest) for digest in sorted(modules)),
        *(RemoveBundle(digest, pack=True) for digest in sorted(packs)),
    )


def unsettled(placed: Index, observed: Observed) -> set[str]:
    """Name the functions of which another version is asked for than served last, and those that are known without being placed."""
    names = {
        placement.function
        for placements in (placed.placements, placed.sides)
        for name, placement in placements.items()
        if (good := observed.good.get(name)) is None or good.version != placement.version
    }
    return names | (observed.good.keys() - placed.placements.keys() - placed.sides.keys())
