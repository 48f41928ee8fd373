"""Scheduled calls: which crons of a function are due, and which node runs one. Pure."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from controlplane.model import cron as crons
from controlplane.model.deployment import Deployment, Share
from controlplane.model.node import NodeReport

GRACE_S = (
    300.0  # what could not be called for this long, because nobody led or no node was there, is not called any more
)
ANSWER_WITHIN_S = 930.0  # a scheduled handler has 15 minutes, as on Workers
ATTEMPTS = 2
_AT_ONCE = 40  # calls in one transaction; etcd takes 128 writes


@dataclass(frozen=True, slots=True)
class CronMarks:
    """How far a function's crons have been called: by expression the last time that was called, or given up."""

    function: str
    called: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class ScheduledCall:
    """A call that *node* is to make, or makes: once *session* is set it was sent there, to the agent process *instance*."""

    id: str
    function: str
    version: int
    cron: str
    scheduled_at: float
    node: str
    created_at: float
    attempt: int = 1
    session: str = ""
    instance: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """A cron that has come round at *at*."""

    cron: str
    at: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What to call now, the marks once that is done, what came too late to be called, and when to look again."""

    due: tuple[Due, ...]
    marks: CronMarks
    late: tuple[Due, ...]
    next_at: float | None


def active_version(deployment: Deployment) -> int:
    """Return the version whose crons count: while a deployment goes on it is the one before, which is sure to run."""
    under_way = not deployment.ended and deployment.previous
    shares: Sequence[Share] = deployment.previous if under_way else deployment.in_force()
    return max(shares, key=lambda share: share.percent).version if shares else 0


def plan(expressions: Iterable[str], marks: CronMarks, now: float) -> Plan:
    """Say what is due at *now*. A cron that has no mark yet begins now: what went before it was there is nothing that it missed."""
    called: dict[str, float] = {}
    due: list[Due] = []
    late: list[Due] = []
    nexts: list[float] = []
    for expression in dict.fromkeys(expressions):
        parsed = crons.parse(expression)
        mark = marks.called.get(expression, now)
        floor = now - GRACE_S
        if mark < floor and (skipped := parsed.next_after(mark)) is not None and skipped < floor:
            late.append(Due(expression, skipped))
            mark = floor
        while (at := parsed.next_after(mark)) is not None and at <= now and len(due) < _AT_ONCE:
            due.append(Due(expression, at))
            mark = at
        called[expression] = mark
        if at is not None:
            nexts.append(at)
    return Plan(tuple(due), CronMarks(marks.function, called), tuple(late), min(nexts, default=None))


def choose(candidates: Iterable[tuple[NodeReport, bool]], key: str, *, not_on: str = "") -> str | None:
    """Return the node that runs the call *key*: of those that run the version (the flag) the least loaded, ties by the hash of both."""
    found = [(report, runs) for report, runs in candidates if report.node != not_on]

    def rank(candidate: tuple[NodeReport, bool]) -> tuple[bool, int, bytes]:
        report, runs = candidate
        busy = round(2 * report.load_1m / max(1, report.cpus))  # in steps of half a processor each
        return (not runs, busy, hashlib.sha256(f"{report.node} {key}".encode()).digest())

    best = min(found, key=rank, default=None)
    return None if best is None else best[0].node
