"""When a certificate is renewed, and when somebody must hear that it is not."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from nearhop import renewal

START = datetime(2027, 1, 1, tzinfo=UTC)
LIVES = st.floats(min_value=2, max_value=365 * 86_400)
JITTER = st.floats(min_value=0, max_value=1)


@given(LIVES, JITTER)
def test_the_first_attempt_is_just_before_half_life(life_s: float, jitter: float) -> None:
    end = START + timedelta(seconds=life_s)
    wait = renewal.wait_s(START, end, START, 0, jitter)
    assert 0.449 * life_s <= wait <= 0.5 * life_s + 1e-5  # a timedelta counts microseconds


@given(LIVES, JITTER, st.integers(min_value=1, max_value=10_000))
def test_after_failures_there_are_many_attempts_before_the_end(life_s: float, jitter: float, failures: int) -> None:
    wait = renewal.wait_s(START, START + timedelta(seconds=life_s), START, failures, jitter)
    assert 0 < wait <= min(600, life_s / 20)


def test_failures_are_met_with_patience() -> None:
    end = START + timedelta(days=1)
    waits = [renewal.wait_s(START, end, START, failures, 1.0) for failures in range(1, 12)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (2.0, 600.0)


@given(LIVES, JITTER)
def test_past_half_life_it_is_time_now(life_s: float, jitter: float) -> None:
    end = START + timedelta(seconds=life_s)
    assert renewal.wait_s(START, end, START + timedelta(seconds=life_s * 0.6), 0, jitter) == 0


def test_the_alarm_comes_three_days_or_a_quarter_of_life_ahead() -> None:
    assert renewal.alarm_before(START, START + timedelta(days=90)) == timedelta(days=3)
    assert renewal.alarm_before(START, START + timedelta(hours=24)) == timedelta(hours=6)
