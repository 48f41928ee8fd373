"""The life of one sandbox: starting -> ready -> draining -> gone, with restarts in between."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from node.lifecycle.limits import Budget, Meter, Reason, Sample, judge, started

RESTART_DELAYS_S = (0.0, 0.1, 0.5, 2.0, 5.0, 10.0)  # by the number of failures in a row; the last one repeats
STABLE_S = 30.0  # a process that was ready for so long starts the row anew
_MEMORY_SIGNALS = frozenset(
    {5, 6, 9}
)  # V8 aborts with SIGTRAP or SIGABRT when its heap is full; the kernel's OOM killer uses SIGKILL


class Phase(StrEnum):
    STARTING = "starting"  # the process runs, the module is not imported yet
    READY = "ready"
    DRAINING = "draining"  # no new requests; ends when those in flight have
    STOPPING = "stopping"  # killed, not yet reaped
    BACKOFF = "backoff"  # no process; the next one starts at wake_at
    GONE = "gone"  # no process, and none will come


@dataclass(frozen=True, slots=True)
class Booted:
    """The guest has imported the module; the process has used *cpu_s* so far."""

    cpu_s: float


@dataclass(frozen=True, slots=True)
class BootFailed:
    error: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The process was reaped; a negative *status* is the signal that ended it. *detail* is what it last wrote to standard error."""

    status: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Sampled:
    sample: Sample


@dataclass(frozen=True, slots=True)
class Retired:
    """The plan has no more use for the sandbox."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """wake_at may have been reached."""


Event = Booted | BootFailed | Exited | Sampled | Retired | Ticked


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a process. Answered by exactly one Exited, at once with a status of 127 when it could not be started."""


@dataclass(frozen=True, slots=True)
class Kill:
    """Show *reason* on the ingress' error pages, then kill the process."""

    reason: Reason


Command = Spawn | Kill


@dataclass(frozen=True, slots=True)
class Sandbox:
    phase: Phase
    budget: Budget
    since: float
    wake_at: float | None
    proven: bool = False  # it was ready once: its program is good, so it is restarted rather than refused
    failures: int = 0
    meter: Meter | None = None
    quiet_since: float | None = None
    retiring: bool = False
    terminations: int = 0
    reason: Reason | None = None  # of the last end
    error: str = ""

    @property
    def live(self) -> bool:
        """Whether a process belongs to it."""
        return self.phase not in (Phase.BACKOFF, Phase.GONE)


Step = tuple[Sandbox, tuple[Command, ...]]


def start(budget: Budget, now: float) -> Step:
    """Return a new sandbox and the command that starts its process."""
    return Sandbox(Phase.STARTING, budget, now, now + budget.boot_wall_s), (Spawn(),)


def step(state: Sandbox, event: Event, now: float) -> Step:
    """Take one event in. Events that come too late for their phase change nothing."""
    match state.phase:
        case Phase.STARTING:
            return _starting(state, event, now)
        case Phase.READY:
            return _ready(state, event, now)
        case Phase.DRAINING:
            return _draining(state, event, now)
        case Phase.STOPPING:
            return _stopping(state, event, now)
        case Phase.BACKOFF:
            return _backoff(state, event, now)
        case Phase.GONE:
            return state, ()
        case _:
            assert_never(state.phase)


def _starting(state: Sandbox, event: Event, now: float) -> Step:
    match event:
        case Booted(cpu_s):
            ready = replace(state, phase=Phase.READY, since=now, wake_at=None, proven=True, meter=started(cpu_s))
            return ready, ()
        case Exited(status, detail):
            error = f"the program ended while it was starting ({describe(status)})" + (f": {detail}" if detail else "")
            return _ended(replace(state, reason=Reason.BOOT_FAILED, error=error), now)
        case BootFailed() | Sampled() | Retired() | Ticked():
            broken = _boot_broken(state, event, now)
            if broken is None:
                return state, ()
            reason, error = broken
            return _kill(replace(state, retiring=reason is Reason.RETIRED), reason, now, error)
        case _:
            assert_never(event)


def _boot_broken(
    state: Sandbox, event: BootFailed | Sampled | Retired | Ticked, now: float
) -> tuple[Reason, str] | None:
    budget = state.budget
    match event:
        case BootFailed(error):
            return Reason.BOOT_FAILED, error
        case Sampled(sample) if sample.memory_bytes is not None and sample.memory_bytes > budget.memory_bytes:
            return Reason.EXCEEDED_MEMORY, "the program exceeded its memory while it was starting"
        case Sampled(sample) if sample.cpu_s > budget.boot_cpu_s:
            return Reason.BOOT_FAILED, f"the program used more than {budget.boot_cpu_s:g} s of CPU time to start"
        case Retired():
            return Reason.RETIRED, ""
        case Ticked() if _due(state, now):
            return Reason.BOOT_FAILED, f"the program was not ready within {budget.boot_wall_s:g} s"
        case _:
            return None


def _ready(state: Sandbox, event: Event, now: float) -> Step:
    match event:
        case Sampled(sample):
            assert state.meter is not None  # every ready sandbox has one  # noqa: S101
            meter, verdict = judge(state.meter, sample, state.budget)
            state = replace(state, meter=meter)
            return (state, ()) if verdict is None else _kill(state, verdict, now)
        case Exited(status, detail):
            return _ended(replace(state, reason=end_reason(status), error=detail or describe(status)), now)
        case Retired():
            wake_at = now + state.budget.drain_s
            return replace(state, phase=Phase.DRAINING, since=now, wake_at=wake_at, retiring=True), ()
        case Booted() | BootFailed() | Ticked():
            return state, ()
        case _:
            assert_never(event)


def _draining(state: Sandbox, event: Event, now: float) -> Step:
    match event:
        case Sampled(sample):
            assert state.meter is not None  # it was ready before  # noqa: S101
            meter, verdict = judge(state.meter, sample, state.budget)
            state = replace(state, meter=meter)
            if verdict is not None:
                return _kill(state, verdict, now)
            return _drained(state, sample.in_flight, now)
        case Ticked():
            return _kill(state, Reason.RETIRED, now) if _due(state, now) else (state, ())
        case Exited(status):
            return _ended(replace(state, reason=end_reason(status)), now)
        case Retired() | Booted() | BootFailed():
            return state, ()
        case _:
            assert_never(event)


def _drained(state: Sandbox, in_flight: int | None, now: float) -> Step:
    if in_flight is None:
        return state, ()
    if in_flight > 0:
        return replace(state, quiet_since=None), ()
    quiet_since = now if state.quiet_since is None else state.quiet_since
    state = replace(state, quiet_since=quiet_since)
    if now - quiet_since >= state.budget.linger_s:
        return _kill(state, Reason.RETIRED, now)
    return state, ()


def _stopping(state: Sandbox, event: Event, now: float) -> Step:
    match event:
        case Exited():
            return _ended(state, now)
        case Retired():
            return replace(state, retiring=True), ()
        case Booted() | BootFailed() | Sampled() | Ticked():
            return state, ()
        case _:
            assert_never(event)


def _backoff(state: Sandbox, event: Event, now: float) -> Step:
    match event:
        case Ticked():
            if not _due(state, now):
                return state, ()
            wake_at = now + state.budget.boot_wall_s
            return replace(state, phase=Phase.STARTING, since=now, wake_at=wake_at, meter=None), (Spawn(),)
        case Retired():
            return replace(state, phase=Phase.GONE, since=now, wake_at=None, retiring=True, reason=Reason.RETIRED), ()
        case Booted() | BootFailed() | Exited() | Sampled():
            return state, ()
        case _:
            assert_never(event)


def _due(state: Sandbox, now: float) -> bool:
    return state.wake_at is not None and now >= state.wake_at


def _kill(state: Sandbox, reason: Reason, now: float, error: str = "") -> Step:
    failures = 1 if state.phase is Phase.READY and now - state.since >= STABLE_S else state.failures + 1
    stopping = replace(
        state, phase=Phase.STOPPING, since=now, wake_at=None, reason=reason, error=error, failures=failures
    )
    return stopping, (Kill(reason),)


def _ended(state: Sandbox, now: float) -> Step:
    failures = state.failures
    if state.phase is not Phase.STOPPING:  # _kill() has counted those
        stable = state.phase is Phase.READY and now - state.since >= STABLE_S
        failures = 1 if stable else failures + 1
    terminations = state.terminations + (state.reason is not Reason.RETIRED)
    state = replace(state, since=now, meter=None, failures=failures, terminations=terminations)
    if state.retiring or not state.proven:
        return replace(state, phase=Phase.GONE, wake_at=None), ()
    delay = RESTART_DELAYS_S[min(failures, len(RESTART_DELAYS_S)) - 1]
    if delay == 0.0:
        wake_at = now + state.budget.boot_wall_s
        return replace(state, phase=Phase.STARTING, wake_at=wake_at), (Spawn(),)
    return replace(state, phase=Phase.BACKOFF, wake_at=now + delay), ()


def end_reason(status: int) -> Reason:
    """Name the end of a process that ended by itself."""
    return Reason.EXCEEDED_MEMORY if -status in _MEMORY_SIGNALS else Reason.EXCEPTION


def describe(status: int) -> str:
    """Say in words how a process ended."""
    return f"signal {-status}" if status < 0 else f"exit status {status}"
