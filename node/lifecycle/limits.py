"""CPU and memory limits, judged from samples of a sandbox's process and of the ingress' counters.

CPU is counted since the last request finished: what is spent while requests are in flight and none finishes is a runaway. It cannot be told
which of several requests in flight spends it, so honest requests that finish keep a busy sandbox alive.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

ASK_SHARE = 0.2  # of the CPU budget, before the ingress is asked for its counters: an idle sandbox costs no question
ASK_STEP_S = 0.001  # CPU that must have been spent since the last question
IDLE_STEP_S = 0.001  # CPU between two samples below which a sandbox that serves nobody is idle
WARMUP_REQUESTS = 3  # the first requests compile the program: they get WARMUP_FACTOR times the budget
WARMUP_FACTOR = 4.0
BACKGROUND_FACTOR = 20.0  # CPU spent with nothing in flight (timers, waitUntil), in budgets


class Reason(StrEnum):
    """Why a sandbox's process ended, and, from EXCEEDED_BODY on, why a request was refused while it lived on."""

    EXCEEDED_CPU = "exceeded_cpu"
    EXCEEDED_MEMORY = "exceeded_memory"
    EXCEEDED_WALL = "exceeded_wall"
    EXCEPTION = "exception"
    BOOT_FAILED = "boot_failed"
    RETIRED = "retired"
    EXCEEDED_BODY = "exceeded_body"
    EXCEEDED_SUBREQUESTS = "exceeded_subrequests"
    EXCEEDED_CONCURRENCY = "exceeded_concurrency"
    RATE_LIMITED = "rate_limited"
    BREAKER_OPEN = "breaker_open"


# Ends that a program has caused by taking more than its limits: these are counted, and open the breaker.
OVERRUNS = frozenset({Reason.EXCEEDED_CPU, Reason.EXCEEDED_MEMORY, Reason.EXCEEDED_WALL})


@dataclass(frozen=True, slots=True)
class Budget:
    """What one sandbox may use, in seconds and bytes."""

    cpu_s: float = 0.05
    memory_bytes: int = 256 << 20
    boot_cpu_s: float = 1.0
    boot_wall_s: float = 10.0
    drain_s: float = 30.0
    idle_s: float = 300.0  # without a request before a sandbox is idle
    linger_s: float = 1.0  # after the last request of a retired sandbox: what waitUntil may still use


@dataclass(frozen=True, slots=True)
class Sample:
    """A process's CPU time since its start and, where they were read, its resident set and the ingress' counters."""

    cpu_s: float
    memory_bytes: int | None = None
    finished: int | None = None
    in_flight: int | None = None


@dataclass(frozen=True, slots=True)
class Meter:
    """What is known of a ready process's spending."""

    baseline_s: float  # CPU time when a request last finished, or when the sandbox was last seen idle
    last_s: float
    asked_s: float  # CPU time at the last question to the ingress
    finished: int | None = None
    served: int = 0
    busy: bool = False
    background_s: float = 0.0


def started(cpu_s: float) -> Meter:
    """Return the meter of a process that has become ready after *cpu_s* seconds of CPU time."""
    return Meter(baseline_s=cpu_s, last_s=cpu_s, asked_s=cpu_s)


def wants_counts(meter: Meter, cpu_s: float, budget: Budget) -> bool:
    """Say whether the next sample should carry the ingress' counters: once at first, then when CPU is being spent."""
    if meter.finished is None:
        return True
    return cpu_s - meter.baseline_s >= ASK_SHARE * budget.cpu_s and cpu_s - meter.asked_s >= ASK_STEP_S


def suspicious(meter: Meter, cpu_s: float, budget: Budget) -> bool:
    """Say whether the budget is spent as far as is known: only new counters can tell an honest sandbox from a runaway now."""
    return left_s(meter, cpu_s, budget) < 0


def left_s(meter: Meter, cpu_s: float, budget: Budget) -> float:
    """Return how much of the budget is left as far as is known."""
    return _allowed_s(meter, budget) - (cpu_s - meter.baseline_s)


def _allowed_s(meter: Meter, budget: Budget) -> float:
    return budget.cpu_s * (WARMUP_FACTOR if meter.served < WARMUP_REQUESTS else 1.0)


def judge(meter: Meter, sample: Sample, budget: Budget) -> tuple[Meter, Reason | None]:
    """Fold *sample* into the meter and name the limit that is exceeded, if one is."""
    if sample.memory_bytes is not None and sample.memory_bytes > budget.memory_bytes:
        return replace(meter, last_s=sample.cpu_s), Reason.EXCEEDED_MEMORY
    if sample.finished is None or sample.in_flight is None:
        return _without_counts(meter, sample), None
    return _with_counts(meter, sample.cpu_s, sample.finished, sample.in_flight, budget)


def _without_counts(meter: Meter, sample: Sample) -> Meter:
    idle = not meter.busy and sample.cpu_s - meter.last_s < IDLE_STEP_S
    return replace(meter, last_s=sample.cpu_s, baseline_s=sample.cpu_s if idle else meter.baseline_s)


def _with_counts(
    meter: Meter, cpu_s: float, finished: int, in_flight: int, budget: Budget
) -> tuple[Meter, Reason | None]:
    spent = cpu_s - meter.baseline_s
    known = replace(meter, last_s=cpu_s, asked_s=cpu_s, finished=finished, busy=in_flight > 0)
    progressed = meter.finished is not None and finished != meter.finished
    if progressed:
        served = meter.served + max(0, finished - (meter.finished or 0))
        return replace(known, baseline_s=cpu_s, served=served, background_s=0.0), None
    if in_flight == 0:
        background = meter.background_s + spent
        verdict = Reason.EXCEEDED_CPU if background > BACKGROUND_FACTOR * budget.cpu_s else None
        return replace(known, baseline_s=cpu_s, background_s=background), verdict
    return known, Reason.EXCEEDED_CPU if spent > _allowed_s(meter, budget) else None
