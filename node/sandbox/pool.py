"""The node's sandboxes by slot: which slot runs what, which are free, and which processes wait for a program.

What runs on one slot is the runner's business, and how it is watched the watch's. It decides nothing itself: the agent's plan says what to start
and retire, and lifecycle/reserve.py when to start a process that waits.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nearhop import log
from nearhop.spec import Limits
from node.lifecycle import machine, reserve
from node.lifecycle.limits import Budget, Reason
from node.lifecycle.machine import Phase
from node.plan.records import SandboxSpec, SandboxView
from node.sandbox import runner
from node.sandbox.instances import Instances
from node.sandbox.runner import WARM_LIMITS, Runner, Slot
from node.sandbox.watch import Counters, Watch

_END_SEEN_WITHIN_S = 0.1
_END_POLL_S = 0.002
_HEADROOM_BYTES = 128 << 20  # the engine itself, and what lies outside V8's heap
_logger = log.get(__name__)

Logged = Callable[[SandboxSpec, str, str, str], None]  # level, text, reason code


class Ingress(Counters, runner.Ingress, Protocol):
    """What is needed of the ingress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(runner.Settings):
    slots: int
    boot_cpu_s: float = 1.0
    boot_wall_s: float = 10.0
    idle_s: float = 300.0
    warm: int = 0  # processes that wait for a program

    def budget(self, limits: Limits) -> Budget:
        """Return what a sandbox with these *limits* may use of this node."""
        return Budget(
            cpu_s=limits.cpu_ms / 1000,
            memory_bytes=(limits.memory_mib << 20) + _HEADROOM_BYTES,
            boot_cpu_s=self.boot_cpu_s,
            boot_wall_s=self.boot_wall_s,
            drain_s=limits.wall_ms / 1000 + 1.0,
            idle_s=self.idle_s,
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """A sandbox, as the node's report shows it."""

    spec: SandboxSpec
    phase: Phase
    memory_bytes: int
    cpu_s: float
    finished: int


class Pool:
    """The sandboxes by slot. *changed* is called with the function after every change, *ended* when one that was never ready is gone."""

    def __init__(
        self,
        settings: Settings,
        ingress: Ingress,
        *,
        changed: Callable[[str], None],
        ended: Callable[[SandboxSpec, str], None],
    ) -> None:
        self._settings = settings
        self._changed = changed
        self._ended = ended
        self._slots: dict[int, Slot] = {}
        self._free = deque(range(settings.slots))
        self._wake = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._runner = Runner(
            settings,
            ingress,
            spawn=self._spawn,
            changed=self._phase_changed,
            listens=self._listens,
            primed=lambda _slot: changed(""),
            said=self._said,
        )
        self._watch = Watch(self._slots, ingress, take=self._take, served=self._answered)
        self._instances = Instances(self._slots, changed=changed)
        self._warm_failures = reserve.Failures()
        self.terminations: dict[str, tuple[int, Reason]] = {}
        self.logged: Logged = _unheard  # takes what programs print, and why they were ended
        # The slot's process listens, and gets the program.
        self.assigned: Callable[[SandboxSpec, int], None] = lambda _spec, _slot: None
        self.overran: Callable[[SandboxSpec, Reason], None] = lambda _spec, _reason: None
        self.served: Callable[[SandboxSpec, int], None] = lambda _spec, _requests: None

    # What is there

    def views(self) -> tuple[SandboxView, ...]:
        return tuple(_view(slot, slot.spec) for slot in self._slots.values() if slot.spec is not None)

    def free_slots(self) -> tuple[int, ...]:
        return tuple(self._free)

    def warm_slots(self) -> tuple[int, ...]:
        """Return the slots with a process that waits for a program, those that have waited longest first."""
        warm = [slot for slot in self._slots.values() if slot.state.phase is Phase.WARM and slot.primed]
        return tuple(slot.number for slot in sorted(warm, key=lambda slot: slot.state.since))

    def instances(self) -> dict[SandboxSpec, int]:
        """Return how many sandboxes there should be of what should have more than one."""
        return self._instances.several()

    def usage(self) -> list[Usage]:
        return [
            Usage(slot.spec, slot.state.phase, slot.gauge.memory_bytes, slot.gauge.cpu_s, slot.gauge.finished)
            for slot in self._slots.values()
            if slot.state.phase is not Phase.GONE and slot.spec is not None
        ]

    @property
    def isolation(self) -> str:
        """How sandboxes are held: "full", or "reduced: " and what is missing."""
        return self._settings.launcher.level

    def ready_slots(self, function: str) -> list[tuple[int, SandboxSpec]]:
        """Return the function's sandboxes that serve."""
        return [
            (slot.number, slot.spec)
            for slot in self._slots.values()
            if slot.spec is not None and slot.spec.function == function and slot.state.serves
        ]

    def control(self, slot: int) -> str:
        """Return the secret by which the slot's guest knows the agent."""
        return self._slots[slot].control

    def socket(self, slot: int) -> Path:
        return self._settings.socket(slot)

    def serving(self, slot: int) -> contextlib.AbstractContextManager[None]:
        """Count a request that reaches the slot's sandbox past the ingress, for as long as it lasts: limits and drains look at it too."""
        return self._slots[slot].gauge.serving()

    async def last_reason(self, slot: int) -> Reason | None:
        """Return why the slot's last process ended; of one whose connections just broke, wait a moment for its end."""
        held = self._slots.get(slot)
        if held is None:
            return None
        guest, deadline = held.guest, time.monotonic() + _END_SEEN_WITHIN_S
        while guest is not None and held.guest is guest and time.monotonic() < deadline:
            await asyncio.sleep(_END_POLL_S)
        return held.state.reason

    # What changes it

    def start(self, slot: int, spec: SandboxSpec, source: bytes) -> None:
        """Start a sandbox on a free slot, or on one whose process waits for a program."""
        held, budget = self._slots.get(slot), self._settings.budget(spec.limits)
        if held is None:
            self._free.remove(slot)
            state, commands = machine.start(budget, time.monotonic())
            held = self._slots[slot] = Slot(slot, state)
            held.assign(spec, source)
            self._runner.carry_out(held, commands)
        else:
            held.assign(spec, source)
            fits = spec.limits.memory_mib == WARM_LIMITS.memory_mib
            self._runner.take(held, machine.Assigned(budget, fits))
            if held.state.phase is Phase.STARTING:
                self._warm_failures = self._warm_failures.ended()
                self._listens(held)
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
                    self._refill()
                    self._prepare_next()
                    if not self._slots:
                        await self._rest()
                    now = time.monotonic()
                    pause_s = await self._watch.look(now)
                    self._instances.look(now)
                    await asyncio.sleep(pause_s)
            finally:
                for slot in self._slots.values():
                    if slot.guest is not None:
                        slot.guest.kill()

    async def _rest(self) -> None:
        # Nothing runs: until something does, or a process that is to wait may be tried again.
        self._wake.clear()
        retry_s = self._warm_failures.retry_at - time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, retry_s) if self._settings.warm else None):
                await self._wake.wait()

    def _refill(self) -> None:
        now, states = time.monotonic(), [slot.state for slot in self._slots.values()]
        most, free = self._settings.warm, len(self._free)
        if not reserve.wants_one(states, self._warm_failures, most=most, free=free, now=now):
            return
        number = self._free.pop()
        state, commands = machine.prepare(self._settings.budget(WARM_LIMITS), now)
        slot = self._slots[number] = Slot(number, state)
        self._runner.carry_out(slot, commands)

    def _prepare_next(self) -> None:
        # The slot that the next program without a waiting process comes to.
        states = [slot.state for slot in self._slots.values()]
        if self._free and not reserve.anybody_waits(states, time.monotonic()):
            self._settings.launcher.prepare(self._free[0])

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        if self._group is None:
            raise RuntimeError("the pool does not run")
        self._group.create_task(work, name=name)

    # What the watch and the runner tell

    def _take(self, slot: int, event: machine.Event) -> None:
        if (held := self._slots.get(slot)) is not None:
            self._runner.take(held, event)

    def _answered(self, slot: int, requests: int) -> None:
        if (spec := self._slots[slot].spec) is not None:
            self.served(spec, requests)

    def _listens(self, slot: Slot) -> None:
        if slot.spec is not None and slot.state.phase is Phase.STARTING:
            self.assigned(slot.spec, slot.number)

    def _said(self, slot: Slot, level: str, text: str, reason: str) -> None:
        if slot.spec is not None:
            self.logged(slot.spec, level, text, reason)

    def _phase_changed(self, slot: Slot, before: machine.Sandbox) -> None:
        state, spec = slot.state, slot.spec
        if spec is None:
            if state.phase is Phase.GONE:
                self._warm_failures = self._warm_failures.one_more(time.monotonic())
                _logger.warning("a process that waited for a program ended", slot=slot.number, error=state.error)
                self._spawn(self._release(slot), f"release {slot.number}")
            return
        _logger.info(
            "sandbox changed", function=spec.function, version=spec.version.number, slot=slot.number, phase=state.phase.value,
            before=before.phase.value, reason=None if state.reason is None else state.reason.value,
        )  # fmt: skip
        if state.terminations > before.terminations and state.reason is not None:
            self._count_end(spec, state.reason, state.error)
        if state.phase is Phase.GONE:
            if not state.proven and not state.retiring:
                self._ended(spec, state.error or (state.reason or Reason.BOOT_FAILED).value)
            self._spawn(self._release(slot), f"release {slot.number}")
        self._changed(spec.function)

    def _count_end(self, spec: SandboxSpec, reason: Reason, error: str) -> None:
        count, _ = self.terminations.get(spec.function, (0, reason))
        self.terminations[spec.function] = (count + 1, reason)
        self.overran(spec, reason)
        text = f"version {spec.version.number} was ended: {error or reason.value}"
        self.logged(spec, "limit", text, reason.value)

    async def _release(self, slot: Slot) -> None:
        await self._runner.clear(slot)
        del self._slots[slot.number]
        self._free.append(slot.number)
        self._wake.set()
        self._changed(slot.function)


def _unheard(_spec: SandboxSpec, _level: str, _text: str, _reason: str) -> None:
    return None


def _view(slot: Slot, spec: SandboxSpec) -> SandboxView:
    state = slot.state
    return SandboxView(
        slot.number,
        spec,
        ready=state.serves,
        retiring=state.retiring or state.phase is Phase.GONE,
        idle=state.phase is Phase.IDLE,
        crashed=state.proven and not state.serves,
        waiting=state.phase is Phase.BACKOFF,
        used_at=state.used_at,
    )
