"""How closely sandboxes are looked at."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.lifecycle import pace, scale
from node.lifecycle.limits import WARMUP_REQUESTS, Budget, Sample, judge
from node.lifecycle.machine import Assigned, Booted, Phase, Retired, Sampled, Sandbox, prepare, start, step

BUDGET = Budget(cpu_s=0.05, memory_bytes=1000, idle_s=300.0)


def ready(*, served: int = WARMUP_REQUESTS, in_flight: int = 1) -> Sandbox:
    """Return one that has used a second of CPU, and whose counters are known."""
    state, _ = start(BUDGET, 0.0)
    state, _ = step(state, Booted(1.0), 10.0)
    for finished in (0, served):
        state, _ = step(state, Sampled(Sample(1.0, None, finished, in_flight)), 10.0)
    return state


def asks(state: Sandbox, cpu_s: float, now: float, *, asked_cpu_s: float = 1.0, asked_at: float = 10.0) -> bool:
    return pace.asks(state, cpu_s, now, asked_cpu_s=asked_cpu_s, asked_at=asked_at)


def test_who_rests_is_looked_at_seldom() -> None:
    assert pace.rest_s(pace.IDLE_AFTER_S) == pace.IDLE_S
    assert pace.rest_s(pace.IDLE_AFTER_S - 0.01) == pace.SLOW_S


def test_who_spends_is_told_by_the_step_and_by_the_share() -> None:
    assert pace.spends(pace.BUSY_STEP_S, 60.0)
    assert pace.spends(0.0001, 0.001)  # looked at again so soon that it cannot have spent more
    assert not pace.spends(0.0001, 0.002)


def test_who_spends_is_looked_at_before_its_budget_can_be_gone_on_two_processors() -> None:
    state = ready()
    assert pace.soon_s(state, 1.0) == pace.SLOW_S
    assert pace.soon_s(state, 1.03) == pytest.approx(0.01)
    assert pace.soon_s(state, 1.0499) == pace.NEAREST_S
    assert pace.soon_s(state, 1.06) == pace.NEAREST_S
    assert pace.soon_s(ready(served=0), 1.17) == pytest.approx(0.015)  # it may still compile its program


def test_one_that_starts_is_looked_at_as_one_whose_budget_is_whole() -> None:
    state, _ = start(replace(BUDGET, cpu_s=0.03), 0.0)
    assert pace.soon_s(state, 0.9) == pytest.approx(0.015)


@given(st.floats(1.0, 1.2), st.integers(0, 2 * WARMUP_REQUESTS))
def test_a_pause_never_lets_two_processors_spend_more_than_is_left(cpu_s: float, served: int) -> None:
    state = ready(served=served)
    pause_s = pace.soon_s(state, cpu_s)
    assert pace.NEAREST_S <= pause_s <= pace.SLOW_S
    if pause_s > pace.NEAREST_S:
        assert not pace.suspects(state, cpu_s + 2 * pause_s - 1e-9)


def test_memory_is_read_of_who_spends_and_now_and_then_of_all() -> None:
    assert pace.weighs(pace.BUSY_STEP_S, 0.0)
    assert pace.weighs(0.0, pace.MEMORY_EVERY_S)
    assert not pace.weighs(pace.BUSY_STEP_S / 2, pace.MEMORY_EVERY_S / 2)


def test_who_would_be_ended_if_nothing_had_finished_is_a_suspect() -> None:
    state = ready()
    for cpu_s in (1.0, 1.049, 1.051, 2.0):
        assert state.meter is not None
        ended = judge(state.meter, Sample(cpu_s, None, WARMUP_REQUESTS, 1), BUDGET)[1] is not None
        assert pace.suspects(state, cpu_s) == ended


def test_nobody_who_does_not_serve_is_a_suspect_or_asked_about() -> None:
    waiting, _ = prepare(BUDGET, 0.0)
    starting, _ = step(waiting, Assigned(BUDGET), 1.0)
    for state in (waiting, starting):
        assert not pace.suspects(state, 99.0)
        assert not asks(state, 99.0, 99.0)


def test_the_ingress_is_asked_once_at_first_and_then_about_who_spends() -> None:
    fresh, _ = step(start(BUDGET, 0.0)[0], Booted(1.0), 10.0)
    assert asks(fresh, 1.0, 10.0)
    assert not asks(ready(), 1.0, 10.0)
    assert asks(ready(), 1.02, 10.0)


def test_it_is_asked_what_load_there_is_where_requests_may_have_come() -> None:
    later = 10.0 + scale.LOOK_EVERY_S
    assert asks(ready(), 1.0 + 2 * pace.LOAD_STEP_S, later)
    assert not asks(ready(), 1.0 + 2 * pace.LOAD_STEP_S, later - 0.01)
    assert not asks(ready(), 1.0 + pace.LOAD_STEP_S / 2, later)


def test_it_is_asked_whether_one_rests_that_was_not_used_for_long() -> None:
    rested = 10.0 + BUDGET.idle_s
    assert asks(ready(), 1.0, rested)
    assert not asks(ready(), 1.0, rested - 0.01)
    assert not asks(ready(), 1.0, rested, asked_at=rested - pace.IDLE_POLL_S / 2)
    assert not asks(replace(ready(), phase=Phase.IDLE), 1.0, rested)


def test_it_is_asked_about_one_that_drains_until_that_is_done() -> None:
    draining, _ = step(ready(), Retired(), 10.0)
    assert asks(draining, 1.0, 10.0 + pace.DRAIN_POLL_S)
    assert not asks(draining, 1.0, 10.0 + pace.DRAIN_POLL_S / 2)
    assert not pace.suspects(draining, 99.0)
