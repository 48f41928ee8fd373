"""The plan, alone: what it asks for, and that it reaches the same end wherever it is cut off."""

from collections.abc import Collection
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from nearhop.spec import Assets, Dialect, Limits, Manifest, PathRoute, RateLimit
from node.plan.diff import (
    Action,
    DrainSandbox,
    FetchBundle,
    Index,
    RememberGood,
    RemoveBundle,
    StartSandbox,
    SwitchRoutes,
    changed,
    diff,
    diff_some,
    index,
    removals,
    routes,
    unsettled,
)
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
    function_of,
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
    # What served sleeps until it is asked for.
    assert diff(wanted, restarted, 0.0) == (SwitchRoutes(route(None)),)
    awaited = replace(restarted, routes=route(None), demanded=frozenset("a"))
    assert diff(wanted, awaited, 0.0) == (StartSandbox(0, spec()),)
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


def test_a_version_that_was_ready_sleeps_until_it_is_asked_for() -> None:
    asleep = Observed(bundles=digests(1), free_slots=(0,), routes=route(None), good=good(1))
    assert diff(snapshot(placement()), asleep, 0.0) == ()
    awaited = replace(asleep, demanded=frozenset("a"))
    assert diff(snapshot(placement()), awaited, 0.0) == (StartSandbox(0, spec()),)
    starting = replace(asleep, sandboxes=(SandboxView(0, spec(), ready=False, retiring=False),))
    assert diff(snapshot(placement()), starting, 0.0) == ()
    awake = replace(asleep, sandboxes=(ready(0),))
    assert diff(snapshot(placement()), awake, 0.0) == (SwitchRoutes(route(0)),)


def test_an_idle_sandbox_is_unrouted_and_then_drained() -> None:
    idle = replace(ready(0), idle=True)
    observed = Observed(bundles=digests(1), sandboxes=(idle,), routes=route(0), good=good(1))
    assert diff(snapshot(placement()), observed, 0.0) == (SwitchRoutes(route(None)),)
    unrouted = replace(observed, routes=route(None))
    assert diff(snapshot(placement()), unrouted, 0.0) == (DrainSandbox(0),)
    used_again = replace(unrouted, sandboxes=(ready(0),))
    assert diff(snapshot(placement()), used_again, 0.0) == (SwitchRoutes(route(0)),)
    awaited = replace(unrouted, demanded=frozenset("a"))
    assert diff(snapshot(placement()), awaited, 0.0) == (SwitchRoutes(route(0)),)


def test_an_idle_old_version_serves_until_the_new_one_does() -> None:
    wanted = snapshot(placement(number=2, generation=2))
    idle = replace(ready(0), idle=True)
    observed = Observed(bundles=digests(1, 2), sandboxes=(idle,), free_slots=(1,), routes=route(0), good=good(1))
    assert diff(wanted, observed, 0.0) == (StartSandbox(1, spec("a", 2)),)


def test_a_new_version_is_started_though_the_old_one_sleeps_and_requests_wake_the_old_one() -> None:
    wanted = snapshot(placement(number=2, generation=2))
    asleep = Observed(bundles=digests(1, 2), free_slots=(1, 2), routes=route(None), good=good(1))
    assert diff(wanted, asleep, 0.0) == (StartSandbox(1, spec("a", 2)),)
    awaited = replace(asleep, demanded=frozenset("a"))
    assert diff(wanted, awaited, 0.0) == (StartSandbox(1, spec("a", 2)), StartSandbox(2, spec()))


def test_a_change_of_secrets_is_started_before_it_serves() -> None:
    changed_secret = replace(placement(), secrets={"KEY": "new"})
    observed = Observed(bundles=digests(1), sandboxes=(ready(0),), free_slots=(1,), routes=route(0), good=good(1))
    fresh = replace(spec(), env={"KEY": "new"})
    assert diff(snapshot(changed_secret), observed, 0.0) == (StartSandbox(1, fresh),)
    both = replace(observed, sandboxes=(ready(0), SandboxView(1, fresh, ready=True, retiring=False)), free_slots=())
    assert diff(snapshot(changed_secret), both, 0.0) == (SwitchRoutes(route(1)),)
    assert diff(snapshot(changed_secret), replace(both, routes=route(1)), 0.0) == (DrainSandbox(0),)


def test_a_version_that_crashes_again_and_again_is_not_waited_for() -> None:
    waiting = SandboxView(0, spec(), ready=False, retiring=False, crashed=True, waiting=True)
    observed = Observed(bundles=digests(1), sandboxes=(waiting,), routes=route(0), good=good(1))
    refused = {"a.example.org": replace(route(None)["a.example.org"], startable=False)}
    assert diff(snapshot(placement()), observed, 0.0) == (SwitchRoutes(refused),)
    assert diff(snapshot(placement()), replace(observed, sandboxes=(replace(waiting, waiting=False),)), 0.0) == (
        SwitchRoutes(route(None)),
    )


def test_several_instances_under_load() -> None:
    observed = Observed(
        bundles=digests(1),
        sandboxes=(ready(0),),
        free_slots=(1, 2),
        routes=route(0),
        good=good(1),
        instances={spec(): 2},
    )
    assert diff(snapshot(placement()), observed, 0.0) == (StartSandbox(1, spec()),)
    two = replace(observed, sandboxes=(ready(0), ready(1)), free_slots=(2,))
    both = {"a.example.org": replace(route(0)["a.example.org"], slots=(0, 1))}
    assert diff(snapshot(placement()), two, 0.0) == (SwitchRoutes(both),)
    assert diff(snapshot(placement()), replace(two, routes=both), 0.0) == ()
    fewer = replace(two, routes=both, instances={})
    assert diff(snapshot(placement()), fewer, 0.0) == (SwitchRoutes(route(0)),)
    assert diff(snapshot(placement()), replace(fewer, routes=route(0)), 0.0) == (DrainSandbox(1),)


def test_a_warm_process_is_taken_before_a_free_slot() -> None:
    observed = Observed(bundles=digests(1), free_slots=(3,), warm_slots=(5, 6), routes=route(None))
    assert diff(snapshot(placement()), observed, 0.0) == (StartSandbox(5, spec()),)
    assert diff(snapshot(placement()), replace(observed, warm_slots=()), 0.0) == (StartSandbox(3, spec()),)


def test_only_so_many_programs_start_at_once_but_for_those_that_are_waited_for() -> None:
    names = "abcdefgh"
    wanted = snapshot(*(placement(name) for name in names))
    cold = {f"{name}.example.org": Route(name, 1, None, LIMITS.wall_ms, startable=True) for name in names}
    observed = Observed(bundles=digests(1), free_slots=tuple(range(10)), routes=cold)
    started = [a.spec.function for a in diff(wanted, observed, 0.0) if isinstance(a, StartSandbox)]
    assert started == list("abcd")
    awaited = replace(observed, demanded=frozenset("gh"))
    started = [a.spec.function for a in diff(wanted, awaited, 0.0) if isinstance(a, StartSandbox)]
    assert started == list("ghab")
    busy = tuple(SandboxView(20 + n, spec("z"), ready=False, retiring=False) for n in range(4))
    crowded = replace(awaited, sandboxes=busy)
    started = [a.spec.function for a in diff(wanted, crowded, 0.0) if isinstance(a, StartSandbox)]
    assert started == list("gh")


def test_the_longest_unused_gives_its_slot_to_one_that_has_none() -> None:
    wanted = snapshot(*(placement(name) for name in "abc"))
    views = tuple(
        SandboxView(slot, spec(name), ready=True, retiring=False, used_at=used)
        for slot, (name, used) in enumerate([("a", 8.0), ("b", 5.0)])
    )
    served = {
        f"{name}.example.org": Route(name, 1, slot, LIMITS.wall_ms, (slot,)) for slot, name in enumerate("ab")
    } | {"c.example.org": Route("c", 1, None, LIMITS.wall_ms, startable=True)}
    known = {name: Good(version(1), LIMITS) for name in "abc"}
    full = Observed(bundles=digests(1), sandboxes=views, routes=served, good=known, demanded=frozenset("c"))
    unrouted = {**served, "b.example.org": Route("b", 1, None, LIMITS.wall_ms, startable=True)}
    assert diff(wanted, full, 10.0) == (SwitchRoutes(unrouted),)
    assert diff(wanted, replace(full, routes=unrouted), 10.0) == (DrainSandbox(1),)
    assert diff_some(index(wanted), full, 10.0, {"c"}) == (SwitchRoutes(unrouted),)
    assert diff_some(index(wanted), replace(full, routes=unrouted), 10.0, {"c"}) == (DrainSandbox(1),)
    assert diff(wanted, full, 5.5) == ()  # it has just been used
    unproven = replace(full, good={"a": known["a"], "c": known["c"]})
    [switch, remember] = diff(wanted, unproven, 10.0)
    assert isinstance(switch, SwitchRoutes)
    assert (switch.changed, remember) == ({"a.example.org"}, RememberGood(known))
    leaving = (*views, SandboxView(2, spec("z"), ready=False, retiring=True))
    assert diff(wanted, replace(full, sandboxes=leaving), 10.0) == ()
    asked_for = replace(full, demanded=frozenset("abc"))
    assert diff(wanted, asked_for, 10.0) == ()


def test_a_plan_for_some_leaves_the_others_alone() -> None:
    wanted = index(snapshot(placement("a"), placement("b")))
    observed = Observed(free_slots=(0, 1))
    some = diff_some(wanted, observed, 0.0, {"a", "unknown"})
    assert some == (FetchBundle(version(1).digest, 10), SwitchRoutes(route(None)))
    served = replace(observed, bundles=digests(1), sandboxes=(ready(0), ready(1)), routes=route(0), good=good(1))
    assert diff_some(wanted, served, 0.0, {"b"}) == diff_some(wanted, replace(served, sandboxes=()), 0.0, {"b"})
    assert DrainSandbox(1) in diff_some(wanted, served, 0.0, {"a"})
    gone = diff_some(index(snapshot()), Observed(routes=route(None), good=good(1)), 0.0, {"a"})
    assert gone == (SwitchRoutes({}), RememberGood({}))


def test_what_two_snapshots_do_not_place_alike() -> None:
    before = index(snapshot(placement("a"), placement("b"), placement("c")))
    aliased = replace(placement("b"), hostnames=("b.example.org", "d.example.org"))
    after = index(snapshot(placement("a"), aliased, placement("d")))
    assert changed(before, after) == {"b", "c", "d"}
    shadowed = index(snapshot(replace(placement("a"), hostnames=("b.example.org",)), placement("b")))
    assert changed(index(snapshot(placement("a"), placement("b"))), shadowed) == {"a", "b"}
    assert changed(before, before) == set()


PACK = "f" * 64
FILES = Version(3, PACK, 99, Dialect.STATIC)
WITH_FILES = replace(version(1), manifest=Manifest(assets=Assets(PACK, 99)))


def test_files_alone_are_fetched_and_routed_without_a_sandbox() -> None:
    wanted = snapshot(replace(placement(generation=3), version=FILES))
    cold = {"a.example.org": Route("a", 0, None, LIMITS.wall_ms)}
    assert diff(wanted, Observed(free_slots=(0,)), 0.0) == (FetchBundle(PACK, 99, pack=True), SwitchRoutes(cold))
    here = Observed(free_slots=(0,), packs=frozenset([PACK]), routes=cold)
    files = {"a.example.org": Route("a", 3, None, LIMITS.wall_ms, assets=PACK, static=True)}
    known = {"a": Good(FILES, LIMITS)}
    assert diff(wanted, here, 0.0) == (SwitchRoutes(files), RememberGood(known))
    assert diff(wanted, replace(here, routes=files, good=known), 0.0) == ()
    assert diff(snapshot(), replace(here, good=known), 0.0)[-1] == RemoveBundle(PACK, pack=True)


def test_files_after_a_program_and_a_program_after_files() -> None:
    wanted = snapshot(replace(placement(generation=3), version=FILES))
    program = Observed(bundles=digests(1), sandboxes=(ready(0),), routes=route(0), good=good(1))
    assert diff(wanted, program, 0.0) == (FetchBundle(PACK, 99, pack=True),)
    fetched = replace(program, packs=frozenset([PACK]))
    files = {"a.example.org": Route("a", 3, None, LIMITS.wall_ms, assets=PACK, static=True)}
    assert diff(wanted, fetched, 0.0) == (SwitchRoutes(files), RememberGood({"a": Good(FILES, LIMITS)}))
    served = replace(fetched, routes=files, good={"a": Good(FILES, LIMITS)})
    assert diff(wanted, served, 0.0) == (DrainSandbox(0),)
    back = replace(served, sandboxes=(), free_slots=(0,))
    assert diff(snapshot(placement(generation=4)), back, 0.0) == (StartSandbox(0, spec()),)
    refused = replace(back, refusals={"a": Refusal(4, "threw")})
    assert diff(snapshot(placement(generation=4)), refused, 0.0) == ()


def test_a_program_with_files_waits_for_both() -> None:
    wanted = snapshot(replace(placement(), version=WITH_FILES))
    observed = Observed(bundles=digests(1), free_slots=(0,), routes=route(None))
    assert diff(wanted, observed, 0.0) == (FetchBundle(PACK, 99, pack=True),)
    whole = replace(observed, packs=frozenset([PACK]))
    cold = {"a.example.org": replace(route(None)["a.example.org"], assets=PACK)}
    own = SandboxSpec("a", WITH_FILES, LIMITS)
    assert diff(wanted, whole, 0.0) == (StartSandbox(0, own), SwitchRoutes(cold))
    sandbox = SandboxView(0, own, ready=True, retiring=False)
    running = replace(whole, sandboxes=(sandbox,), free_slots=(), good={"a": Good(WITH_FILES, LIMITS)})
    assert diff(wanted, running, 0.0) == (
        SwitchRoutes({"a.example.org": replace(route(0)["a.example.org"], assets=PACK)}),
    )
    asking = replace(version(1), manifest=Manifest(assets=Assets(PACK, 99, program_first=True)))
    first = replace(running, sandboxes=(replace(sandbox, spec=SandboxSpec("a", asking, LIMITS)),))
    assert routes(snapshot(replace(placement(), version=asking)), first) == route(0)


def test_a_path_is_routed_like_a_hostname() -> None:
    shop = replace(placement(), routes=(PathRoute("www.example.org", "/shop"),))
    found = routes(snapshot(shop), Observed())
    assert found.keys() == {"a.example.org", "www.example.org/shop"}


def test_a_route_tells_the_limits_and_the_breaker() -> None:
    limited = replace(
        placement(),
        limits=Limits(request_body_bytes=5, concurrency=7),
        rate_limit=RateLimit(3, 60),
        cache_epoch=9,
    )
    [found] = routes(snapshot(limited), Observed()).values()
    assert (found.request_body_bytes, found.concurrency, found.rate_limit, found.cache_epoch, found.refusal) == (
        5, 7, RateLimit(3, 60), 9, "",
    )  # fmt: skip
    [found] = routes(snapshot(limited), Observed(broken=frozenset([("a", 1)]), good=good(1))).values()
    assert found.refusal == "breaker_open"
    [found] = routes(snapshot(limited), Observed(probed=frozenset([("a", 1)]), good=good(1))).values()
    assert (found.refusal, found.concurrency) == ("", 1)


def test_what_is_not_settled_when_an_agent_starts() -> None:
    placed = index(snapshot(placement("a"), placement("b", 2), placement("c")))
    known = {"a": Good(version(1), LIMITS), "b": Good(version(1), LIMITS), "d": Good(version(1), LIMITS)}
    assert unsettled(placed, Observed(good=known)) == {"b", "c", "d"}


def test_a_second_sandbox_of_one_version_is_drained() -> None:
    observed = Observed(bundles=digests(1), sandboxes=(ready(0), ready(1)), routes=route(0), good=good(1))
    assert diff(snapshot(placement()), observed, 0.0) == (DrainSandbox(1),)


def apply(placed: Index, observed: Observed, action: Action, broken: frozenset[int]) -> Observed:
    """Carry one action out in a world where versions in *broken* do not start."""
    match action:
        case FetchBundle(digest):
            return replace(observed, bundles=observed.bundles | {digest})
        case StartSandbox(slot, started):
            if started.version.number in broken:
                refused = {**observed.refusals, placed.lane_of(started): Refusal(7, "threw")}
                return replace(observed, refusals=refused)
            sandbox = SandboxView(slot, started, ready=True, retiring=False)
            free = tuple(s for s in observed.free_slots if s != slot)
            return replace(observed, sandboxes=(*observed.sandboxes, sandbox), free_slots=free)
        case SwitchRoutes(new):
            for item in (part for whole in new.values() for part in (whole, *(share for _, share in whole.shares))):
                assert item.slot is None or any(
                    (s.slot, s.ready, s.spec.function, s.spec.version.number)
                    == (item.slot, True, item.function, item.version)
                    for s in observed.sandboxes
                )
            for item in new.values():
                assert not item.shares or sum(percent for percent, _ in item.shares) == 100
            return replace(observed, routes=new)
        case RememberGood(new_good):
            return replace(observed, good=new_good)
        case DrainSandbox(slot):
            assert slot not in {slot for item in observed.routes.values() for slot in item.all_slots}
            left = tuple(s for s in observed.sandboxes if s.slot != slot)
            return replace(observed, sandboxes=left, free_slots=(*observed.free_slots, slot))
        case RemoveBundle(digest):
            assert digest not in {s.spec.version.digest for s in observed.sandboxes}
            return replace(observed, bundles=observed.bundles - {digest})


def settle(
    wanted: Snapshot, observed: Observed, broken: frozenset[int], cuts: list[int], only: Collection[str] | None = None
) -> Observed:
    """Plan, for the functions in *only*, and act until nothing is left to do; each number in *cuts* stops one plan after so many actions."""
    placed = index(wanted)
    for turn in range(60):
        actions = (*diff_some(placed, observed, 0.0, only), *removals(placed, observed))
        if not actions:
            return observed
        for action in actions[: cuts[turn] if turn < len(cuts) else None]:
            observed = apply(index(wanted), observed, action, broken)
    raise AssertionError("the plan does not come to rest")


def end(observed: Observed) -> object:
    """What counts of an end: slots and their order do not."""
    routed = {
        host: (
            (item.function, item.version, item.slot is not None),
            [(percent, share.version, share.slot is not None) for percent, share in item.shares],
        )
        for host, item in observed.routes.items()
    }
    return (observed.bundles, {s.spec for s in observed.sandboxes}, routed, dict(observed.good))


def split(function: str, own: int, *beside: tuple[int, int]) -> Placement:
    parts = tuple(Part(version(number), percent) for number, percent in beside)
    return replace(placement(function, own, 7), beside=parts)


_versions = st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True)
_placements = st.dictionaries(st.sampled_from("abc"), st.tuples(_versions, st.integers(0, 50)), max_size=3).map(
    lambda wanted: snapshot(
        *(
            split(function, numbers[0], *((number, percent) for number in numbers[1:]))
            for function, (numbers, percent) in sorted(wanted.items())
        )
    )
)


@settings(max_examples=300, deadline=None)
@given(_placements, _placements, st.frozensets(st.integers(2, 4)), st.lists(st.integers(0, 4), max_size=8))
def test_a_plan_cut_off_anywhere_reaches_the_same_end(
    first: Snapshot, second: Snapshot, broken: frozenset[int], cuts: list[int]
) -> None:
    start = settle(first, Observed(free_slots=tuple(range(10))), frozenset(), [])
    whole = settle(second, start, broken, [])
    assert end(settle(second, start, broken, cuts)) == end(whole)
    # What was settled needs nobody to look at it again.
    before = index(first)
    names = changed(before, index(second))
    some = names | {name for function in names for name in before.lanes(function)}
    assert end(settle(second, start, broken, cuts, some)) == end(whole)
    for item in second.placements:
        assert item.version is not None
        served = whole.routes[item.hostnames[0]]
        serves = served.slot is not None and served.version == item.version.number
        assert serves or item.version.number in broken
        for part, (percent, share) in zip(item.beside, served.shares[1:], strict=True):
            if part.version.number not in broken:
                assert (share.version, share.slot is not None, percent) == (part.version.number, True, part.percent)
            elif serves:
                # What falls to a version that does not start is served by the function's own; one that has been started before runs on.
                assert percent == (0 if share.slot is None else part.percent)


SPLIT = split("a", 1, (2, 10))


def both(*, percent: int = 10, second: int | None = 1) -> dict[str, Route]:
    own = route(0)["a.example.org"]
    slots = () if second is None else (second,)
    side = Route("a", 2, second, LIMITS.wall_ms, slots, startable=second is None)
    return {"a.example.org": replace(own, shares=((100 - percent, own), (percent, side)))}


def good_pair() -> dict[str, Good]:
    return {**good(1), "a@2": Good(version(2), LIMITS)}


def test_a_version_beside_is_fetched_started_and_given_its_share() -> None:
    wanted = snapshot(SPLIT)
    alone = Observed(bundles=digests(1), sandboxes=(ready(0),), free_slots=(1,), routes=route(0), good=good(1))
    assert diff(wanted, alone, 0.0) == (FetchBundle(version(2).digest, 10), SwitchRoutes(both(second=None)))
    fetched = replace(alone, bundles=digests(1, 2), routes=both(second=None))
    assert diff(wanted, fetched, 0.0) == (StartSandbox(1, spec("a", 2)),)
    running = replace(fetched, sandboxes=(ready(0), ready(1, 2)), free_slots=())
    assert diff(wanted, running, 0.0) == (SwitchRoutes(both()), RememberGood(good_pair()))
    assert diff(wanted, replace(running, routes=both(), good=good_pair()), 0.0) == ()


SERVED = Observed(bundles=digests(1, 2), sandboxes=(ready(0), ready(1, 2)), routes=both(), good=good_pair())


def test_a_version_beside_sleeps_and_is_started_by_itself() -> None:
    wanted = snapshot(SPLIT)
    idle = replace(SERVED, sandboxes=(ready(0), replace(ready(1, 2), idle=True)))
    assert diff(wanted, idle, 0.0) == (SwitchRoutes(both(second=None)),)
    asleep = replace(idle, routes=both(second=None))
    assert diff(wanted, asleep, 0.0) == (DrainSandbox(1),)
    gone = replace(asleep, sandboxes=(ready(0),), free_slots=(1,))
    assert diff(wanted, gone, 0.0) == ()
    assert diff(wanted, replace(gone, demanded=frozenset(["a@2"])), 0.0) == (StartSandbox(1, spec("a", 2)),)


def test_a_version_that_gets_all_the_traffic_keeps_its_sandbox() -> None:
    wanted = snapshot(placement("a", 2, 1))
    [switch, remember] = diff_some(index(wanted), SERVED, 0.0, {"a", "a@2"})
    assert switch == SwitchRoutes({"a.example.org": route(1, 2)["a.example.org"]})
    assert remember == RememberGood(good(2))
    after = replace(SERVED, routes=route(1, 2), good=good(2))
    assert diff(wanted, after, 0.0) == (DrainSandbox(0),)


def test_one_that_goes_leaves_its_requests_to_the_functions_own() -> None:
    back = snapshot(placement("a", 1, 1))
    assert diff_some(index(back), SERVED, 0.0, {"a", "a@2"}) == (SwitchRoutes(route(0)), RememberGood(good(1)))
    # Nor does it get them all while a third is being started.
    third = snapshot(placement("a", 3, 2))
    aside = replace(SERVED, bundles=digests(1, 2, 3), free_slots=(2,))
    started, switched, _ = diff_some(index(third), aside, 0.0, {"a", "a@2"})
    assert (started, switched) == (StartSandbox(2, spec("a", 3)), SwitchRoutes(route(0)))


def test_what_falls_to_a_version_that_cannot_serve_is_served_by_the_functions_own() -> None:
    wanted = snapshot(SPLIT)
    broken = replace(SERVED, broken=frozenset([("a", 2)]))
    [switch] = diff(wanted, broken, 0.0)
    assert isinstance(switch, SwitchRoutes)
    [(own_percent, own), (percent, side)] = switch.routes["a.example.org"].shares
    assert (own_percent, own.refusal, percent, side.refusal) == (100, "", 0, "breaker_open")
    refused = replace(SERVED, sandboxes=(ready(0),), refusals={"a@2": Refusal(7, "threw")}, good=good(1))
    [switch] = diff(wanted, refused, 0.0)
    assert isinstance(switch, SwitchRoutes)
    assert [percent for percent, _ in switch.routes["a.example.org"].shares] == [100, 0]
    # With neither able to serve, the shares stay as they are.
    lost = replace(SERVED, broken=frozenset([("a", 1), ("a", 2)]))
    [switch] = diff(wanted, lost, 0.0)
    assert isinstance(switch, SwitchRoutes)
    assert [percent for percent, _ in switch.routes["a.example.org"].shares] == [90, 10]


def test_what_served_last_is_not_started_twice_when_it_stands_beside() -> None:
    wanted = snapshot(SPLIT)
    before = Observed(bundles=digests(2), free_slots=(1, 2), good=good(2), demanded=frozenset("a"))
    starts = [action for action in diff(wanted, before, 0.0) if isinstance(action, StartSandbox)]
    assert starts == [StartSandbox(1, spec("a", 2))]


def test_versions_beside_that_are_not_settled_when_an_agent_starts() -> None:
    placed = index(snapshot(SPLIT))
    assert unsettled(placed, Observed(good=good_pair())) == set()
    assert unsettled(placed, Observed(good=good(1))) == {"a"}
    assert placed.lanes("a") == ("a", "a@2")
    assert placed.lanes("b") == ("b",)
    assert {function_of(name) for name in placed.lanes("a")} == {"a"}
