"""How many sandboxes of each version there should be: reads how busy those that serve are, and keeps what lifecycle/scale.py makes of that."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Protocol

from nearhop import log
from node.lifecycle import machine, scale
from node.lifecycle.scale import Load, Reading, Scale
from node.plan.records import SandboxSpec
from node.sandbox.watch import Gauge

_logger = log.get(__name__)


class Process(Protocol):
    """What is needed of a guest."""

    def wanted_s(self) -> float | None: ...


class Serving(Protocol):
    """A slot in use, of which nothing is changed here."""

    @property
    def state(self) -> machine.Sandbox: ...
    @property
    def spec(self) -> SandboxSpec | None: ...
    @property
    def guest(self) -> Process | None: ...
    @property
    def gauge(self) -> Gauge: ...


class Instances:
    """*changed* is called with the function of a version that should have more sandboxes, or fewer, than before."""

    def __init__(self, slots: Mapping[int, Serving], *, changed: Callable[[str], None]) -> None:
        self._slots = slots
        self._changed = changed
        self._looked_at = 0.0
        self._readings: dict[Process, Reading] = {}
        self._scales: dict[SandboxSpec, Scale] = {}

    def several(self) -> dict[SandboxSpec, int]:
        """Return how many sandboxes there should be of what should have more than one."""
        return {spec: state.instances for spec, state in self._scales.items() if state.instances > 1}

    def look(self, now: float) -> None:
        """Look at what serves, if it is time to."""
        if now - self._looked_at < scale.LOOK_EVERY_S:
            return
        self._looked_at = now
        loads = self._loads(now)
        before = self._scales
        self._scales = {
            spec: scale.step(before.get(spec, Scale()), tuple(items), spec.limits.instances, now)
            for spec, items in loads.items()
        }
        for spec, state in self._scales.items():
            if state.instances != before.get(spec, Scale()).instances:
                _logger.info(
                    "instances changed",
                    function=spec.function,
                    version=spec.version.number,
                    instances=state.instances,
                    serving=len(loads[spec]),
                )
                self._changed(spec.function)

    def _loads(self, now: float) -> dict[SandboxSpec, list[Load]]:
        before, self._readings = self._readings, {}
        loads: dict[SandboxSpec, list[Load]] = defaultdict(list)
        for held in self._slots.values():
            if held.spec is None or held.guest is None or not held.state.serves:
                continue
            reading = Reading(held.guest.wanted_s() or 0.0, now, held.gauge.finished)
            last = before.get(held.guest, Reading())
            self._readings[held.guest] = reading
            loads[held.spec].append(scale.load_between(last, reading, held.gauge.in_flight))
        return loads
