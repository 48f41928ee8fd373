from hypothesis import given
from hypothesis import strategies as st

from node.lifecycle.breaker import (
    FORGIVEN_S,
    OVERRUNS,
    PAUSES_S,
    PROBES,
    WINDOW_S,
    Admit,
    Breaker,
    Command,
    Event,
    Overran,
    Phase,
    Probe,
    Refuse,
    Replaced,
    Served,
    Ticked,
    step,
)


def fold(state: Breaker, *events: tuple[Event, float]) -> tuple[Breaker, list[Command]]:
    said: list[Command] = []
    for event, now in events:
        state, commands = step(state, event, now)
        said += commands
    return state, said


def opened(at: float = 0.0) -> Breaker:
    state, _ = fold(Breaker(), *[(Overran(), at)] * OVERRUNS)
    return state


def test_three_overruns_in_a_minute_open_it() -> None:
    state, said = fold(Breaker(), (Overran(), 0.0), (Served(5), 1.0), (Overran(), 30.0), (Ticked(), 31.0))
    assert (state.open, said) == (False, [])
    state, said = fold(state, (Overran(), 59.9))
    assert (state.phase, said) == (Phase.OPEN, [Refuse(PAUSES_S[0])])


def test_slower_ones_do_not() -> None:
    state, said = fold(Breaker(), *[(Overran(), n * WINDOW_S / 2) for n in range(20)])
    assert (state.phase, said) == (Phase.CLOSED, [])


def test_a_probe_that_goes_well_closes_it() -> None:
    state, said = fold(opened(), (Served(9), 1.0), (Overran(), 1.0), (Ticked(), PAUSES_S[0] - 0.1))
    assert (state.phase, said) == (Phase.OPEN, [])
    state, said = fold(state, (Ticked(), PAUSES_S[0]), (Ticked(), 7.0))
    assert (state.phase, said) == (Phase.HALF_OPEN, [Probe()])
    state, said = fold(state, *[(Served(), 8.0)] * PROBES)
    assert (state.phase, said) == (Phase.CLOSED, [Admit()])


def test_a_probe_that_goes_badly_opens_it_for_longer() -> None:
    state, now = opened(), 0.0
    pauses = []
    for _ in range(len(PAUSES_S) + 1):
        now = state.wake_at or now
        state, said = fold(state, (Ticked(), now), (Overran(), now))
        pauses += [each.retry_after_s for each in said if isinstance(each, Refuse)]
    assert pauses == [*PAUSES_S[1:], PAUSES_S[-1], PAUSES_S[-1]]


def test_pauses_begin_anew_after_a_quiet_time() -> None:
    state, _ = fold(opened(), (Ticked(), 5.0), (Served(PROBES), 6.0))
    soon, said = fold(state, *[(Overran(), 61.0 + n) for n in range(OVERRUNS)])
    assert (soon.phase, said) == (Phase.OPEN, [Refuse(PAUSES_S[1])])
    late, said = fold(state, *[(Overran(), FORGIVEN_S + n) for n in range(OVERRUNS)])
    assert (late.phase, said) == (Phase.OPEN, [Refuse(PAUSES_S[0])])


def test_a_new_version_starts_with_a_clean_sheet() -> None:
    assert step(opened(), Replaced(), 1.0) == (Breaker(), (Admit(),))
    assert step(Breaker(overruns=(1.0,)), Replaced(), 2.0) == (Breaker(), ())


events = st.one_of(st.just(Overran()), st.just(Ticked()), st.builds(Served, st.integers(-1, 5)), st.just(Replaced()))


@given(st.lists(st.tuples(events, st.floats(0, 30)), max_size=60))
def test_under_any_order_it_says_each_change_once_and_recovers(steps: list[tuple[Event, float]]) -> None:
    state, now = Breaker(), 0.0
    for event, pause in steps:
        now += pause
        before = state
        state, said = step(state, event, now)
        expected = {Phase.CLOSED: Admit, Phase.OPEN: Refuse, Phase.HALF_OPEN: Probe}[state.phase]
        changed = state.phase is not before.phase
        assert [type(each) for each in said] == ([expected] if changed else [])
        assert (state.wake_at is not None) == (state.phase is Phase.OPEN)
        assert len(state.overruns) < OVERRUNS
    now = max(now, state.wake_at or now)
    state, _ = fold(state, (Ticked(), now), (Served(PROBES), now))
    assert not state.open
