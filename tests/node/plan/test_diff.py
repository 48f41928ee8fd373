"""The plan, alone: what it asks for, and that it reaches the same end wherever it is cut off."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from node.plan.diff import (
    Action,
    DrainSandbox,
    FetchBundle,
    RememberGood,
    RemoveBundle,
    StartSandbox,
    SwitchRoutes,
    diff,
    routes,
)
from node.plan.records import (
    Dialect,
    FetchFailure,
    Good,
    Limits,
    Observed,
    Placement,
    Refusal,
    Route,
    SandboxSpec,
    SandboxView,
    Snapshot,
    Version,
)

LIMITS = Limits()


def version(number: int) -> Version:
    return Version(number, f"{number:064x}", 10, Dialect.WORKERS)


def placement(function: str = "a", number: int | None = 1, generation: int = 1, problem: str = "") -> Placement:
    wanted = None if number is None else version(number)
    return Placement(function, generation, (f"{function}.example.org",), LIMITS, wanted, problem)


def spec(function: str = "a", number: int = 1) -> SandboxSpec:
    return SandboxSpec(function, version(number), LIMITS)


def snapshot(*placements: Placement) -> Snapshot:
    return Snapshot(1, "example.org", False, placements)


def ready(slot: int, number: int = 1, *, retiring: bool = False) -> SandboxView:
    return SandboxView(slot, spec("a", number), ready=not retiring, retiring=retiring)


def good(number: int) -> dict[str, Good]:
    return {"a": Good(version(number), LIMITS)}


def route(slot: int | None, number: int = 1) -> dict[str, Route]:
    slots = () if slot is None else (slot,)
    return {"a.example.org": Route("a", number, slot, LIMITS.wall_ms, slots, startable=slot is None)}


def digests(*numbers: int) -> frozenset[str]:
    return frozenset(version(number).digest for number in numbers)


def test_a_missing_bundle_is_fetched_and_its_host_is_known_at_once() -> None:
    actions = diff(snapshot(placement()), Observed(free_slots=(0,)), 0.0)
    assert actions == (FetchBundle(version(1).digest, 10), SwitchRoutes(route(None)))


def test_a_bundle_is_not_fetched_twice_nor_before_its_retry() -> None:
    wanted = snapshot(placement(), replace(placement("b"), version=version(1)))
    assert len([a for a in diff(wanted, Observed(), 0.0) if isinstance(a, FetchBundle)]) == 1
    fetching = Observed(fetching=digests(1))
    assert not [a for a in diff(wanted, fetching, 0.0) if isinstance(a, FetchBundle)]
    failed = Observed(fetch_failures={version(1).digest: FetchFailure("disk full", 5.0)})
    assert not [a for a in diff(wanted, failed, 4.9) if isinstance(a, FetchBundle)]
    assert [a for a in diff(wanted, failed, 5.0) if isinstance(a, FetchBundle)]


def test_a_sandbox_takes_the_first_free_slot_or_waits_for_one() -> None:
    observed = Observed(bundles=digests(1), free_slots=(3, 1), routes=route(None))
    assert diff(snapshot(placement()), observed, 0.0) == (StartSandbox(3, spec()),)
    assert diff(snapshot(placement()), replace(observed, free_slots=()), 0.0) == ()


def test_what_failed_to_start_is_held_back() -> None:
    observed = Observed(bundles=digests(1), free_slots=(0,), routes=route(None), held={spec(): 9.0})
    assert diff(snapshot(placement()), observed, 8.0) == ()
    assert diff(snapshot(placement()), observed, 9.0) == (StartSandbox(0, spec()),)


def test_the_new_version_is_ready_before_the_old_one_drains() -> None:
    wanted = snapshot(placement(number=2, generation=2))
    old = Observed(bundles=digests(1, 2), sandboxes=(ready(0),), free_slots=(1,), routes=route(0), good=good(1))
    assert diff(wanted, old, 0.0) == (StartSandbox(1, spec("a", 2)),)
    starting = replace(
        old, sandboxes=(ready(0), SandboxView(1, spec("a", 2), ready=False, retiring=False)), free_slots=()
    )
    assert diff(wanted, starting, 0.0) == ()
    both = replace(old, sandboxes=(ready(0), ready(1, 2)), free_slots=())
    assert diff(wanted, both, 0.0) == (SwitchRoutes(route(1, 2)), RememberGood(good(2)))
    switched = replace(both, routes=route(1, 2), good=good(2))
    assert diff(wanted, switched, 0.0) == (DrainSandbox(0),)
    drained = replace(switched, sandboxes=(ready(1, 2),))
    assert diff(wanted, drained, 0.0) == (RemoveBundle(version(1).digest),)


def test_a_refused_generation_keeps_the_last_good_version() -> None:
    refused = {"a": Refusal(2, "threw")}
    wanted = snapshot(placement(number=2, generation=2))
    observed = Observed(bundles=digests(1, 2), sandboxes=(ready(0),), routes=route(0), good=good(1), refusals=refused)
    assert diff(wanted, observed, 0.0) == ()
    restarted = Observed(
        bundles=digests(1, 2), free_slots=(0, 1), routes=route(None, 0), good=good(1), refusals=refused
    )
    assert diff(wanted, restarted, 0.0) == (StartSandbox(0, spec()),)
    asked_again = replace(wanted, placements=(replace(wanted.placements[0], generation=3),))
    assert StartSandbox(1, spec("a", 2)) in diff(asked_again, replace(observed, free_slots=(1,)), 0.0)


def test_a_placement_with_a_problem_keeps_what_served() -> None:
    wanted = snapshot(placement(number=None, problem="dialect 9 is not known to this node"))
    observed = Observed(bundles=digests(1), sandboxes=(ready(0),), routes=route(0), good=good(1))
    assert diff(wanted, observed, 0.0) == ()


def test_nothing_asked_for_means_nothing_served() -> None:
    observed = Observed(bundles=digests(1), sandboxes=(ready(0),), routes=route(0), good=good(1))
    for wanted in (snapshot(), snapshot(placement(number=None))):
        assert SwitchRoutes({}) in diff(wanted, observed, 0.0)
        assert DrainSandbox(0) in diff(wanted, replace(observed, routes={}), 0.0)
    assert diff(snapshot(), replace(observed, routes={}, good={}), 0.0) == (DrainSandbox(0),)
    assert diff(snapshot(), Observed(sandboxes=(ready(0, retiring=True),)), 0.0) == ()


def test_a_hostname_that_two_claim_goes_to_the_first() -> None:
    twin = replace(placement("b"), hostnames=("a.example.org", "b.example.org"))
    found = routes(snapshot(placement("a"), twin), Observed())
    assert {host: item.function for host, item in found.items()} == {"a.example.org": "a", "b.example.org": "b"}


def test_a_second_sandbox_of_one_version_is_drained() -> None:
    observed = Observed(bundles=digests(1), sandboxes=(ready(0), ready(1)), routes=route(0), good=good(1))
    assert diff(snapshot(placement()), observed, 0.0) == (DrainSandbox(1),)


def apply(observed: Observed, action: Action, broken: frozenset[int]) -> Observed:
    """Carry one action out in a world where versions in *broken* do not start."""
    match action:
        case FetchBundle(digest):
            return replace(observed, bundles=observed.bundles | {digest})
        case StartSandbox(slot, started):
            if started.version.number in broken:
                return replace(observed, refusals={**observed.refusals, started.function: Refusal(7, "threw")})
            sandbox = SandboxView(slot, started, ready=True, retiring=False)
            free = tuple(s for s in observed.free_slots if s != slot)
            return replace(observed, sandboxes=(*observed.sandboxes, sandbox), free_slots=free)
        case SwitchRoutes(new):
            for item in new.values():
                assert item.slot is None or any(
                    s.slot == item.slot and s.ready and s.spec.function == item.function for s in observed.sandboxes
                )
            return replace(observed, routes=new)
        case RememberGood(new_good):
            return replace(observed, good=new_good)
        case DrainSandbox(slot):
            assert slot not in {item.slot for item in observed.routes.values()}
            left = tuple(s for s in observed.sandboxes if s.slot != slot)
            return replace(observed, sandboxes=left, free_slots=(*observed.free_slots, slot))
        case RemoveBundle(digest):
            assert digest not in {s.spec.version.digest for s in observed.sandboxes}
            return replace(observed, bundles=observed.bundles - {digest})


def settle(wanted: Snapshot, observed: Observed, broken: frozenset[int], cuts: list[int]) -> Observed:
    """Plan and act until nothing is left to do; each number in *cuts* stops one plan after so many actions."""
    for turn in range(60):
        actions = diff(wanted, observed, 0.0)
        if not actions:
            return observed
        for action in actions[: cuts[turn] if turn < len(cuts) else None]:
            observed = apply(observed, action, broken)
    raise AssertionError("the plan does not come to rest")


def end(observed: Observed) -> object:
    """What counts of an end: slots and their order do not."""
    routed = {host: (item.function, item.version, item.slot is not None) for host, item in observed.routes.items()}
    return (observed.bundles, {s.spec for s in observed.sandboxes}, routed, dict(observed.good))


_placements = st.dictionaries(st.sampled_from("abc"), st.integers(1, 4), max_size=3).map(
    lambda wanted: snapshot(*(placement(function, number, 7) for function, number in sorted(wanted.items())))
)


@settings(max_examples=300, deadline=None)
@given(_placements, _placements, st.frozensets(st.integers(2, 4)), st.lists(st.integers(0, 4), max_size=8))
def test_a_plan_cut_off_anywhere_reaches_the_same_end(
    first: Snapshot, second: Snapshot, broken: frozenset[int], cuts: list[int]
) -> None:
    start = settle(first, Observed(free_slots=tuple(range(10))), frozenset(), [])
    whole = settle(second, start, broken, [])
    assert end(settle(second, start, broken, cuts)) == end(whole)
    for item in second.placements:
        assert item.version is not None
        served = whole.routes[item.hostnames[0]]
        assert (served.slot is not None and served.version == item.version.number) or item.version.number in broken
