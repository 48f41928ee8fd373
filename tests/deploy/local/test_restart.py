"""When a part that ended is started again."""

from hypothesis import given
from hypothesis import strategies as st

from deploy.local.restart import CANNOT_START, LAST_DELAY_S, SETTLED_S, GiveUp, Restart, decide, sentence


def test_a_part_that_cannot_start_is_left_ended() -> None:
    decision = decide(0, CANNOT_START, 0.1)
    assert decision == GiveUp("could not start")
    assert sentence("router", decision) == "router could not start; it is not started again"


def test_delays_grow_to_a_limit() -> None:
    failures, delays = 0, []
    for _ in range(10):
        decision = decide(failures, 1, 0.1)
        assert isinstance(decision, Restart)
        failures = decision.failures
        delays.append(decision.delay_s)
    assert delays == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15.0, 15.0, 15.0]


def test_a_part_that_had_settled_is_started_again_soon() -> None:
    decision = decide(9, -9, SETTLED_S)
    assert decision == Restart(0.2, 1, "was ended by signal 9")
    assert sentence("etcd", decision) == "etcd was ended by signal 9; it is started again in 0.2 s"


@given(st.integers(0, 10**9), st.integers(-64, 255), st.floats(0, 1e9))
def test_every_end_has_a_bounded_answer(failures: int, status: int, ran_s: float) -> None:
    decision = decide(failures, status, ran_s)
    if status == CANNOT_START:
        assert isinstance(decision, GiveUp)
    else:
        assert isinstance(decision, Restart)
        assert 0 < decision.delay_s <= LAST_DELAY_S
        assert decision.failures == (1 if ran_s >= SETTLED_S else failures + 1)
