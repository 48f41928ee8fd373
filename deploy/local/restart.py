"""Whether and when a part that ended is started again.

Rule 1: pure; the time it ran is an argument, the delay a return value.
Rule 2: a part that says it cannot start (status 3) is not started again: the same configuration would fail the same way.
"""

from dataclasses import dataclass
from typing import assert_never

CANNOT_START = 3
FIRST_DELAY_S = 0.2
LAST_DELAY_S = 15.0
# A part that ran this long had started well: what ended it is a new event, not the old one again.
SETTLED_S = 30.0


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it again after *delay_s*; *failures* is handed to the next decision."""

    delay_s: float
    failures: int
    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Leave it ended."""

    reason: str


Decision = Restart | GiveUp


def decide(failures: int, status: int, ran_s: float) -> Decision:
    """Decide on a part that ended with *status* (negative: by that signal) after *ran_s*; *failures* ended soon before it."""
    reason = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
    if status == CANNOT_START:
        return GiveUp("could not start")
    failures = 1 if ran_s >= SETTLED_S else failures + 1
    return Restart(min(FIRST_DELAY_S * 2 ** min(failures - 1, 20), LAST_DELAY_S), failures, reason)


def sentence(part: str, decision: Decision) -> str:
    """Return *decision* on *part* for people."""
    match decision:
        case Restart(delay_s, _, reason):
            return f"{part} {reason}; it is started again in {delay_s:g} s"
        case GiveUp(reason):
            return f"{part} {reason}; it is not started again"
        case _:
            assert_never(decision)
