from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.model import cron


def after(expression: str, moment: str) -> str:
    found = cron.parse(expression).next_after(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())
    assert found is not None
    return datetime.fromtimestamp(found, UTC).strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize(
    ("expression", "moment", "expected"),
    [
        ("* * * * *", "2026-11-23T16:50:33", "2026-11-23T16:51"),
        ("* * * * *", "2026-11-23T16:50:00", "2026-11-23T16:51"),
        ("*/30 * * * *", "2026-11-23T16:50:33", "2026-11-23T17:00"),
        ("7/20 * * * *", "2026-11-23T16:50:33", "2026-11-23T17:07"),
        ("0 0 1 jan *", "2026-11-23T16:50:33", "2027-01-01T00:00"),
        ("59 23 31 12 *", "2026-12-31T23:59:00", "2027-12-31T23:59"),
        ("0 0 29 2 *", "2096-03-01T00:00:00", "2104-02-29T00:00"),  # 2100 is no leap year
        ("0 12 * * 1", "2026-11-23T16:50:33", "2026-11-29T12:00"),  # 1 is Sunday
        ("0 12 * * SUN", "2026-11-23T16:50:33", "2026-11-29T12:00"),
        ("0 12 * * 2-6", "2026-11-27T16:50:33", "2026-11-30T12:00"),  # Monday to Friday, from a Friday on
        ("0 12 * * fri-mon", "2026-11-24T00:00:00", "2026-11-27T12:00"),
        ("0 22-2/2 * * *", "2026-11-23T23:00:00", "2026-11-24T00:00"),
        ("0 18 * * 6L", "2026-11-23T00:00:00", "2026-11-27T18:00"),  # the last Friday
        ("0 9 * * MON#1", "2026-11-23T00:00:00", "2026-12-07T09:00"),
        ("59 23 LW * *", "2027-01-01T00:00:00", "2027-01-29T23:59"),  # 31 January 2027 is a Sunday
        ("0 0 L * *", "2028-02-03T00:00:00", "2028-02-29T00:00"),
        ("0 0 L-3 * *", "2026-11-01T00:00:00", "2026-11-27T00:00"),
        (
            "0 0 L-30W * *",
            "2026-02-01T00:00:00",
            "2026-03-02T00:00",
        ),  # 1 March 2026 is a Sunday; February has no such day
        ("0 0 15W * *", "2026-08-01T00:00:00", "2026-08-14T00:00"),  # a Saturday
        ("0 0 15W * *", "2026-11-01T00:00:00", "2026-11-16T00:00"),  # a Sunday
        ("0 0 1W * *", "2026-07-31T00:01:00", "2026-08-03T00:00"),  # a Saturday, the first: never in the month before
        ("0 0 31W * *", "2027-01-01T00:00:00", "2027-01-29T00:00"),
        ("0 0 16W * *", "2026-11-01T00:00:00", "2026-11-16T00:00"),
        ("0 0 13 * FRI", "2026-11-23T00:00:00", "2026-11-27T00:00"),  # either of the two
        ("0 0 25 * FRI", "2026-11-23T00:00:00", "2026-11-25T00:00"),
        ("0,30 8-10,20 * * *", "2026-11-23T10:40:00", "2026-11-23T20:00"),
    ],
)
def test_when_it_comes_round(expression: str, moment: str, expected: str) -> None:
    assert after(expression, moment) == expected
    assert cron.reasons(expression) == []


@pytest.mark.parametrize(
    "expression",
    [
        "", "* * * *", "* * * * * *", "@hourly", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *",
        "* * * * 0", "* * * * 8", "* * * * MO", "*/0 * * * *", "*/60 * * * *", "*/x * * * *", "1- * * * *", "a * * * *",
        "-1 * * * *", "1,,2 * * * *", "* * * * MON#6", "* * * * MON#0", "* * * * 9#1", "* * L-31 * *", "* * 32W * *",
        "٣ * * * *", "? * * * *", "*" * 101, "0 0 30 2 *", "0 0 31 4,6 *",
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused_with_a_reason(expression: str) -> None:
    [reason] = cron.reasons(expression)
    assert reason


def test_never_is_none() -> None:
    assert cron.parse("0 0 30 2 *").next_after(0.0) is None


@given(
    st.builds(
        "{} {} * * {}".format,
        st.sampled_from(["*", "*/7", "3,50", "58-2"]),
        st.sampled_from(["*", "*/5", "23"]),
        st.sampled_from(["*", "SUN", "2-4", "7"]),
    ),
    st.integers(0, 4_000_000_000),
)
def test_nothing_is_skipped_and_nothing_comes_twice(expression: str, moment: int) -> None:
    parsed = cron.parse(expression)
    first = parsed.next_after(moment)
    assert first is not None
    assert first > moment
    assert first % 60 == 0
    assert parsed.next_after(first - 1) == first
    second = parsed.next_after(first)
    assert second is not None
    assert second > first
    # Every minute in between is one that does not fit.
    middle = datetime.fromtimestamp(first, UTC) + timedelta(seconds=(second - first) / 2)
    assert parsed.next_after(middle.timestamp() - 0.5) == second


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    cron.reasons(text)
