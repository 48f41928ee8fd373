import time

import pytest

from node.agent.breakers import Breakers
from node.lifecycle.limits import Reason


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def opened(changed: list[str]) -> Breakers:
    breakers = Breakers(changed.append)
    for _ in range(3):
        breakers.ended("a", Reason.EXCEEDED_CPU)
    return breakers


def test_three_overruns_open_it_and_a_time_later_it_is_probed(clock: Clock) -> None:
    changed: list[str] = []
    breakers = opened(changed)
    assert (breakers.broken, breakers.probed, breakers.is_open("a")) == ({"a"}, frozenset(), True)
    assert changed[-1] == "a"
    assert breakers.overruns("a") == {"exceeded_cpu": 3}
    wait = breakers.tick()
    assert wait is not None
    clock.now += wait
    assert breakers.tick() is None
    assert (breakers.broken, breakers.probed, breakers.is_open("a")) == (frozenset(), {"a"}, True)
    breakers.served("a", 3)
    assert (breakers.probed, breakers.is_open("a")) == (frozenset(), False)


def test_ends_that_are_nobodys_fault_and_strangers_count_for_nothing(clock: Clock) -> None:
    changed: list[str] = []
    breakers = Breakers(changed.append)
    for reason in (Reason.RETIRED, Reason.EXCEPTION, Reason.BOOT_FAILED):
        breakers.ended("a", reason)
    breakers.served("a", 5)
    breakers.replaced("a")
    assert (changed, breakers.overruns("a"), breakers.tick(), breakers.is_open("a")) == ([], {}, None, False)


def test_another_version_begins_anew_and_what_is_gone_is_forgotten(clock: Clock) -> None:
    breakers = opened([])
    breakers.replaced("a")
    assert (breakers.broken, breakers.overruns("a")) == (frozenset(), {"exceeded_cpu": 3})
    breakers = opened([])
    breakers.keep({"a": 1})
    assert breakers.is_open("a")
    breakers.keep({})
    assert (breakers.is_open("a"), breakers.overruns("a")) == (False, {})


def test_what_the_ingress_refuses_is_counted_also_when_its_counts_begin_anew() -> None:
    changed: list[str] = []
    breakers = Breakers(changed.append)
    assert breakers.refused({("a", "rate_limited"): 3, ("", "no_such_host"): 9}) == [("a", "rate_limited", 3)]
    assert breakers.refused({("a", "rate_limited"): 3, ("", "no_such_host"): 10}) == []
    assert (breakers.overruns("a"), breakers.overruns(""), changed) == ({"rate_limited": 3}, {}, ["a"])
    breakers.refused({("a", "rate_limited"): 5})
    breakers.refused({})
    assert breakers.refused({("a", "rate_limited"): 2}) == [("a", "rate_limited", 2)]
    assert breakers.overruns("a") == {"rate_limited": 7}
    assert not breakers.is_open("a")


def test_an_overrun_that_ended_no_sandbox_is_counted_and_opens_nothing() -> None:
    changed: list[str] = []
    breakers = Breakers(changed.append)
    for _ in range(5):
        breakers.overran("a", "exceeded_subrequests")
    assert (breakers.overruns("a"), breakers.is_open("a")) == ({"exceeded_subrequests": 5}, False)
    assert changed == ["a"] * 5
