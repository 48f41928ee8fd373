from dataclasses import replace

from node.lifecycle.limits import (
    WARMUP_REQUESTS,
    Budget,
    Meter,
    Reason,
    Sample,
    judge,
    left_s,
    started,
    suspicious,
    wants_counts,
)

BUDGET = Budget(cpu_s=0.05, memory_bytes=1000)


def warm(cpu_s: float = 1.0) -> Meter:
    return replace(started(cpu_s), finished=10, served=WARMUP_REQUESTS)


def test_cpu_spent_while_nothing_finishes_is_a_runaway() -> None:
    meter, verdict = judge(warm(), Sample(1.049, None, 10, 1), BUDGET)
    assert verdict is None
    assert judge(meter, Sample(1.051, None, 10, 1), BUDGET)[1] is Reason.EXCEEDED_CPU


def test_a_sandbox_is_suspicious_exactly_when_unchanged_counters_would_end_it() -> None:
    for meter in (warm(), replace(started(1.0), finished=10)):
        for cpu_s in (1.0, 1.049, 1.051, 1.199, 1.201):
            ended = judge(meter, Sample(cpu_s, None, 10, 1), BUDGET)[1] is Reason.EXCEEDED_CPU
            assert suspicious(meter, cpu_s, BUDGET) == ended == (left_s(meter, cpu_s, BUDGET) < 0)


def test_each_finished_request_starts_the_count_anew() -> None:
    meter, verdict = judge(warm(), Sample(1.2, None, 11, 3), BUDGET)
    assert verdict is None
    assert judge(meter, Sample(1.249, None, 11, 3), BUDGET)[1] is None
    assert judge(meter, Sample(1.251, None, 11, 3), BUDGET)[1] is Reason.EXCEEDED_CPU


def test_the_first_requests_may_compile_the_program() -> None:
    cold = replace(started(1.0), finished=0)
    assert judge(cold, Sample(1.19, None, 0, 1), BUDGET)[1] is None
    assert judge(cold, Sample(1.21, None, 0, 1), BUDGET)[1] is Reason.EXCEEDED_CPU
    served, _ = judge(cold, Sample(1.1, None, WARMUP_REQUESTS, 1), BUDGET)
    assert judge(served, Sample(1.16, None, WARMUP_REQUESTS, 1), BUDGET)[1] is Reason.EXCEEDED_CPU


def test_idle_cpu_does_not_count_against_the_next_request() -> None:
    meter = warm()
    for tick in range(1, 200):
        meter, _ = judge(meter, Sample(1.0 + tick * 0.0005), BUDGET)
    assert judge(meter, Sample(meter.last_s + 0.049, None, 10, 1), BUDGET)[1] is None


def test_work_in_the_background_has_a_budget_of_its_own() -> None:
    meter, verdict = judge(warm(), Sample(1.5, None, 10, 0), BUDGET)
    assert verdict is None
    assert judge(meter, Sample(2.1, None, 10, 0), BUDGET)[1] is Reason.EXCEEDED_CPU


def test_counters_that_start_anew_with_haproxy_are_progress() -> None:
    meter, verdict = judge(warm(), Sample(1.06, None, 0, 1), BUDGET)
    assert (verdict, meter.served) == (None, WARMUP_REQUESTS)


def test_memory() -> None:
    assert judge(warm(), Sample(1.0, 1001), BUDGET)[1] is Reason.EXCEEDED_MEMORY
    assert judge(warm(), Sample(1.0, 1000), BUDGET)[1] is None


def test_the_ingress_is_asked_once_and_then_only_when_cpu_is_spent() -> None:
    assert wants_counts(started(1.0), 1.0, BUDGET)
    assert not wants_counts(warm(), 1.009, BUDGET)
    assert wants_counts(warm(), 1.011, BUDGET)
    asked, _ = judge(warm(), Sample(1.02, None, 10, 1), BUDGET)
    assert not wants_counts(asked, 1.0205, BUDGET)
    assert wants_counts(asked, 1.022, BUDGET)


def test_a_busy_sandbox_is_not_idle_while_it_waits() -> None:
    busy, _ = judge(warm(), Sample(1.03, None, 10, 1), BUDGET)
    waiting, _ = judge(busy, Sample(1.0301), BUDGET)
    assert judge(waiting, Sample(1.0511, None, 10, 1), BUDGET)[1] is Reason.EXCEEDED_CPU
