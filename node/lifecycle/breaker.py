"""The breaker of one function on one node: three overruns in a minute, and its requests are refused at once until a probe has gone well.

closed -> open (refuse, with Retry-After) -> half-open (one request at a time) -> closed, or open again for twice as long. What an open breaker
saves the node is the start of a new process for each request that would end it.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

OVERRUNS = 3
WINDOW_S = 60.0
PAUSES_S = (5.0, 10.0, 20.0, 40.0, 60.0)  # by the number of openings in a row; the last one repeats
PROBES = 3  # requests that must end well, one after the other, before the breaker closes
FORGIVEN_S = 300.0  # closed for so long without an overrun: the row of pauses starts anew


class Phase(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Overran:
    """A sandbox of the function was ended for a limit."""


@dataclass(frozen=True, slots=True)
class Served:
    """*requests* of the function have ended well since the last such event."""

    requests: int = 1


@dataclass(frozen=True, slots=True)
class Ticked:
    """wake_at may have been reached."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """The function has a new version: what the old one did counts no longer."""


Event = Overran | Served | Ticked | Replaced


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer every request with 503, breaker_open and Retry-After."""

    retry_after_s: float


@dataclass(frozen=True, slots=True)
class Probe:
    """Let requests through again, one at a time."""


@dataclass(frozen=True, slots=True)
class Admit:
    """Let all requests through."""


Command = Refuse | Probe | Admit


@dataclass(frozen=True, slots=True)
class Breaker:
    phase: Phase = Phase.CLOSED
    overruns: tuple[float, ...] = ()  # when, oldest first; at most OVERRUNS of them
    openings: int = 0  # in a row
    probes: int = 0  # that went well
    wake_at: float | None = None

    @property
    def open(self) -> bool:
        """Whether it keeps requests away, as the node's report shows it."""
        return self.phase is not Phase.CLOSED


Step = tuple[Breaker, tuple[Command, ...]]


def step(state: Breaker, event: Event, now: float) -> Step:
    """Take one event in."""
    if isinstance(event, Replaced):
        return Breaker(), (Admit(),) if state.open else ()
    match state.phase:
        case Phase.CLOSED:
            return _closed(state, event, now)
        case Phase.OPEN:
            return _open(state, event, now)
        case Phase.HALF_OPEN:
            return _half_open(state, event, now)
        case _:
            assert_never(state.phase)


def _closed(state: Breaker, event: Overran | Served | Ticked, now: float) -> Step:
    match event:
        case Overran():
            quiet = not state.overruns or now - state.overruns[-1] >= FORGIVEN_S
            overruns = (*(at for at in state.overruns if now - at < WINDOW_S), now)
            state = replace(state, overruns=overruns, openings=0 if quiet else state.openings)
            return _opened(state, now) if len(overruns) >= OVERRUNS else (state, ())
        case Served() | Ticked():
            return state, ()
        case _:
            assert_never(event)


def _open(state: Breaker, event: Overran | Served | Ticked, now: float) -> Step:
    match event:
        case Ticked() if state.wake_at is not None and now >= state.wake_at:
            return replace(state, phase=Phase.HALF_OPEN, probes=0, wake_at=None), (Probe(),)
        case Overran() | Served() | Ticked():
            return state, ()  # of requests that were in flight when it opened
        case _:
            assert_never(event)


def _half_open(state: Breaker, event: Overran | Served | Ticked, now: float) -> Step:
    match event:
        case Overran():
            return _opened(state, now)
        case Served(requests):
            probes = state.probes + max(0, requests)
            if probes < PROBES:
                return replace(state, probes=probes), ()
            # The last overrun is remembered, so that the next opening soon after is a longer one.
            return replace(state, phase=Phase.CLOSED, overruns=state.overruns[-1:], probes=0), (Admit(),)
        case Ticked():
            return state, ()
        case _:
            assert_never(event)


def _opened(state: Breaker, now: float) -> Step:
    pause = PAUSES_S[min(state.openings, len(PAUSES_S) - 1)]
    opened = Breaker(Phase.OPEN, (now,), state.openings + 1, 0, now + pause)
    return opened, (Refuse(pause),)
