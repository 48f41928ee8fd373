"""Turns a snapshot and what is observed into the actions that bring the node nearer to it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from node.plan.records import Good, Observed, Placement, Route, SandboxSpec, SandboxView, Snapshot, sandbox_spec


@dataclass(frozen=True, slots=True)
class FetchBundle:
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StartSandbox:
    slot: int
    spec: SandboxSpec


@dataclass(frozen=True, slots=True)
class SwitchRoutes:
    """Replace all routes at once."""

    routes: Mapping[str, Route]


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


Action = FetchBundle | StartSandbox | SwitchRoutes | RememberGood | DrainSandbox | RemoveBundle


def diff(snapshot: Snapshot, observed: Observed, now: float) -> tuple[Action, ...]:
    """Say what to do next, in order. Empty when there is nothing to do but wait, or nothing at all."""
    wanted = {placement.function: _wanted(placement, observed) for placement in snapshot.placements}
    return (
        *_fetches(wanted, observed, now),
        *_starts(wanted, observed, now),
        *_switch(snapshot, observed),
        *_remember(snapshot, observed),
        *_drains(wanted, observed),
        *_removals(snapshot, wanted, observed),
    )


def target(placement: Placement, observed: Observed) -> SandboxSpec | None:
    """Return what the placement asks for, None when this node has refused it or nothing is asked for."""
    refusal = observed.refusals.get(placement.function)
    if placement.version is None or (refusal is not None and refusal.generation == placement.generation):
        return None
    return sandbox_spec(placement, placement.version, placement.limits)


def _wanted(placement: Placement, observed: Observed) -> tuple[SandboxSpec, ...]:
    # The version asked for, and until it is ready the one that served last: at a restart both start at once.
    aim = target(placement, observed)
    if aim is not None and any(sandbox.ready and sandbox.spec == aim for sandbox in observed.sandboxes):
        return (aim,)
    if placement.version is None and not placement.problem:
        return ()
    good = observed.good.get(placement.function)
    fallback = sandbox_spec(placement, good.version, good.limits) if good is not None else None
    return tuple(dict.fromkeys(spec for spec in (aim, fallback) if spec is not None))


def _fetches(wanted: Mapping[str, tuple[SandboxSpec, ...]], observed: Observed, now: float) -> Iterator[FetchBundle]:
    asked = set(observed.bundles | observed.fetching)
    for version in (spec.version for specs in wanted.values() for spec in specs):
        failure = observed.fetch_failures.get(version.digest)
        if version.digest in asked or (failure is not None and now < failure.retry_at):
            continue
        asked.add(version.digest)
        yield FetchBundle(version.digest, version.size_bytes)


def _starts(wanted: Mapping[str, tuple[SandboxSpec, ...]], observed: Observed, now: float) -> Iterator[StartSandbox]:
    running = {sandbox.spec for sandbox in observed.sandboxes if not sandbox.retiring}
    free = iter(observed.free_slots)
    for spec in (spec for specs in wanted.values() for spec in specs):
        if spec in running or spec.version.digest not in observed.bundles or now < observed.held.get(spec, now):
            continue
        slot = next(free, None)
        if slot is None:
            return
        yield StartSandbox(slot, spec)


def routes(snapshot: Snapshot, observed: Observed) -> dict[str, Route]:
    """Say where each hostname's requests should go now. A hostname that two functions claim goes to the first."""
    found: dict[str, Route] = {}
    for placement in snapshot.placements:
        if placement.version is None and not placement.problem:
            continue
        route = _route(placement, observed)
        for host in placement.hostnames:
            found.setdefault(host, route)
    return found


def _route(placement: Placement, observed: Observed) -> Route:
    aim = target(placement, observed)
    ready = [s for s in observed.sandboxes if s.ready and s.spec.function == placement.function]

    def preference(sandbox: SandboxView) -> tuple[bool, bool, int]:
        routed = any(route.slot == sandbox.slot for route in observed.routes.values())
        return (sandbox.spec != aim, not routed, -sandbox.spec.version.number)

    best = min(ready, key=preference, default=None)
    if best is None:
        version = aim.version.number if aim is not None else 0
        return Route(placement.function, version, None, placement.limits.wall_ms)
    return Route(placement.function, best.spec.version.number, best.slot, best.spec.limits.wall_ms)


def _switch(snapshot: Snapshot, observed: Observed) -> Iterator[SwitchRoutes]:
    should = routes(snapshot, observed)
    if should != dict(observed.routes):
        yield SwitchRoutes(should)


def _remember(snapshot: Snapshot, observed: Observed) -> Iterator[RememberGood]:
    good = {}
    for placement in snapshot.placements:
        aim = target(placement, observed)
        if aim is not None and any(s.ready and s.spec == aim for s in observed.sandboxes):
            good[placement.function] = Good(aim.version, aim.limits)
        elif (old := observed.good.get(placement.function)) is not None:
            good[placement.function] = old
    if good != dict(observed.good):
        yield RememberGood(good)


def _drains(wanted: Mapping[str, tuple[SandboxSpec, ...]], observed: Observed) -> Iterator[DrainSandbox]:
    kept: set[SandboxSpec] = set()
    routed = {route.slot for route in observed.routes.values()}
    for sandbox in sorted(observed.sandboxes, key=lambda s: (not s.ready, s.slot)):
        if sandbox.retiring:
            continue
        if sandbox.spec in wanted.get(sandbox.spec.function, ()) and sandbox.spec not in kept:
            kept.add(sandbox.spec)
        elif sandbox.slot not in routed:
            yield DrainSandbox(sandbox.slot)


def _removals(
    snapshot: Snapshot, wanted: Mapping[str, tuple[SandboxSpec, ...]], observed: Observed
) -> Iterator[RemoveBundle]:
    placed = {placement.function for placement in snapshot.placements}
    used = {spec.version.digest for specs in wanted.values() for spec in specs}
    used |= {p.version.digest for p in snapshot.placements if p.version is not None}
    used |= {good.version.digest for function, good in observed.good.items() if function in placed}
    used |= {sandbox.spec.version.digest for sandbox in observed.sandboxes}
    yield from (RemoveBundle(digest) for digest in sorted(observed.bundles - used))
