"""How closely a sandbox is looked at: how soon again, and when its memory is read and the ingress asked for its counters.

A look costs microseconds and a question to the ingress much more, so who rests is looked at seldom, and who spends is looked at again before
it can have spent too much.
"""

from node.lifecycle import scale
from node.lifecycle.limits import left_s, suspicious, wants_counts
from node.lifecycle.machine import Phase, Sandbox

IDLE_S = 0.05  # between looks once nothing has used CPU for IDLE_AFTER_S
IDLE_AFTER_S = 1.0
SLOW_S = 0.02
FAST_S = 0.004  # while one takes memory
NEAREST_S = 0.001
LEFT_SHARE = 0.5  # of what is left of a budget, as if it were spent on one processor: before it is gone on two, who spends it is looked at
SPENDING_SHARE = 0.1  # of one processor, between two looks: as much as BUSY_STEP_S in SLOW_S
BUSY_STEP_S = 0.002  # CPU between two looks that makes the next one fast
MEMORY_EVERY_S = 0.25
GROWING_BYTES = 4 << 20  # from one look to the next
DRAIN_POLL_S = 0.05
LOAD_STEP_S = 30e-6  # CPU since the last question that one request costs at least
IDLE_POLL_S = 1.0


def rest_s(quiet_s: float) -> float:
    """Return how soon to look again when nobody gives a reason to do so sooner, and nobody has used CPU for *quiet_s*."""
    return IDLE_S if quiet_s >= IDLE_AFTER_S else SLOW_S


def spends(step_s: float, elapsed_s: float) -> bool:
    """Say whether *step_s* of CPU in *elapsed_s* is enough to be looked at again soon."""
    return step_s >= BUSY_STEP_S or step_s >= SPENDING_SHARE * elapsed_s


def soon_s(state: Sandbox, cpu_s: float) -> float:
    """Return how soon to look again at one that spends and has spent *cpu_s*."""
    meter, budget = state.meter, state.budget
    left = left_s(meter, cpu_s, budget) if state.serves and meter is not None else budget.cpu_s
    return min(SLOW_S, max(LEFT_SHARE * left, NEAREST_S))


def weighs(step_s: float, unread_s: float) -> bool:
    """Say whether to read the memory of one that has used *step_s* of CPU since the last look, and *unread_s* after the last reading."""
    return step_s >= BUSY_STEP_S or unread_s >= MEMORY_EVERY_S


def suspects(state: Sandbox, cpu_s: float) -> bool:
    """Say whether only the ingress' counters can tell it from a runaway now."""
    return state.serves and state.meter is not None and suspicious(state.meter, cpu_s, state.budget)


def asks(state: Sandbox, cpu_s: float, now: float, *, asked_cpu_s: float, asked_at: float) -> bool:
    """Say whether to ask the ingress for its counters, when that was last done at *asked_at* and after *asked_cpu_s* of CPU."""
    waited_s = now - asked_at
    if state.phase is Phase.DRAINING:
        return waited_s >= DRAIN_POLL_S
    if not state.serves or state.meter is None:
        return False
    if wants_counts(state.meter, cpu_s, state.budget):
        return True
    if cpu_s - asked_cpu_s >= LOAD_STEP_S and waited_s >= scale.LOOK_EVERY_S:
        return True
    rested = state.phase is Phase.READY and now - state.used_at >= state.budget.idle_s
    return rested and waited_s >= IDLE_POLL_S
