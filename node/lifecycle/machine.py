"""The life of one sandbox: (warm ->) starting -> ready <-> idle -> draining -> gone, with restarts in between.

Rule 1: every change of a sandbox's phase happens in step(). Rule 2: it never asks for a process while one may still run.
A warm sandbox is a process that waits for its program: assigned, it goes on as one that has just been started.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from node.lifecycle.limits import Budget, Meter, Reason, Sample, judge, started

RESTART_FIRST_S = 0.1  # after the second failure in a row; the first one is answered at once
RESTART_FACTOR = 4.0
RESTART_MAX_S = 30.0
STABLE_S = 30.0  # a process that was ready for so long starts the row anew
_MEMORY_SIGNALS = frozenset(
    {5, 6, 9}
)  # V8 aborts with SIGTRAP or SIGABRT when its heap is full; the kernel's OOM killer uses SIGKILL


class Phase(StrEnum):
    WARM = "warm"  # the process runs and waits for a program
    STARTING = "starting"  # the process runs, the module is not imported yet
    READY = "ready"
    IDLE = "idle"  # ready, and unused for so long that the plan may end it
    DRAINING = "draining"  # no new requests; ends when those in flight have
    STOPPING = "stopping"  # killed, not yet reaped
    BACKOFF = "backoff"  # no process; the next one starts at wake_at
    GONE = "gone"  # no process, and none will come


@dataclass(frozen=True, slots=True)
class Assigned:
    """A warm sandbox gets its program, which may use *budget*. When *fits* is false the process was started for another kind of program."""

    budget: Budget
    fits: bool = True


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


Event = Assigned | Booted | BootFailed | Exited | Sampled | Retired | Ticked


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a process. Answered by exactly one Exited, at once with a status of 127 when it could not be started."""


@dataclass(frozen=True, slots=True)
class Feed:
    """Hand the program to the process that waits for it."""


@dataclass(frozen=True, slots=True)
class Kill:
    """Show *reason* on the ingress' error pages, then kill the process."""

    reason: Reason


Command = Spawn | Feed | Kill


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
    used_at: float = 0.0  # when it was last seen to serve, or became ready
    exchanging: bool = False  # the process that is being killed makes room for one of the sandbox's own
    retiring: bool = False
    terminations: int = 0
    reason: Reason | None = None  # of the last end
    error: str = ""

    @property
    def live(self) -> bool:
        """Whether a process belongs to it."""
        return self.phase not in (Phase.BACKOFF, Phase.GONE)

    @property
    def serves(self) -> bool:
        """Whether requests may be sent to it."""
        return self.phase in (Phase.READY, Phase.IDLE)

    def due(self, now: float) -> bool:
        """Say whether wake_at has been reached."""
        return self.wake_at is not None and now >= self.wake_at


Step = tuple[Sandbox, tuple[Command, ...]]


def start(budget: Budget, now: float) -> Step:
    """Return a new sandbox and the command that starts its process."""
    return Sandbox(Phase.STARTING, budget, now, now + budget.boot_wall_s), (Spawn(),)


def prepare(budget: Budget, now: float) -> Step:
    """Return a new sandbox without a program and the command that starts its process."""
    return Sandbox(Phase.WARM, budget, now, None), (Spawn(),)


def step(state: Sandbox, event: Event, now: float) -> Step:
    """Take one event in. Events that come too late for their phase change nothing."""
    match state.phase:
        case Phase.WARM:
            take = _warm
        case Phase.STARTING:
            take = _starting
        case Phase.READY | Phase.IDLE:
            take = _ready
        case Phase.DRAINING:
            take = _draining
        case Phase.STOPPING:
            take = _stopping
        case Phase.BACKOFF:
            take = _backoff
        case Phase.GONE:
            return state, ()
        case _:
            assert_never(state.phase)
    return take(state, event, now)


def _warm(state: Sandbox, event: Event, now: float) -> Step:
    match event:
        case Assigned(budget, fits):
            state = replace(state, budget=budget)
            if not fits:
                return _kill(replace(state, exchanging=True), Reason.RETIRED, now)
            return replace(state, phase=Phase.STARTING, since=now, wake_at=now + budget.boot_wall_s), (Feed(),)
        case Exited(status, detail):
            return _ended(replace(state, reason=Reason.BOOT_FAILED, error=detail or describe(status)), now)
        case Retired():
            return _kill(replace(state, retiring=True), Reason.RETIRED, now)
        case Booted() | BootFailed() | Sampled() | Ticked():
            return state, ()
        case _:
            assert_never(event)


def _starting(state: Sandbox, event: Event, now: float) -> Step:
    match event:
        case Booted(cpu_s):
            meter = started(cpu_s)
            return replace(state, phase=Phase.READY, since=now, wake_at=None, proven=True, meter=meter, used_at=now), ()
        case Exited(status, detail):
            error = f"the program ended while it was starting ({describe(status)})" + (f": {detail}" if detail else "")
            return _ended(replace(state, reason=Reason.BOOT_FAILED, error=error), now)
        case BootFailed() | Sampled() | Retired() | Ticked():
            broken = _boot_broken(state, event, now)
            if broken is None:
                return state, ()
            reason, error = broken
            return _kill(replace(state, retiring=reason is Reason.RETIRED), reason, now, error)
        case Assigned():
            return state, ()
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
        case Ticked() if state.due(now):
            return Reason.BOOT_FAILED, f"the program was not ready within {budget.boot_wall_s:g} s"
        case _:
            return None


def _ready(state: Sandbox, event: Event, now: float) -> Step:
    match event:
        case Sampled(sample):
            assert state.meter is not None  # every ready sandbox has one  # noqa: S101
            before = state.meter.finished
            meter, verdict = judge(state.meter, sample, state.budget)
            state = replace(state, meter=meter)
            return (_rested(state, sample, before, now), ()) if verdict is None else _kill(state, verdict, now)
        case Exited(status, detail):
            return _ended(replace(state, reason=end_reason(status), error=detail or describe(status)), now)
        case Retired():
            wake_at = now + state.budget.drain_s
            return replace(state, phase=Phase.DRAINING, since=now, wake_at=wake_at, retiring=True), ()
        case Assigned() | Booted() | BootFailed() | Ticked():
            return state, ()
        case _:
            assert_never(event)


def _rested(state: Sandbox, sample: Sample, before: int | None, now: float) -> Sandbox:
    """Tell whether the sandbox serves, by the ingress' counters; without them nothing is known."""
    if sample.finished is None or sample.in_flight is None:
        return state
    if sample.in_flight > 0 or (before is not None and sample.finished != before):
        return replace(state, phase=Phase.READY, used_at=now)
    idle = now - state.used_at >= state.budget.idle_s
    return replace(state, phase=Phase.IDLE) if idle else state


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
            return _kill(state, Reason.RETIRED, now) if state.due(now) else (state, ())
        case Exited(status):
            return _ended(replace(state, reason=end_reason(status)), now)
        case Retired() | Assigned() | Booted() | BootFailed():
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
        case Assigned() | Booted() | BootFailed() | Sampled() | Ticked():
            return state, ()
        case _:
            assert_never(event)


def _backoff(state: Sandbox, event: Event, now: float) -> Step:
    match event:
        case Ticked():
            if not state.due(now):
                return state, ()
            return _spawned(replace(state, since=now, meter=None), now)
        case Retired():
            return replace(state, phase=Phase.GONE, since=now, wake_at=None, retiring=True, reason=Reason.RETIRED), ()
        case Assigned() | Booted() | BootFailed() | Exited() | Sampled():
            return state, ()
        case _:
            assert_never(event)


def _kill(state: Sandbox, reason: Reason, now: float, error: str = "") -> Step:
    failures = 1 if state.serves and now - state.since >= STABLE_S else state.failures + 1
    stopping = replace(
        state, phase=Phase.STOPPING, since=now, wake_at=None, reason=reason, error=error, failures=failures
    )
    return stopping, (Kill(reason),)


def _ended(state: Sandbox, now: float) -> Step:
    if state.exchanging and not state.retiring:
        return _spawned(replace(state, since=now, failures=0, exchanging=False, reason=None, error=""), now)
    failures = state.failures
    if state.phase is not Phase.STOPPING:  # _kill() has counted those
        stable = state.serves and now - state.since >= STABLE_S
        failures = 1 if stable else failures + 1
    terminations = state.terminations + (state.reason is not Reason.RETIRED)
    state = replace(state, since=now, meter=None, failures=failures, terminations=terminations)
    if state.retiring or not state.proven:
        return replace(state, phase=Phase.GONE, wake_at=None), ()
    delay = restart_delay(failures)
    if delay == 0.0:
        return _spawned(state, now)
    return replace(state, phase=Phase.BACKOFF, wake_at=now + delay), ()


def _spawned(state: Sandbox, now: float) -> Step:
    return replace(state, phase=Phase.STARTING, wake_at=now + state.budget.boot_wall_s), (Spawn(),)


def restart_delay(failures: int) -> float:
    """Return how long to wait after so many *failures* in a row: not at all, then exponentially longer up to a bound."""
    if failures <= 1:
        return 0.0
    return float(min(RESTART_MAX_S, RESTART_FIRST_S * RESTART_FACTOR ** min(failures - 2, 30)))


def end_reason(status: int) -> Reason:
    """Name the end of a process that ended by itself."""
    return Reason.EXCEEDED_MEMORY if -status in _MEMORY_SIGNALS else Reason.EXCEPTION


def describe(status: int) -> str:
    """Say in words how a process ended."""
    return f"signal {-status}" if status < 0 else f"exit status {status}"
