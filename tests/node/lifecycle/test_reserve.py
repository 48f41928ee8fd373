"""When one more process is started that waits for a program."""

from dataclasses import replace

from node.lifecycle.limits import Budget
from node.lifecycle.machine import RESTART_FIRST_S, Booted, Sandbox, prepare, start, step
from node.lifecycle.reserve import BOOT_S, FIRST_ANSWER_S, LEAVES_FREE, Failures, anybody_waits, wants_one

BUDGET = Budget()
NOW = 100.0


def waiting(since: float = 0.0) -> Sandbox:
    return prepare(BUDGET, since)[0]


def ready(since: float = 0.0) -> Sandbox:
    return step(start(BUDGET, since)[0], Booted(0.1), since)[0]


def wants(*states: Sandbox, failures: Failures | None = None, most: int = 2, free: int = 5, now: float = NOW) -> bool:
    return wants_one(states, failures or Failures(), most=most, free=free, now=now)


def test_there_are_as_many_as_there_should_be() -> None:
    assert wants()
    assert wants(ready(), waiting())
    assert not wants(waiting(), waiting())
    assert not wants(most=0)


def test_one_slot_is_left_to_others() -> None:
    assert wants(free=LEAVES_FREE + 1)
    assert not wants(free=LEAVES_FREE)


def test_they_start_one_after_the_other() -> None:
    assert not wants(waiting(NOW - BOOT_S + 0.01))
    assert wants(waiting(NOW - BOOT_S - 0.01))


def test_none_starts_while_one_is_waited_for() -> None:
    assert not wants(start(BUDGET, NOW)[0])
    assert not wants(ready(NOW - FIRST_ANSWER_S + 0.001))
    assert wants(ready(NOW - FIRST_ANSWER_S - 0.001))


def test_nobody_waits_for_a_process_without_a_program() -> None:
    assert not anybody_waits([waiting(NOW), ready()], NOW)
    assert anybody_waits([waiting(NOW), start(BUDGET, 0.0)[0]], NOW)


def test_one_that_has_ended_delays_the_next() -> None:
    failures = Failures().one_more(NOW)
    assert failures == Failures(1, NOW + RESTART_FIRST_S)
    assert not wants(failures=failures, now=NOW + RESTART_FIRST_S / 2)
    assert wants(failures=failures, now=NOW + RESTART_FIRST_S)
    assert failures.one_more(NOW).retry_at > failures.retry_at


def test_one_that_got_a_program_ends_the_row_but_not_the_pause() -> None:
    failures = Failures().one_more(NOW).one_more(NOW)
    assert failures.ended() == replace(failures, count=0)
    assert failures.ended().one_more(NOW).retry_at == NOW + RESTART_FIRST_S
