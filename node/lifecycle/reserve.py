"""The processes that wait for a program: when to start one more.

One at a time, and never while a program starts: a process to come must not slow down one that is waited for.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from node.lifecycle.machine import Phase, Sandbox, restart_delay

LEAVES_FREE = 1  # slots that no waiting process takes
BOOT_S = 0.2  # what a waiting process takes to start, about
FIRST_ANSWER_S = 0.02


@dataclass(frozen=True, slots=True)
class Failures:
    """How many waiting processes in a row have ended before they got a program, and until when no other one is started."""

    count: int = 0
    retry_at: float = 0.0

    def one_more(self, now: float) -> "Failures":
        """Take in that one has ended."""
        return Failures(self.count + 1, now + restart_delay(self.count + 2))

    def ended(self) -> "Failures":
        """Take in that one has got a program: the row is over, the pause is not."""
        return replace(self, count=0)


def wants_one(states: Collection[Sandbox], failures: Failures, *, most: int, free: int, now: float) -> bool:
    """Say whether to start another process beside *states*: *most* are to wait, and *free* slots hold nothing."""
    if free <= LEAVES_FREE or now < failures.retry_at or anybody_waits(states, now):
        return False
    warm = [state for state in states if state.phase is Phase.WARM]
    return len(warm) < most and all(now - state.since >= BOOT_S for state in warm)


def anybody_waits(states: Collection[Sandbox], now: float) -> bool:
    """Say whether somebody waits for one of *states* to start, or for the first answer that it gives."""
    return any(
        state.phase is Phase.STARTING or (state.phase is Phase.READY and now - state.since < FIRST_ANSWER_S)
        for state in states
    )
