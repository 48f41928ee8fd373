"""The watch over what runs: reads each process's CPU time and memory, asks the ingress what it serves, and hands that on as samples.

How closely it looks is decided in lifecycle/pace.py, and what a sample means in lifecycle/limits.py. It ends nobody: who is suspected of running
away is frozen, for as long as the ingress is asked.
"""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from node.lifecycle import machine, pace
from node.lifecycle.limits import IDLE_STEP_S, Sample
from node.lifecycle.machine import Phase


class Counted(Protocol):
    @property
    def finished(self) -> int: ...
    @property
    def in_flight(self) -> int: ...


class Counters(Protocol):
    """What the watch needs of the ingress."""

    async def counters(self, slots: Iterable[int]) -> Mapping[int, Counted]: ...


class Process(Protocol):
    """What the watch needs of a guest."""

    def cpu_s(self) -> float | None: ...
    def memory_bytes(self) -> int | None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


@dataclass(slots=True)
class Gauge:
    """What is measured on one slot. begin() and serving() are for others; all else is changed by the watch alone."""

    cpu_s: float = 0.0  # of the process, at the last look
    memory_bytes: int = 0
    weighed_at: float = 0.0
    finished: int = 0  # requests on the slot, whoever has had it
    in_flight: int = 0
    asked_at: float = 0.0
    asked_cpu_s: float = 0.0
    sample: Sample | None = None
    repeated: bool = False  # the last sample was as the one before it: another one would teach nothing
    direct: int = 0  # requests in flight that reached it past the ingress' slot: those that started it
    direct_finished: int = 0

    def begin(self) -> None:
        """Measure a new process, from its beginning."""
        self.cpu_s = self.asked_cpu_s = self.weighed_at = 0.0
        self.in_flight, self.repeated = 0, False

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Count a request that reaches the sandbox past the ingress, for as long as it lasts."""
        self.direct += 1
        try:
            yield
        finally:
            self.direct -= 1
            self.direct_finished += 1


class Watched(Protocol):
    """A slot in use: whose state the watch reads, whose process it looks at, and what it has measured there."""

    @property
    def state(self) -> machine.Sandbox: ...
    @property
    def guest(self) -> Process | None: ...
    @property
    def gauge(self) -> Gauge: ...


class Watch:
    """Looks at *slots*. *take* gets what happened to one of them, *served* how many more requests it has answered."""

    def __init__(
        self,
        slots: Mapping[int, Watched],
        ingress: Counters,
        *,
        take: Callable[[int, machine.Event], None],
        served: Callable[[int, int], None],
    ) -> None:
        self._slots = slots
        self._ingress = ingress
        self._take = take
        self._served = served
        self._looked_at = 0.0
        self._active_at = 0.0

    async def look(self, now: float) -> float:
        """Look at every slot; return how soon to do so again."""
        elapsed_s, self._looked_at = now - self._looked_at, now
        pause_s = math.inf
        readings: list[tuple[int, Watched, Process, float]] = []
        asking: list[int] = []
        frozen: list[tuple[Watched, Process]] = []
        for slot, watched in list(self._slots.items()):
            if watched.state.due(now):
                self._take(slot, machine.Ticked())
            guest = watched.guest
            if guest is None or (cpu_s := guest.cpu_s()) is None:
                continue
            state, gauge = watched.state, watched.gauge
            step_s, gauge.cpu_s = cpu_s - gauge.cpu_s, cpu_s
            if pace.spends(step_s, elapsed_s):
                pause_s = min(pause_s, pace.soon_s(state, cpu_s))
            if step_s >= IDLE_STEP_S:
                self._active_at = now
            readings.append((slot, watched, guest, cpu_s))
            suspect = pace.suspects(state, cpu_s)
            if suspect:
                guest.freeze()  # so that a runaway gains nothing while the ingress is asked
                frozen.append((watched, guest))
            if suspect or pace.asks(state, cpu_s, now, asked_cpu_s=gauge.asked_cpu_s, asked_at=gauge.asked_at):
                gauge.asked_at, gauge.asked_cpu_s = now, cpu_s
                asking.append(slot)
            if pace.weighs(step_s, now - gauge.weighed_at) and _grows(gauge, guest, now):
                pause_s = min(pause_s, pace.FAST_S)
        try:
            counters = await self._ingress.counters(asking) if asking else {}
            self._judge(readings, counters)
        finally:
            for watched, guest in frozen:
                if watched.guest is guest and watched.state.phase is not Phase.STOPPING:
                    guest.thaw()
        return min(pause_s, pace.rest_s(now - self._active_at))

    def _judge(self, readings: Iterable[tuple[int, Watched, Process, float]], counters: Mapping[int, Counted]) -> None:
        for slot, watched, guest, cpu_s in readings:
            if watched.guest is not guest:
                continue  # it has ended meanwhile
            gauge = watched.gauge
            if (counted := counters.get(slot)) is None:
                sample = Sample(cpu_s, gauge.memory_bytes)
            else:
                self._count(slot, watched, counted)
                sample = Sample(cpu_s, gauge.memory_bytes, gauge.finished, gauge.in_flight)
            gauge.repeated, repeated = sample == gauge.sample, gauge.repeated
            gauge.sample = sample
            # One that drains is done after a while in which nothing changes.
            if watched.state.phase is Phase.DRAINING or not (gauge.repeated and repeated):
                self._take(slot, machine.Sampled(sample))

    def _count(self, slot: int, watched: Watched, counted: Counted) -> None:
        # The ingress counts for the slot, whoever has had it: the first count of a process only tells where it begins.
        gauge, meter = watched.gauge, watched.state.meter
        finished = counted.finished + gauge.direct_finished
        fresh = finished - gauge.finished if meter is not None and meter.finished is not None else 0
        gauge.finished, gauge.in_flight = finished, counted.in_flight + gauge.direct
        if fresh > 0:
            self._served(slot, fresh)


def _grows(gauge: Gauge, guest: Process, now: float) -> bool:
    before, gauge.memory_bytes, gauge.weighed_at = gauge.memory_bytes, guest.memory_bytes() or 0, now
    return gauge.memory_bytes - before >= pace.GROWING_BYTES
