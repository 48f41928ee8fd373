from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from controlplane.model import Deployment, Gradual, Phase, Share
from controlplane.rollout import begin, rollback_target


def share(version: int) -> tuple[Share, ...]:
    return (Share(version, 100),)


def start(last: Deployment | None, version: int, now: float = 1.0) -> Deployment:
    return begin(last, "hello", share(version), request_id=f"r{version}", now=now)


def ended(deployment: Deployment, phase: Phase) -> Deployment:
    return replace(deployment, phase=phase, reason="ended", ended_at=deployment.created_at + 1)


def test_the_first_deployment_has_nothing_before_it() -> None:
    first = start(None, 1)
    assert (first.generation, first.previous, first.previous_generation, first.past) == (1, (), 0, ())
    assert first.phase is Phase.PROGRESSING
    assert ended(first, Phase.FAILED).in_force() == ()


def test_a_deployment_starts_from_the_shares_in_force() -> None:
    second = start(ended(start(None, 1), Phase.COMPLETE), 2)
    assert (second.generation, second.previous, second.previous_generation) == (2, share(1), 1)
    third = start(ended(second, Phase.FAILED), 3)
    assert (third.generation, third.previous, third.previous_generation) == (3, share(1), 1)


def test_a_deployment_in_progress_is_superseded() -> None:
    second = start(ended(start(None, 1), Phase.COMPLETE), 2)
    third = start(second, 3, now=9.0)
    assert third.previous == share(1)
    assert (third.past[0].phase, third.past[0].reason, third.past[0].ended_at) == (
        Phase.FAILED,
        "superseded by generation 3",
        9.0,
    )


def test_only_the_last_ten_are_remembered() -> None:
    last = None
    for version in range(1, 15):
        last = ended(start(last, version), Phase.COMPLETE)
    assert last is not None
    assert [past.generation for past in last.past] == list(range(13, 3, -1))


def test_rollback_goes_to_what_was_in_force_before() -> None:
    first = ended(start(None, 1), Phase.COMPLETE)
    assert rollback_target(first) == ()
    second = ended(start(first, 2), Phase.COMPLETE)
    assert rollback_target(second) == share(1)


def test_rollback_of_a_deployment_in_progress_goes_back_to_what_it_replaces() -> None:
    second = start(ended(start(None, 1), Phase.COMPLETE), 2)
    assert rollback_target(second) == share(1)


def test_rollback_after_a_failure_skips_it() -> None:
    second = ended(start(ended(start(None, 1), Phase.COMPLETE), 2), Phase.COMPLETE)
    third = ended(start(second, 3), Phase.FAILED)
    assert third.in_force() == share(2)
    assert rollback_target(third) == share(1)


def test_rollback_after_the_same_version_was_deployed_twice_goes_to_the_other() -> None:
    second = ended(start(ended(start(None, 1), Phase.COMPLETE), 2), Phase.COMPLETE)
    again = ended(start(second, 2), Phase.COMPLETE)
    assert rollback_target(again) == share(1)


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(Phase)), max_size=14))
def test_what_is_in_force_was_complete_or_is_in_progress(history: list[tuple[int, Phase]]) -> None:
    """Whatever the order of deployments and their ends, a failed or superseded one leaves nothing of itself in force."""
    last: Deployment | None = None
    good: tuple[int, tuple[Share, ...]] = (0, ())
    for version, phase in history:
        last = start(last, version)
        assert (last.previous_generation, last.previous) == good
        if phase not in (Phase.PROGRESSING, Phase.PAUSED):
            last = ended(last, phase)
            assert (last.in_force_generation(), last.in_force()) == (
                (last.generation, share(version)) if phase is Phase.COMPLETE else good
            )
        if phase is Phase.COMPLETE:
            good = (last.generation, share(version))
        assert rollback_target(last) != last.in_force() or rollback_target(last) == ()


STEPS = Gradual((10, 100), 5.0)


def in_steps(last: Deployment | None, version: int) -> Deployment:
    return begin(last, "hello", share(version), request_id="r", now=9.0, gradual=STEPS)


def test_steps_begin_with_no_share() -> None:
    second = in_steps(ended(start(None, 1), Phase.COMPLETE), 2)
    assert second.rollout is not None
    assert (second.rollout.version, second.rollout.stable, second.rollout.step, second.rollout.step_at) == (
        2,
        1,
        -1,
        9.0,
    )
    assert second.shares == (Share(1, 100), Share(2, 0))
    assert second.note == ""
    assert rollback_target(second) == share(1)
    paused = replace(second, phase=Phase.PAUSED)
    third = start(paused, 3)
    assert (third.previous, third.past[0].phase) == (share(1), Phase.FAILED)
    back = ended(second, Phase.ROLLED_BACK)
    assert (back.in_force(), rollback_target(back)) == (share(1), ())


def test_without_a_version_to_take_traffic_from_it_goes_all_at_once_and_says_so() -> None:
    alone = in_steps(None, 1)
    assert (alone.shares, alone.rollout) == (share(1), None)
    assert "no version is in force" in alone.note
    again = in_steps(ended(alone, Phase.COMPLETE), 1)
    assert (again.shares, again.rollout) == (share(1), None)
    assert "has all the traffic already" in again.note
    assert "no version is in force" in in_steps(ended(alone, Phase.FAILED), 2).note
