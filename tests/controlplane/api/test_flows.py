"""The arithmetic of flows, with a clock of the test's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.api import flows
from controlplane.api.flows import WINDOW_S, CountKey, FlowKey, Flows, Meter


def count(node: str = "tokyo-1", *, country: str = "JP", function: str = "hello", reason: str = "nearest") -> CountKey:
    return CountKey(FlowKey(country, node, function), reason)


def steady(
    meter: Meter, key: CountKey, rate: float, *, start: float, end: float, base: int = 0, step: float = 0.5
) -> int:
    """Report *key* growing at *rate* every *step* seconds, and return the last count."""
    steps = round((end - start) / step)
    total = base
    for number in range(1, steps + 1):
        total = base + round(rate * step * number)
        meter.hear({key: total}, start + number * step)
    return total


def test_the_first_counts_are_what_is_counted_from() -> None:
    meter = Meter()
    meter.hear({count(): 1_000_000}, 10.0)
    assert not meter.rates(10.0)
    steady(meter, count(), 40, start=10, end=14, base=1_000_000)
    assert meter.rates(14.1)[count().flow] == pytest.approx(40)
    assert meter.rates(14.4)[count().flow] == pytest.approx(40)  # between two reports too


def test_a_quiet_flow_drops_out() -> None:
    meter = Meter()
    meter.hear({}, 10.0)
    steady(meter, count(), 40, start=10, end=14)
    assert not meter.rates(14 + WINDOW_S + 1.1)


def test_a_count_that_went_back_counts_from_0() -> None:
    meter = Meter()
    meter.hear({count(): 500}, 10.0)
    meter.hear({count(): 20}, 10.5)
    assert meter.rates(10.5)[count().flow] == pytest.approx(20 / WINDOW_S)


def test_a_burst_after_silence_is_a_burst() -> None:
    meter = Meter()
    meter.hear({}, 10.0)
    meter.hear({count(): 100}, 60.0)
    assert meter.rates(60.0)[count().flow] == pytest.approx(100 / WINDOW_S)


def test_flows_to_a_node_that_is_down_end_at_once_but_in_an_emergency() -> None:
    meter = Meter()
    meter.hear({}, 10.0)
    meter.hear({count(): 10, count("london-1"): 10, count(reason="emergency"): 4}, 10.5)
    meter.cut(frozenset({"tokyo-1"}))
    assert meter.rates(10.5) == {count("london-1").flow: 10 / WINDOW_S, count().flow: 4 / WINDOW_S}


@given(st.lists(st.tuples(st.floats(0.01, 0.9), st.integers(0, 50)), min_size=1, max_size=40))
def test_nothing_is_counted_twice_or_lost(reports: list[tuple[float, int]]) -> None:
    """Over all windows that follow each other, the rates sum up to what was counted."""
    meter, now, total = Meter(), 10.0, 0
    meter.hear({}, now)
    for pause, grown in reports:
        now, total = now + pause, total + grown
        meter.hear({count(): total}, now)
    recent = sum(span.grown[count()] for span in meter._spans)
    assert recent <= total
    assert len(meter._spans) <= (WINDOW_S + 1) / 0.25 + 2
    assert meter.rates(now).get(count().flow, 0) * WINDOW_S <= total + 1e-6
    if now - 10.0 < WINDOW_S:
        assert meter.rates(now).get(count().flow, 0) * WINDOW_S == pytest.approx(total)


def test_one_router_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "_KEYS_MAX", 100)
    meter = Meter()
    meter.hear({}, 10.0)
    for number in range(50):
        meter.hear({count(f"n{number}-{index}"): 1 for index in range(10)}, 10.0 + number / 1000)
    assert len(meter.rates(10.1)) == 100
    assert len(meter._spans) == 1


def test_routers_are_summed_and_the_greatest_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "FLOWS_MAX", 2)
    both = Flows()
    first, second = both.open(), both.open()
    for meter in (first, second):
        meter.hear({}, 10.0)
    first.hear({count(): 20, count("london-1"): 2, count(function="other"): 6}, 10.5)
    second.hear({count(): 20}, 10.5)
    picture = both.picture(10.6)
    assert picture.flows == ((count().flow, 20.0), (count(function="other").flow, 3.0))
    assert picture.other == 1.0
    assert both.picture(10.6, "other").flows == ((count(function="other").flow, 3.0),)
    both.close(first)
    assert both.picture(11.0).flows == ((count().flow, 10.0),)
