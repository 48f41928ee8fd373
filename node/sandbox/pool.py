"""Holds the node's sandboxes: feeds the lifecycle with what happens, and carries its commands out. It decides nothing itself."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, assert_never

from nearhop import log
from nearhop.errors import NearhopError
from node.lifecycle import machine
from node.lifecycle.limits import IDLE_STEP_S, Budget, Reason, Sample, wants_counts
from node.lifecycle.machine import Phase
from node.plan.records import SandboxSpec, SandboxView
from node.sandbox import process
from node.sandbox.isolation.launcher import Launcher
from node.sandbox.process import Guest, Message

_IDLE_S = 0.05  # between samples once nothing has used CPU for _IDLE_AFTER_S
_IDLE_AFTER_S = 1.0
_SLOW_S = 0.02
_FAST_S = 0.004
_BUSY_STEP_S = 0.002  # CPU between two samples that makes the next one fast
_MEMORY_EVERY_S = 0.25
_DRAIN_POLL_S = 0.05
_REASON_WITHIN_S = 0.1
_CONNECTIONS_GONE_WITHIN_S = 10.0
_HEADROOM_BYTES = 128 << 20  # the engine itself, and what lies outside V8's heap
_logger = log.get(__name__)


class Counted(Protocol):
    @property
    def finished(self) -> int: ...
    @property
    def in_flight(self) -> int: ...


class Ingress(Protocol):
    """What the pool needs of the ingress."""

    async def counters(self, slots: Iterable[int]) -> Mapping[int, Counted]: ...
    async def connections(self, slot: int) -> int: ...
    async def set_reason(self, slot: int, reason: str | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Settings:
    launcher: Launcher
    slots: int
    socket: Callable[[int], Path]
    boot_cpu_s: float = 1.0
    boot_wall_s: float = 10.0


@dataclass(slots=True)
class _Held:
    """A slot in use: the pure state, and the process that belongs to it."""

    spec: SandboxSpec
    source: bytes
    state: machine.Sandbox
    guest: Guest | None = None
    last_cpu_s: float = 0.0
    memory_bytes: int = 0
    memory_at: float = 0.0
    asked_at: float = 0.0
    finished: int = 0
    sample: Sample | None = None
    repeated: bool = False  # the last sample was as the one before it: another one would teach nothing


@dataclass(frozen=True, slots=True)
class Usage:
    """A sandbox, as the node's report shows it."""

    spec: SandboxSpec
    phase: Phase
    memory_bytes: int
    cpu_s: float
    finished: int


class Pool:
    """The sandboxes by slot. *changed* is called after every change of phase, *ended* when one that was never ready is gone."""

    def __init__(
        self,
        settings: Settings,
        ingress: Ingress,
        *,
        changed: Callable[[], None],
        ended: Callable[[SandboxSpec, str], None],
    ) -> None:
        self._settings = settings
        self._ingress = ingress
        self._changed = changed
        self._ended = ended
        self._held: dict[int, _Held] = {}
        self._free = deque(range(settings.slots))
        self._wake = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._active_at = 0.0
        self.terminations: dict[str, tuple[int, Reason]] = {}

    def views(self) -> tuple[SandboxView, ...]:
        return tuple(
            SandboxView(
                slot, held.spec, held.state.phase is Phase.READY, held.state.retiring or held.state.phase is Phase.GONE
            )
            for slot, held in self._held.items()
        )

    def free_slots(self) -> tuple[int, ...]:
        return tuple(self._free)

    def usage(self) -> list[Usage]:
        return [
            Usage(held.spec, held.state.phase, held.memory_bytes, held.last_cpu_s, held.finished)
            for held in self._held.values()
            if held.state.phase is not Phase.GONE
        ]

    @property
    def isolation(self) -> str:
        """How sandboxes are held: "full", or "reduced: " and what is missing."""
        return self._settings.launcher.level

    def start(self, slot: int, spec: SandboxSpec, source: bytes) -> None:
        """Start a sandbox on a free slot."""
        self._free.remove(slot)
        state, commands = machine.start(_budget(spec, self._settings), time.monotonic())
        held = self._held[slot] = _Held(spec, source, state)
        self._carry_out(slot, held, commands)
        self._wake.set()

    def retire(self, slot: int) -> None:
        """Let the slot's sandbox finish its requests and end."""
        self._take(slot, machine.Retired())

    async def run(self) -> None:
        """Watch over the sandboxes until cancelled; then kill them all."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                while True:
                    if not self._held:
                        self._wake.clear()
                        await self._wake.wait()
                    busy = await self._sample_all()
                    await asyncio.sleep(_FAST_S if busy else self._pause_s())
            finally:
                for held in self._held.values():
                    if held.guest is not None:
                        held.guest.kill()

    def _pause_s(self) -> float:
        rests = time.monotonic() - self._active_at >= _IDLE_AFTER_S
        return _IDLE_S if rests else _SLOW_S

    async def _sample_all(self) -> bool:
        now = time.monotonic()
        busy = False
        readings: dict[int, tuple[Guest, float]] = {}
        asking: list[int] = []
        for slot, held in list(self._held.items()):
            if held.state.wake_at is not None and now >= held.state.wake_at:
                self._take(slot, machine.Ticked())
            if held.guest is None or (cpu_s := held.guest.cpu_s()) is None:
                continue
            step_s = cpu_s - held.last_cpu_s
            busy = busy or step_s >= _BUSY_STEP_S
            if step_s >= IDLE_STEP_S:
                self._active_at = now
            held.last_cpu_s = cpu_s
            readings[slot] = (held.guest, cpu_s)
            if self._asks(held, cpu_s, now):
                held.asked_at = now
                asking.append(slot)
            if step_s >= _BUSY_STEP_S or now - held.memory_at >= _MEMORY_EVERY_S:
                held.memory_bytes = held.guest.memory_bytes() or 0
                held.memory_at = now
        counters = await self._ingress.counters(asking) if asking else {}
        for slot, (guest, cpu_s) in readings.items():
            current = self._held.get(slot)
            if current is None or current.guest is not guest:
                continue
            counted = counters.get(slot)
            if counted is not None:
                current.finished = counted.finished
            sample = Sample(
                cpu_s,
                current.memory_bytes,
                None if counted is None else counted.finished,
                None if counted is None else counted.in_flight,
            )
            current.repeated, repeated = sample == current.sample, current.repeated
            current.sample = sample
            if not (current.repeated and repeated):
                self._take(slot, machine.Sampled(sample))
        return busy

    @staticmethod
    def _asks(held: _Held, cpu_s: float, now: float) -> bool:
        if held.state.phase is Phase.DRAINING:
            return now - held.asked_at >= _DRAIN_POLL_S
        meter = held.state.meter
        return held.state.phase is Phase.READY and meter is not None and wants_counts(meter, cpu_s, held.state.budget)

    def _take(self, slot: int, event: machine.Event) -> None:
        held = self._held.get(slot)
        if held is None:
            return
        before = held.state
        held.state, commands = machine.step(before, event, time.monotonic())
        self._carry_out(slot, held, commands)
        if held.state.phase is not before.phase:
            self._phase_changed(slot, held, before)

    def _phase_changed(self, slot: int, held: _Held, before: machine.Sandbox) -> None:
        state, function = held.state, held.spec.function
        _logger.info(
            "sandbox changed", function=function, version=held.spec.version.number, slot=slot, phase=state.phase.value,
            before=before.phase.value, reason=None if state.reason is None else state.reason.value,
        )  # fmt: skip
        if state.terminations > before.terminations and state.reason is not None:
            count, _ = self.terminations.get(function, (0, state.reason))
            self.terminations[function] = (count + 1, state.reason)
        if state.phase is Phase.GONE:
            if not state.proven and not state.retiring:
                self._ended(held.spec, state.error or (state.reason or Reason.BOOT_FAILED).value)
            self._spawn_task(self._release(slot), name=f"release {slot}")
        self._changed()

    def _carry_out(self, slot: int, held: _Held, commands: tuple[machine.Command, ...]) -> None:
        for wish in commands:
            match wish:
                case machine.Spawn():
                    self._spawn_task(self._live(slot, held), name=f"sandbox {slot}")
                case machine.Kill(reason):
                    self._spawn_task(self._kill(slot, held, reason), name=f"kill {slot}")
                case _:
                    assert_never(wish)

    def _spawn_task(self, work: Coroutine[None, None, None], *, name: str) -> None:
        if self._group is None:
            raise RuntimeError("the pool does not run")
        self._group.create_task(work, name=name)

    async def _live(self, slot: int, held: _Held) -> None:
        """One process from its start to its end."""
        socket = self._settings.socket(slot)
        await self._tell_reason(slot, None)
        status, last_words = 127, ""
        try:
            _unlink(socket)
            guest = await self._settings.launcher.start(
                slot, memory_mib=held.spec.limits.memory_mib, memory_bytes=held.state.budget.memory_bytes
            )
        except OSError as error:
            last_words = str(error)
        else:
            held.guest, held.last_cpu_s, held.memory_at, held.repeated = guest, 0.0, 0.0, False
            if not held.state.live or held.state.phase is Phase.STOPPING:
                guest.kill()  # it was given up while it was being started
            header = {
                "dialect": held.spec.version.dialect.value,
                "sockets": {"egress": self._settings.launcher.service("egress")},
            }
            try:
                status = await guest.run(header, held.source, lambda message: self._heard(slot, held, message))
            finally:
                held.guest = None
            last_words = guest.last_words()
        if last_words:
            _logger.debug("sandbox said", function=held.spec.function, slot=slot, stderr=last_words)
        self._take(slot, machine.Exited(status, process.clean(last_words, keep="\n", limit=1000)))

    def _heard(self, slot: int, held: _Held, message: Message) -> None:
        match message.event:
            case "ready":
                cpu_s = held.guest.cpu_s() if held.guest is not None else None
                self._take(slot, machine.Booted(cpu_s or 0.0))
            case "failed":
                self._take(slot, machine.BootFailed(message.text))
            case _:
                _logger.debug("function log", function=held.spec.function, slot=slot, message=message.text)

    async def _kill(self, slot: int, held: _Held, reason: Reason) -> None:
        if reason is not Reason.RETIRED:
            _logger.warning(
                "sandbox killed",
                function=held.spec.function,
                version=held.spec.version.number,
                slot=slot,
                reason=reason.value,
            )
            await self._tell_reason(slot, reason)
        if held.guest is not None:
            held.guest.kill()

    async def _tell_reason(self, slot: int, reason: Reason | None) -> None:
        # The reason is a courtesy to the client: an ingress that is slow to take it must not lengthen a runaway's life.
        try:
            async with asyncio.timeout(_REASON_WITHIN_S):
                await self._ingress.set_reason(slot, None if reason is None else reason.value)
        except (NearhopError, TimeoutError) as error:
            _logger.warning("the ingress did not take a reason over", slot=slot, error=repr(error))

    async def _release(self, slot: int) -> None:
        """Free the slot once the ingress holds no connection to what ran there: a kept one must never meet another function."""
        _unlink(self._settings.socket(slot))
        deadline = time.monotonic() + _CONNECTIONS_GONE_WITHIN_S
        while time.monotonic() < deadline:
            try:
                if await self._ingress.connections(slot) == 0:
                    break
            except NearhopError as error:
                _logger.debug("connections unknown", slot=slot, error=str(error))
            await asyncio.sleep(_DRAIN_POLL_S)
        await self._tell_reason(slot, None)
        del self._held[slot]
        self._free.append(slot)
        self._changed()


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


def _budget(spec: SandboxSpec, settings: Settings) -> Budget:
    limits = spec.limits
    return Budget(
        cpu_s=limits.cpu_ms / 1000,
        memory_bytes=(limits.memory_mib << 20) + _HEADROOM_BYTES,
        boot_cpu_s=settings.boot_cpu_s,
        boot_wall_s=settings.boot_wall_s,
        drain_s=limits.wall_ms / 1000 + 1.0,
    )
