from dataclasses import replace

from nearhop.spec import Dialect, Limits
from node.plan.records import (
    FetchFailure,
    Good,
    Observed,
    Part,
    Placement,
    Refusal,
    Route,
    SandboxSpec,
    SandboxView,
    Snapshot,
    Version,
)
from node.plan.status import PlacementStatus, Progress, statuses

VERSION = Version(2, "b" * 64, 1, Dialect.DENO)
PLACEMENT = Placement("a", 5, ("a.example.org",), Limits(), VERSION)
SPEC = SandboxSpec("a", VERSION, Limits())
ROUTED = {"a.example.org": Route("a", 2, 0, Limits().wall_ms, (0,))}


def status(observed: Observed, placement: Placement = PLACEMENT) -> PlacementStatus:
    [found] = statuses(Snapshot(placements=(placement,)), observed)
    return found


def sandbox(*, ready: bool = True, retiring: bool = False) -> tuple[SandboxView, ...]:
    return (SandboxView(0, SPEC, ready, retiring),)


def test_active_once_the_version_is_routed() -> None:
    assert status(Observed(sandboxes=sandbox())).progress is Progress.PENDING
    assert status(Observed(sandboxes=sandbox(), routes=ROUTED)) == PlacementStatus("a", 5, Progress.ACTIVE, 2)


def test_a_hostname_that_is_not_routed_yet_is_waited_for() -> None:
    more = replace(PLACEMENT, hostnames=("a.example.org", "b.example.org"))
    observed = Observed(sandboxes=sandbox(), routes=ROUTED, switch_error="No space left on device")
    assert status(observed, more) == PlacementStatus("a", 5, Progress.PENDING, 2, "No space left on device")
    both = ROUTED | {"b.example.org": ROUTED["a.example.org"]}
    assert status(replace(observed, routes=both), more).progress is Progress.ACTIVE


def test_a_function_without_hostnames_is_active_when_it_is_ready() -> None:
    assert status(Observed(sandboxes=sandbox()), replace(PLACEMENT, hostnames=())).progress is Progress.ACTIVE


def test_nothing_asked_for_is_active() -> None:
    assert status(Observed(), replace(PLACEMENT, version=None)).progress is Progress.ACTIVE


def test_a_problem_and_a_refusal_are_refused_with_their_text() -> None:
    assert status(Observed(), replace(PLACEMENT, problem="no")) == PlacementStatus("a", 5, Progress.REFUSED, 0, "no")
    old = {"a.example.org": Route("a", 1, 3, 1000)}
    refused = status(Observed(refusals={"a": Refusal(5, "threw")}, routes=old))
    assert refused == PlacementStatus("a", 5, Progress.REFUSED, 1, "threw")
    assert status(Observed(refusals={"a": Refusal(4, "threw")})).progress is Progress.PENDING


def test_a_version_that_sleeps_is_active() -> None:
    known = {"a": Good(VERSION, Limits())}
    cold = {"a.example.org": Route("a", 2, None, Limits().wall_ms, startable=True)}
    assert status(Observed(routes=cold, good=known)) == PlacementStatus("a", 5, Progress.ACTIVE, 2)
    assert status(Observed(routes=cold)).active_version == 0
    starting = replace(sandbox(ready=False)[0], crashed=False)
    assert status(Observed(routes=cold, good=known, sandboxes=(starting,))).progress is Progress.ACTIVE
    crashed = replace(starting, crashed=True)
    assert status(Observed(routes=cold, good=known, sandboxes=(crashed,))).progress is Progress.PENDING


def test_a_hostname_of_another_function_is_not_waited_for() -> None:
    twin = replace(PLACEMENT, function="b", hostnames=("a.example.org",))
    other = SandboxView(1, replace(SPEC, function="b"), ready=True, retiring=False)
    found = statuses(Snapshot(placements=(PLACEMENT, twin)), Observed(sandboxes=(*sandbox(), other), routes=ROUTED))
    assert [(s.progress, s.active_version) for s in found] == [(Progress.ACTIVE, 2), (Progress.ACTIVE, 0)]


def test_files_alone_are_active_once_they_are_routed() -> None:
    files = Version(3, "f" * 64, 9, Dialect.STATIC)
    site = replace(PLACEMENT, version=files)
    routed = {"a.example.org": Route("a", 3, None, Limits().wall_ms, assets="f" * 64, static=True)}
    here = frozenset(["f" * 64])
    assert status(Observed(packs=here, routes=routed), site) == PlacementStatus("a", 5, Progress.ACTIVE, 3)
    assert status(Observed(), site).progress is Progress.PENDING
    failed = Observed(fetch_failures={"f" * 64: FetchFailure("No space left on device", 9.0)})
    assert status(failed, site).error == "No space left on device"
    stuck = Observed(packs=here, switch_error="the ingress cannot be switched: No space left on device")
    assert status(stuck, site).error == stuck.switch_error
    unrouted = {"a.example.org": Route("a", 0, None, Limits().wall_ms)}
    assert status(Observed(routes=unrouted), site).progress is Progress.PENDING


def test_what_stands_in_the_way_is_said() -> None:
    failed = Observed(fetch_failures={VERSION.digest: FetchFailure("No space left on device", 9.0)})
    assert status(failed) == PlacementStatus("a", 5, Progress.PENDING, 0, "No space left on device")
    assert "no slot is free" in status(Observed(bundles=frozenset({VERSION.digest}))).error
    waiting = Observed(bundles=frozenset({VERSION.digest}), sandboxes=sandbox(ready=False))
    assert status(waiting).error == ""
    stuck = Observed(sandboxes=sandbox(), switch_error="the ingress cannot be switched: No space left on device")
    assert status(stuck) == PlacementStatus("a", 5, Progress.PENDING, 0, stuck.switch_error)
    assert status(replace(stuck, sandboxes=sandbox(ready=False))).error == ""


def test_a_function_is_as_far_as_the_last_of_its_versions() -> None:
    second = Version(3, "c" * 64, 1, Dialect.DENO)
    shared = replace(PLACEMENT, beside=(Part(second, 10),))
    own = ROUTED["a.example.org"]
    side = Route("a", 3, 1, Limits().wall_ms, (1,))
    routed = {"a.example.org": replace(own, shares=((90, own), (10, side)))}
    beside = SandboxView(1, SandboxSpec("a", second, Limits()), ready=True, retiring=False)
    whole = Observed(sandboxes=(*sandbox(), beside), routes=routed)
    assert status(whole, shared) == PlacementStatus("a", 5, Progress.ACTIVE, 2)
    assert status(replace(whole, routes=ROUTED), shared).progress is Progress.PENDING
    starting = replace(whole, sandboxes=(*sandbox(), replace(beside, ready=False)))
    assert status(starting, shared).progress is Progress.PENDING
    refused = replace(starting, refusals={"a@3": Refusal(5, "threw")})
    assert status(refused, shared) == PlacementStatus("a", 5, Progress.REFUSED, 2, "threw")
    asleep = replace(side, slot=None, slots=(), startable=True)
    rests = {"a.example.org": replace(own, shares=((90, own), (10, asleep)))}
    sleeping = Observed(sandboxes=sandbox(), routes=rests, good={"a@3": Good(second, Limits())})
    assert status(sleeping, shared).progress is Progress.ACTIVE
