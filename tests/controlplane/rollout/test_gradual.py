from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.model import (
    Deployment,
    Gradual,
    Phase,
    PlacementState,
    PlacementStatus,
    Rollout,
    Share,
    VersionStatus,
)
from controlplane.rollout import Decision, PlacedNode, abort, apply, begin, gradual, pause, plan, promote, resume

DEADLINE_S = 60.0
STEPS = Gradual((10, 50, 100), pause_s=30.0, max_failures=3)
FIRST = replace(
    begin(None, "hello", (Share(1, 100),), request_id="r1", now=1.0), phase=Phase.COMPLETE, reason="", ended_at=2.0
)


def begun(steps: Gradual = STEPS, now: float = 1000.0) -> Deployment:
    return begin(FIRST, "hello", (Share(2, 100),), request_id="r2", now=now, gradual=steps)


def node(
    name: str = "a",
    state: PlacementState = PlacementState.ACTIVE,
    *,
    seen: int = 40,
    failures: int = 0,
    open_: bool = False,
    error: str = "",
    connected: bool = True,
) -> PlacedNode:
    versions = (
        VersionStatus(1, {"exception": 99}),
        VersionStatus(2, {"exception": failures} if failures else {}, open_),
    )
    status = PlacementStatus("hello", 2, state, 1, error, versions=versions)
    return PlacedNode(name, "region", connected, seen, status)


PENDING = node(state=PlacementState.PENDING)


def step(deployment: Deployment, now: float, *nodes: PlacedNode, revision: int = 40) -> tuple[Deployment, Decision]:
    decision = plan(deployment, revision, nodes or (node(),), now, deadline_s=DEADLINE_S)
    return apply(deployment, decision, now), decision


def shares(deployment: Deployment) -> dict[int, int]:
    return {share.version: share.percent for share in deployment.in_force()}


def at_ten(steps: Gradual = STEPS) -> Deployment:
    """Return a deployment whose first step has been reached at 1002."""
    first, _ = step(begun(steps), 1001.0)
    reached, _ = step(first, 1002.0)
    assert reached.rollout is not None
    assert shares(reached) == {1: 90, 2: 10}
    return reached


def rollout_of(deployment: Deployment) -> Rollout:
    assert deployment.rollout is not None
    return deployment.rollout


def test_it_is_made_ready_without_a_share_first() -> None:
    fresh = begun()
    assert (fresh.shares, fresh.version, fresh.previous) == ((Share(1, 100), Share(2, 0)), 2, (Share(1, 100),))
    same, waiting = step(fresh, 1001.0, node(), PENDING)
    assert same is fresh
    assert (waiting.phase, waiting.look_again_at) == (Phase.PROGRESSING, 1060.0)
    assert waiting.reason == "1 of 2 nodes serve versions 1 (100 %), 2 (0 %); waiting for a"
    first, decision = step(fresh, 1001.0)
    assert decision.reason == "version 2 gets 10 % of the traffic"
    assert (shares(first), first.phase) == ({1: 90, 2: 10}, Phase.PROGRESSING)


def test_the_pause_begins_when_every_connected_node_serves_the_step() -> None:
    first, _ = step(begun(), 1001.0)
    same, _ = step(first, 1005.0, node(seen=40), revision=41)  # the node has yet to see the new shares
    assert same is first
    reached, decision = step(first, 1010.0, node(seen=41), node("b", connected=False), revision=41)
    assert reached.rollout is not None
    assert (reached.rollout.reached_at, reached.rollout.revision) == (1010.0, 41)
    assert decision.reason == "version 2 has 10 % of the traffic; 50 % come after a pause of 30 s"
    # What is written without other shares is not waited for again.
    same, decision = step(reached, 1039.9, node(seen=41), revision=42)
    assert same is reached
    assert decision.look_again_at == 1040.0
    second, _ = step(reached, 1040.0, node(seen=41), revision=42)
    assert shares(second) == {1: 50, 2: 50}
    assert second.rollout is not None
    assert (second.rollout.reached_at, second.rollout.revision, second.rollout.step_at) == (None, 0, 1040.0)


def test_a_first_step_without_a_share_is_reached_by_the_snapshot_that_made_it_ready() -> None:
    first, _ = step(begun(Gradual((0, 100), 5.0)), 1001.0)
    assert (rollout_of(first).step, rollout_of(first).revision, shares(first)) == (0, 40, {1: 100, 2: 0})
    reached, _ = step(first, 1002.0, node(seen=40), revision=41)
    assert rollout_of(reached).reached_at == 1002.0
    assert step(reached, 1006.9, node(seen=40), revision=42)[0] is reached
    assert step(reached, 1007.0, node(seen=40), revision=42)[0].shares == (Share(2, 100),)


def test_with_all_of_the_traffic_it_is_complete_once_it_is_served() -> None:
    second, _ = step(at_ten(), 1040.0)
    second, _ = step(second, 1041.0)
    last, _ = step(second, 1071.0)
    assert (last.shares, last.phase) == ((Share(2, 100),), Phase.PROGRESSING)
    ended, _ = step(last, 1072.0)
    assert (ended.phase, ended.reason, ended.ended_at) == (Phase.COMPLETE, "1 node serves version 2", 1072.0)


def test_a_refusal_fails_it_before_it_had_a_share_and_rolls_it_back_after() -> None:
    refused = node(state=PlacementState.REFUSED, error="threw")
    failed, _ = step(begun(), 1001.0, refused)
    assert (failed.phase, failed.reason, shares(failed)) == (Phase.FAILED, "node a refused it: threw", {1: 100})
    back, _ = step(at_ten(), 1003.0, refused)
    assert (back.phase, back.in_force(), back.in_force_generation()) == (Phase.ROLLED_BACK, (Share(1, 100),), 1)


def test_out_of_time_likewise() -> None:
    failed, _ = step(begun(), 1060.0, PENDING)
    assert (failed.phase, failed.reason) == (Phase.FAILED, "out of time after 60 s: waiting for a")
    # A node that falls behind later has as long, from when the next step is due.
    going, _ = step(at_ten(), 1091.9, PENDING)
    assert going.phase is Phase.PROGRESSING
    back, _ = step(at_ten(), 1092.0, PENDING)
    assert back.phase is Phase.ROLLED_BACK


def test_more_failures_than_are_borne_bring_it_back() -> None:
    borne, decision = step(at_ten(), 1003.0, node(failures=2), node("b", failures=1))
    assert (borne.phase, decision.failures) == (Phase.PROGRESSING, 3)
    back, _ = step(at_ten(), 1003.0, node(failures=2), node("b", failures=2))
    assert back.phase is Phase.ROLLED_BACK
    assert back.reason == "version 2 has failed 4 times within a step (exception 4); at most 3 are borne"
    assert shares(back) == {1: 100}


def test_failures_are_counted_within_a_step_also_when_an_agent_starts_anew() -> None:
    second, _ = step(at_ten(), 1040.0, node(failures=3))
    assert second.rollout is not None
    assert second.rollout.baseline == {"a": 3}
    same, decision = step(second, 1041.0, node(failures=5, state=PlacementState.PENDING))
    assert (same, decision.failures) == (second, 2)
    assert step(second, 1041.0, node(failures=2))[1].failures == 2
    assert step(second, 1041.0, node(failures=7))[0].phase is Phase.ROLLED_BACK


def test_what_a_node_says_of_another_deployment_of_the_version_does_not_count() -> None:
    old = node(failures=50, open_=True)
    assert old.status is not None
    other = replace(old, status=replace(old.status, generation=1))
    for stale in (replace(old, snapshot_revision=39), other, replace(old, connected=False), replace(old, status=None)):
        assert step(begun(), 1001.0, stale)[0].phase is Phase.PROGRESSING


def test_an_open_breaker_brings_it_back_also_while_it_is_paused() -> None:
    for deployment in (at_ten(), pause(at_ten(), rollout_of(at_ten()), 41)):
        back, _ = step(deployment, 1003.0, node("b"), node(open_=True))
        assert back.phase is Phase.ROLLED_BACK
        said = "version 2 has overrun its limits three times in a minute on a (of unknown reason)"
        assert back.reason == said


def test_a_paused_one_keeps_its_shares_and_resumes_with_a_whole_pause() -> None:
    paused = pause(at_ten(), rollout_of(at_ten()), 41)
    assert (paused.phase, paused.reason) == (Phase.PAUSED, "paused")
    assert pause(paused, rollout_of(paused), 42) is paused
    for nodes in ((node(),), (PENDING,)):
        same, decision = step(paused, 9999.0, *nodes)
        assert (same, decision.reason, decision.look_again_at) == (paused, "paused", None)
    on = resume(paused, rollout_of(paused), 42, 2000.0)
    assert resume(on, rollout_of(on), 43, 2001.0) is on
    reached, _ = step(on, 2001.0)
    assert step(reached, 2030.9)[0] is reached
    assert shares(step(reached, 2031.0)[0]) == {1: 50, 2: 50}


def test_one_that_is_paused_before_its_shares_were_taken_over_waits_for_the_same_snapshot() -> None:
    first, _ = step(begun(), 1001.0)
    paused = pause(first, rollout_of(first), 41)
    on = resume(paused, rollout_of(paused), 42, 1002.0)
    assert rollout_of(on).revision == 41
    assert rollout_of(step(on, 1003.0, node(seen=41), revision=43)[0]).reached_at == 1003.0


def test_a_hold_waits_for_somebody_after_each_step() -> None:
    held = at_ten(replace(STEPS, hold=True))
    assert (held.phase, held.reason) == (Phase.PAUSED, "version 2 has 10 % of the traffic; it waits to be resumed")
    on = resume(held, rollout_of(held), 42, 5000.0)
    second, _ = step(on, 5001.0)
    assert shares(second) == {1: 50, 2: 50}
    assert step(second, 5002.0)[0].phase is Phase.PAUSED
    # Paused by hand before the step was reached, it is not let past it.
    first, _ = step(begun(replace(STEPS, hold=True)), 1001.0)
    early = pause(first, rollout_of(first), 41)
    again, _ = step(resume(early, rollout_of(early), 42, 1002.0), 1003.0, node(seen=41))
    assert (again.phase, shares(again)) == (Phase.PAUSED, {1: 90, 2: 10})


def test_promoting_leaves_steps_out_but_not_the_readiness() -> None:
    paused = pause(at_ten(), rollout_of(at_ten()), 41)
    for deployment in (at_ten(), paused):
        promoted = promote(deployment, rollout_of(deployment), 41, 1003.0)
        assert step(promoted, 1004.0, PENDING)[0] is promoted
        assert step(promoted, 1004.0)[0].shares == (Share(2, 100),)
    at_once = promote(begun(), rollout_of(begun()), 40, 1000.5)
    last, _ = step(at_once, 1001.0)
    assert last.shares == (Share(2, 100),)
    again = promote(last, rollout_of(last), 42, 1002.0)
    assert rollout_of(again).gradual.steps == (100,)
    assert step(again, 1003.0, node(seen=42))[0].phase is Phase.COMPLETE


def test_aborting_gives_the_traffic_back() -> None:
    back = abort(at_ten(), "ada", 1003.0)
    assert (back.phase, back.reason, back.ended_at, shares(back)) == (
        Phase.ROLLED_BACK, "aborted by ada", 1003.0, {1: 100},
    )  # fmt: skip
    assert step(back, 1004.0)[0] is back


def test_without_steps_there_is_nothing_to_decide() -> None:
    with pytest.raises(ValueError, match="has no steps"):
        gradual.plan(FIRST, 1, (), 1.0, deadline_s=1.0)


events = st.lists(
    st.tuples(
        st.sampled_from(["node", "node", "node", "pause", "resume", "promote", "abort"]),
        st.sampled_from(list(PlacementState)),
        st.integers(0, 6),
        st.floats(0, 80),
    ),
    max_size=25,
)
plans = st.builds(
    Gradual,
    st.sets(st.integers(0, 99), max_size=4).map(lambda found: (*sorted(found), 100)),
    st.sampled_from([0.0, 5.0, 30.0]),
    st.booleans(),
    st.integers(0, 4),
)


@settings(max_examples=300, deadline=None)
@given(plans, events)
def test_shares_sum_to_100_grow_only_when_all_are_ready_and_it_ends(
    wanted: Gradual, happening: list[tuple[str, PlacementState, int, float]]
) -> None:
    deployment, now, revision, failed = begun(wanted), 1000.0, 40, 0
    for what, state, more, pass_s in happening:
        now, before = now + pass_s, deployment
        match what:
            case "node":
                failed += more if more > 4 else 0
                deployment, _ = step(before, now, node(state=state, seen=revision, failures=failed), revision=revision)
            case _ if before.ended:
                continue
            case "pause":
                deployment = pause(before, rollout_of(before), revision)
            case "resume":
                deployment = resume(before, rollout_of(before), revision, now)
            case "promote":
                deployment = promote(before, rollout_of(before), revision, now)
            case _:
                deployment = abort(before, "ada", now)
        revision += deployment is not before
        assert sum(share.percent for share in deployment.shares) == 100
        had, has = gradual.percent(before), gradual.percent(deployment)
        assert has >= had
        assert has == had or (what == "node" and state is PlacementState.ACTIVE)
        assert not before.ended or deployment is before
        assert deployment.reason
        if deployment.gave_back:
            assert shares(deployment) == {1: 100}
    for _ in range(40):  # faults stop, and somebody resumes what is held
        if deployment.ended:
            break
        if deployment.phase is Phase.PAUSED:
            deployment, revision = resume(deployment, rollout_of(deployment), revision, now), revision + 1
        now += 31.0
        after, _ = step(deployment, now, node(seen=revision, failures=failed), revision=revision)
        deployment, revision = after, revision + (after is not deployment)
    assert deployment.ended
