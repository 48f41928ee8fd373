"""Sandboxes under load: what a crowd, a quiet time and a limit make of their number."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.lifecycle.scale import CROWD, DOWN_AFTER_S, LOOK_EVERY_S, UP_AFTER_S, Load, Reading, Scale, load_between, step

CROWDED = Load(CROWD + 1, 1.0)
QUIET = Load(0, 0.0)


def test_a_crowd_that_lasts_adds_one() -> None:
    state = step(Scale(), (CROWDED,), 4, 10.0)
    assert state == Scale(1, crowded_since=10.0)
    assert step(state, (CROWDED,), 4, 10.0 + UP_AFTER_S - 0.01).instances == 1
    state = step(state, (CROWDED,), 4, 10.0 + UP_AFTER_S)
    assert state == Scale(2)
    assert step(state, (CROWDED,), 4, 20.0) == Scale(2)  # the second one has yet to start


def test_waiting_is_no_reason_and_nor_is_one_busy_request() -> None:
    for load in (Load(500, 0.1), Load(1, 1.0)):
        assert step(Scale(), (load,), 4, 10.0) == Scale()


def test_a_crowd_of_quick_requests_waits_elsewhere_unless_the_sandbox_never_sleeps() -> None:
    quick = 20e-6
    assert step(Scale(), (Load(32, 0.75, quick),), 4, 10.0) == Scale()
    assert step(Scale(), (Load(32, 0.95, quick),), 4, 10.0) == Scale(1, crowded_since=10.0)
    assert step(Scale(), (Load(32, 0.75, 4e-3),), 4, 10.0) == Scale(1, crowded_since=10.0)
    assert step(Scale(2), (Load(0, 1.0), Load(32, 0.5, 1e-3)), 4, 10.0) == Scale(2, crowded_since=10.0)


def test_the_limit_holds() -> None:
    state = Scale(1, crowded_since=0.0)
    assert step(state, (CROWDED,), 1, 10.0).instances == 1
    assert step(Scale(4), (CROWDED,) * 4, 2, 10.0).instances == 2
    assert step(Scale(4), (CROWDED,), 0, 10.0).instances == 1


def test_a_quiet_time_takes_one_away() -> None:
    state = step(Scale(3), (QUIET,) * 3, 4, 10.0)
    assert state == Scale(3, quiet_since=10.0)
    assert step(state, (QUIET,) * 3, 4, 9.9 + DOWN_AFTER_S).instances == 3
    assert step(state, (Load(CROWD - 1, 0.5),) * 3, 4, 11.0) == Scale(3)
    assert step(state, (QUIET,) * 3, 4, 10.0 + DOWN_AFTER_S) == Scale(2)
    assert step(Scale(), (QUIET,), 4, 10.0) == Scale()


def test_a_load_is_what_happened_between_two_readings() -> None:
    seen = load_between(Reading(1.0, 10.0, 100), Reading(1.3, 10.5, 130), 7)
    assert (seen.in_flight, seen.busy_share, seen.request_s) == (7, pytest.approx(0.6), pytest.approx(0.01))
    assert load_between(Reading(1.0, 10.0, 100), Reading(1.3, 10.5, 100), 7).request_s == math.inf


def test_how_busy_it_was_is_not_known_at_first_nor_after_a_pause() -> None:
    assert load_between(Reading(), Reading(1.3, 1000.0, 130), 7) == Load(7, 0.0, 0.01)
    assert load_between(Reading(1.0, 10.0), Reading(1.3, 10.0 + 10 * LOOK_EVERY_S), 0).busy_share == 0.0
    assert load_between(Reading(1.0, 10.0), Reading(1.3, 10.0), 0).busy_share == 0.0


_loads = st.lists(st.builds(Load, st.integers(0, 100), st.floats(0, 1)), max_size=6).map(tuple)


@given(st.lists(st.tuples(_loads, st.floats(0, 60)), max_size=30), st.integers(1, 5))
def test_never_more_than_the_limit_and_one_when_all_is_quiet(
    steps: list[tuple[tuple[Load, ...], float]], most: int
) -> None:
    state, now = Scale(), 0.0
    for loads, later in steps:
        now += later
        before = state.instances
        state = step(state, loads, most, now)
        assert 1 <= state.instances <= most
        assert abs(state.instances - before) <= 1
    for _ in range(2 * most):
        now += DOWN_AFTER_S
        state = step(state, (QUIET,) * state.instances, most, now)
    assert state.instances == 1
