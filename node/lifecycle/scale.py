"""How many sandboxes of one version a node runs: more while those that run are busy and crowded, fewer once they have been quiet for a while.

A program that only waits gains nothing from a second process, so a crowd of requests counts only where a processor is wanted too. Nor does
one whose requests are quick: what is in flight waits in the ingress or for a client while its process sleeps, and a second one would only take
the machine's time from them. So those in flight must be worth a wait, or the process must hardly ever sleep.
"""

import math
from dataclasses import dataclass, replace

LOOK_EVERY_S = 0.5
CROWD = 8  # requests in flight of one sandbox above which it is crowded
BUSY_SHARE = 0.5  # of the time, running or waiting for a processor, above which a sandbox is busy
FULL_SHARE = 0.9  # the same, above which requests wait for it however quick they are
QUEUE_S = 0.01  # of a sandbox's work in flight, above which a request notices the others
UP_AFTER_S = 0.5
DOWN_AFTER_S = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """What one sandbox does: requests in flight, the share of the time in which it runs or waits for a processor, and how much each request took."""

    in_flight: int
    busy_share: float
    request_s: float = math.inf  # of that time; infinite when none has finished


@dataclass(frozen=True, slots=True)
class Reading:
    """For how long a process has run or waited for a processor, at *at*, and how many requests its slot had answered by then."""

    wanted_s: float = 0.0
    at: float = 0.0
    finished: int = 0


def load_between(before: Reading, after: Reading, in_flight: int) -> Load:
    """Return what a sandbox has done between two readings; how busy it was is not known when they are not two in a row."""
    elapsed_s, wanted_s = after.at - before.at, after.wanted_s - before.wanted_s
    share = wanted_s / elapsed_s if 0 < elapsed_s < 10 * LOOK_EVERY_S else 0.0
    answered = after.finished - before.finished
    return Load(in_flight, share, wanted_s / answered if answered > 0 else math.inf)


@dataclass(frozen=True, slots=True)
class Scale:
    """How many sandboxes there should be, and since when they are too few or too many; None: they are not."""

    instances: int = 1
    crowded_since: float | None = None
    quiet_since: float | None = None


def step(state: Scale, loads: tuple[Load, ...], most: int, now: float) -> Scale:
    """Take in what the sandboxes of a version that serve now do; *most* is the limit. One sandbox is added or taken away at a time."""
    instances = max(1, min(state.instances, most))
    state = replace(state, instances=instances)
    if len(loads) < instances:
        return replace(state, crowded_since=None, quiet_since=None)  # those that start now are waited for
    if _crowded(loads, instances):
        since = now if state.crowded_since is None else state.crowded_since
        if instances < most and now - since >= UP_AFTER_S:
            return Scale(instances + 1)
        return Scale(instances, crowded_since=since)
    if instances > 1 and _fewer_would_do(loads, instances):
        since = now if state.quiet_since is None else state.quiet_since
        if now - since >= DOWN_AFTER_S:
            return Scale(instances - 1)
        return Scale(instances, quiet_since=since)
    return Scale(instances)


def _crowded(loads: tuple[Load, ...], instances: int) -> bool:
    in_flight = sum(load.in_flight for load in loads)
    busy = sum(load.busy_share for load in loads)
    if in_flight <= CROWD * instances or busy <= BUSY_SHARE * instances:
        return False
    queue_s = sum(load.in_flight * load.request_s for load in loads if load.in_flight)
    return queue_s > QUEUE_S * instances or busy > FULL_SHARE * instances


def _fewer_would_do(loads: tuple[Load, ...], instances: int) -> bool:
    # With a margin of a half, so that the one that is taken away is not asked for again at once.
    in_flight = sum(load.in_flight for load in loads)
    busy = sum(load.busy_share for load in loads)
    return in_flight <= CROWD * (instances - 1) / 2 or busy <= BUSY_SHARE * (instances - 1) / 2
