"""The sandbox state machine: its paths one by one, then any order of events."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.lifecycle.limits import Budget, Reason, Sample
from node.lifecycle.machine import (
    RESTART_MAX_S,
    STABLE_S,
    Assigned,
    Booted,
    BootFailed,
    Event,
    Exited,
    Feed,
    Kill,
    Phase,
    Retired,
    Sampled,
    Sandbox,
    Spawn,
    Ticked,
    end_reason,
    prepare,
    restart_delay,
    start,
    step,
)

BUDGET = Budget(cpu_s=0.05, memory_bytes=1000, drain_s=30.0, linger_s=1.0)


def run(*events: tuple[Event, float]) -> tuple[Sandbox, list[object]]:
    state, commands = start(BUDGET, 0.0)
    seen: list[object] = list(commands)
    for event, now in events:
        state, commands = step(state, event, now)
        seen += commands
    return state, seen


READY = (Booted(0.1), 0.05)


def test_boots() -> None:
    state, commands = run(READY)
    assert (state.phase, state.wake_at, commands) == (Phase.READY, None, [Spawn()])


@pytest.mark.parametrize(
    ("event", "now", "said"),
    [
        (BootFailed("RangeError: no config"), 1.0, "RangeError: no config"),
        (Sampled(Sample(1.1)), 1.0, "used more than 1 s of CPU time to start"),
        (Sampled(Sample(0.1, 1001)), 1.0, "exceeded its memory"),
        (Ticked(), 10.0, "not ready within 10 s"),
    ],
)
def test_a_boot_that_fails_is_not_tried_again(event: Event, now: float, said: str) -> None:
    state, commands = run((event, now), (Exited(-9), now))
    assert state.phase is Phase.GONE
    assert said in state.error
    assert [type(command) for command in commands] == [Spawn, Kill]
    assert state.terminations == 1


def test_a_boot_may_take_its_time() -> None:
    state, _ = run((Ticked(), 9.9), (Sampled(Sample(0.9, 900)), 9.9))
    assert state.phase is Phase.STARTING


def test_a_process_that_ends_while_it_starts_says_how() -> None:
    state, commands = run((Exited(1, "SyntaxError"), 1.0))
    assert (state.phase, state.error) == (
        Phase.GONE,
        "the program ended while it was starting (exit status 1): SyntaxError",
    )
    assert run((Exited(-5), 1.0))[0].error.endswith("(signal 5)")
    assert commands == [Spawn()]


def test_a_runaway_is_killed_and_replaced_at_once() -> None:
    state, commands = run(READY, (Sampled(Sample(0.4, None, 0, 1)), 1.0))
    assert (state.phase, commands[1:]) == (Phase.STOPPING, [Kill(Reason.EXCEEDED_CPU)])
    state, commands = step(state, Exited(-9), 1.0)
    assert (state.phase, commands, state.reason) == (Phase.STARTING, (Spawn(),), Reason.EXCEEDED_CPU)


def test_honest_samples_change_nothing() -> None:
    state, commands = run(
        READY, (Sampled(Sample(0.12, 500, 1, 1)), 1.0), (Ticked(), 2.0), READY, (BootFailed("late"), 2.0)
    )
    assert (state.phase, commands) == (Phase.READY, [Spawn()])


def test_crashes_in_a_row_are_answered_ever_more_slowly() -> None:
    state, _ = run(READY)
    now = 1.0
    for expected in (0.0, 0.1, 0.4, 1.6, 6.4, 25.6, RESTART_MAX_S, RESTART_MAX_S):
        state, commands = step(state, Exited(1), now)
        if expected == 0.0:
            assert commands == (Spawn(),)
        else:
            assert (state.phase, state.wake_at) == (Phase.BACKOFF, pytest.approx(now + expected))
            assert step(state, Ticked(), now + expected - 0.01)[0].phase is Phase.BACKOFF
            assert step(state, Exited(1), now)[0] is state
            now += expected + 0.001
            state, commands = step(state, Ticked(), now)
            assert commands == (Spawn(),)
        state, _ = step(state, Booted(0.1), now)
    now += STABLE_S
    state, commands = step(state, Exited(1), now)
    assert commands == (Spawn(),)
    state, _ = step(state, Booted(0.1), now)
    state, _ = step(state, Sampled(Sample(5.0, 2000)), now + STABLE_S)
    assert state.failures == 1


def test_the_delay_before_a_restart_is_bounded() -> None:
    assert [restart_delay(failures) for failures in (0, 1, 10_000)] == [0.0, 0.0, RESTART_MAX_S]


def test_a_restart_that_fails_to_boot_is_tried_again() -> None:
    state, _ = run(READY, (Exited(1), 1.0), (BootFailed("no memory"), 2.0), (Exited(-9), 2.0))
    assert state.phase is Phase.BACKOFF


@pytest.mark.parametrize(
    ("status", "reason"), [(-5, Reason.EXCEEDED_MEMORY), (-9, Reason.EXCEEDED_MEMORY), (1, Reason.EXCEPTION)]
)
def test_ends_have_reasons(status: int, reason: Reason) -> None:
    assert end_reason(status) is reason


def test_draining_waits_for_requests_and_lingers() -> None:
    state, _ = run(READY, (Retired(), 1.0))
    assert (state.phase, state.wake_at) == (Phase.DRAINING, 31.0)
    for sample, now in ((Sample(0.1), 1.1), (Sample(0.1, None, 0, 0), 1.2), (Sample(0.1, None, 0, 1), 1.3)):
        state, commands = step(state, Sampled(sample), now)
        assert (state.phase, commands) == (Phase.DRAINING, ())
    state, _ = step(state, Sampled(Sample(0.1, None, 1, 0)), 5.0)
    assert step(state, Sampled(Sample(0.1, None, 1, 0)), 5.9)[1] == ()
    state, commands = step(state, Sampled(Sample(0.1, None, 1, 0)), 6.0)
    assert commands == (Kill(Reason.RETIRED),)
    state, _ = step(state, Exited(-9), 6.0)
    assert (state.phase, state.terminations) == (Phase.GONE, 0)
    for late in (Booted(0.1), Exited(0), Retired(), Ticked()):
        assert step(state, late, 7.0) == (state, ())


def test_draining_ends_at_its_deadline_by_a_crash_or_by_a_runaway() -> None:
    draining = (READY, (Retired(), 1.0), (Retired(), 1.0), (Ticked(), 30.9))
    assert run(*draining)[0].phase is Phase.DRAINING
    assert run(*draining, (Ticked(), 31.0))[1][-1] == Kill(Reason.RETIRED)
    assert run(*draining, (Exited(1), 31.0))[0].phase is Phase.GONE
    assert run(*draining, (Sampled(Sample(0.1, 2000)), 31.0))[1][-1] == Kill(Reason.EXCEEDED_MEMORY)


def test_retired_while_starting_stopping_or_waiting() -> None:
    state, commands = run((Retired(), 1.0), (Booted(0.1), 1.0), (Exited(-9), 1.0))
    assert (state.phase, commands) == (Phase.GONE, [Spawn(), Kill(Reason.RETIRED)])
    assert run(READY, (Sampled(Sample(9.0, 2000)), 1.0), (Retired(), 1.0), (Exited(-9), 1.0))[0].phase is Phase.GONE
    crashed = (READY, (Exited(1), 1.0), READY, (Exited(1), 2.0))
    assert run(*crashed)[0].phase is Phase.BACKOFF
    assert run(*crashed, (Retired(), 2.0))[0].phase is Phase.GONE


def test_a_warm_process_gets_its_program() -> None:
    state, commands = prepare(BUDGET, 0.0)
    assert (state.phase, state.live, commands) == (Phase.WARM, True, (Spawn(),))
    for early in (Booted(0.1), BootFailed("?"), Sampled(Sample(9.0, 9000)), Ticked()):
        assert step(state, early, 99.0) == (state, ())
    given, commands = step(state, Assigned(BUDGET), 99.0)
    assert (given.phase, given.wake_at, commands) == (Phase.STARTING, 109.0, (Feed(),))
    assert step(given, Assigned(BUDGET), 99.0) == (given, ())
    assert step(given, Booted(0.1), 99.1)[0].phase is Phase.READY


def test_a_warm_process_of_another_kind_is_exchanged() -> None:
    state, _ = prepare(BUDGET, 0.0)
    state, commands = step(state, Assigned(BUDGET, fits=False), 1.0)
    assert (state.phase, commands) == (Phase.STOPPING, (Kill(Reason.RETIRED),))
    fresh, commands = step(state, Exited(-9), 1.1)
    assert (fresh.phase, fresh.failures, fresh.terminations, commands) == (Phase.STARTING, 0, 0, (Spawn(),))
    gone, commands = step(step(state, Retired(), 1.1)[0], Exited(-9), 1.1)
    assert (gone.phase, commands) == (Phase.GONE, ())


def test_a_warm_process_that_ends_or_is_retired_is_gone() -> None:
    state, _ = prepare(BUDGET, 0.0)
    crashed, commands = step(state, Exited(1, "out of memory"), 1.0)
    assert (crashed.phase, crashed.error, commands) == (Phase.GONE, "out of memory", ())
    retired, commands = step(state, Retired(), 1.0)
    assert commands == (Kill(Reason.RETIRED),)
    assert step(retired, Exited(-9), 1.0)[0].phase is Phase.GONE


def test_an_unused_sandbox_is_idle_until_it_is_used() -> None:
    state, _ = run(READY, (Sampled(Sample(0.1, None, 7, 0)), 299.0))
    assert state.phase is Phase.READY
    state, _ = step(state, Sampled(Sample(0.1)), 400.0)
    assert state.phase is Phase.READY  # nothing is known of its requests
    state, commands = step(state, Sampled(Sample(0.1, None, 7, 0)), 400.0)
    assert (state.phase, state.serves, commands) == (Phase.IDLE, True, ())
    used, _ = step(state, Sampled(Sample(0.1, None, 8, 0)), 401.0)
    assert (used.phase, used.used_at) == (Phase.READY, 401.0)
    assert step(state, Sampled(Sample(0.1, None, 7, 1)), 401.0)[0].phase is Phase.READY
    assert step(state, Retired(), 401.0)[0].phase is Phase.DRAINING
    crashed, commands = step(state, Exited(1), 401.0)
    assert (crashed.failures, commands) == (1, (Spawn(),))
    state, commands = step(state, Sampled(Sample(0.1, 2000)), 401.0)
    assert commands == (Kill(Reason.EXCEEDED_MEMORY),)


_samples = st.builds(
    Sample,
    st.floats(0, 20),
    st.one_of(st.none(), st.integers(0, 2000)),
    st.one_of(st.none(), st.integers(0, 50)),
    st.one_of(st.none(), st.integers(0, 3)),
)
_events: st.SearchStrategy[Event] = st.one_of(
    st.builds(Assigned, st.just(BUDGET), st.booleans()),
    st.builds(Booted, st.floats(0, 1)),
    st.builds(BootFailed, st.just("threw")),
    st.builds(Exited, st.integers(-9, 1)),
    st.builds(Sampled, _samples),
    st.just(Retired()),
    st.just(Ticked()),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(_events, st.floats(0, 20)), max_size=40), st.sampled_from([start, prepare]))
def test_never_two_processes_and_always_an_end(
    events: list[tuple[Event, float]], begin: Callable[[Budget, float], tuple[Sandbox, tuple[object, ...]]]
) -> None:
    state, commands = begin(BUDGET, 0.0)
    processes = len(commands)
    now = 0.0
    for event, later in events:
        now += later
        if isinstance(event, Exited):
            if processes == 0:
                continue  # only a process that runs can end
            processes -= 1
        state, commands = step(state, event, now)
        processes += sum(isinstance(command, Spawn) for command in commands)
        assert processes == int(state.live)
        assert processes or not any(isinstance(command, Kill) for command in commands)
    # Faults stop: everything asked for is answered, and time passes.
    for _ in range(8):
        match state.phase:
            case Phase.STARTING:
                state, _ = step(state, Booted(0.1), now)
            case Phase.STOPPING:
                state, _ = step(state, Exited(-9), now)
            case Phase.WARM:
                state, _ = step(state, Assigned(BUDGET), now)
            case Phase.BACKOFF | Phase.DRAINING:
                now += 60
                state, _ = step(state, Ticked(), now)
            case _:
                break
    assert state.serves is not (state.retiring or not state.proven)
    assert state.serves or state.phase is Phase.GONE
