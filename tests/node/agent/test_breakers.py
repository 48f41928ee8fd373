import time

import pytest

from nearhop.spec import Dialect, Limits
from node.agent.breakers import Breakers
from node.lifecycle.limits import Reason
from node.plan.records import SandboxSpec, Version
from node.plan.status import VersionStatus


def spec(number: int = 1) -> SandboxSpec:
    return SandboxSpec("a", Version(number, "0" * 64, 1, Dialect.WORKERS), Limits())


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
        breakers.ended(spec(), Reason.EXCEEDED_CPU)
    return breakers


def test_three_overruns_open_it_and_a_time_later_it_is_probed(clock: Clock) -> None:
    changed: list[str] = []
    breakers = opened(changed)
    assert (breakers.broken, breakers.probed, breakers.is_open("a")) == ({("a", 1)}, frozenset(), True)
    assert changed[-1] == "a"
    assert breakers.overruns("a") == {"exceeded_cpu": 3}
    wait = breakers.tick()
    assert wait is not None
    clock.now += wait
    assert breakers.tick() is None
    assert (breakers.broken, breakers.probed, breakers.is_open("a")) == (frozenset(), {("a", 1)}, True)
    breakers.served(spec(), 3)
    assert (breakers.probed, breakers.is_open("a")) == (frozenset(), False)


def test_ends_that_are_nobodys_fault_and_strangers_count_for_nothing(clock: Clock) -> None:
    changed: list[str] = []
    breakers = Breakers(changed.append)
    for reason in (Reason.RETIRED, Reason.EXCEPTION, Reason.BOOT_FAILED):
        breakers.ended(spec(), reason)
    breakers.served(spec(), 5)
    breakers.replaced("a", [2])
    assert (changed, breakers.overruns("a"), breakers.tick(), breakers.is_open("a")) == ([], {}, None, False)


def test_another_version_begins_anew_and_what_is_gone_is_forgotten(clock: Clock) -> None:
    breakers = opened([])
    breakers.replaced("a", [2])
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
        breakers.overran(spec(), "exceeded_subrequests")
    assert (breakers.overruns("a"), breakers.is_open("a")) == ({"exceeded_subrequests": 5}, False)
    assert changed == ["a"] * 5


def test_each_version_has_a_breaker_and_a_count_of_its_own(clock: Clock) -> None:
    changed: list[str] = []
    breakers = Breakers(changed.append)
    for _ in range(3):
        breakers.ended(spec(2), Reason.EXCEEDED_CPU)
    breakers.ended(spec(1), Reason.EXCEEDED_CPU)
    told = len(changed)
    breakers.threw(spec(2))
    assert len(changed) == told  # an exception waits for the next report
    assert breakers.broken == {("a", 2)}
    assert breakers.version("a", 1) == VersionStatus(1, {"exceeded_cpu": 1})
    assert breakers.version("a", 2) == VersionStatus(2, {"exceeded_cpu": 3, "exception": 1}, breaker_open=True)
    assert breakers.overruns("a") == {"exceeded_cpu": 4}
    breakers.replaced("a", [1])
    assert (breakers.version("a", 2), breakers.version("a", 1).failures) == (VersionStatus(2), {"exceeded_cpu": 1})
    breakers.keep({})
    assert breakers.version("a", 1) == VersionStatus(1)
