"""Holds the node's sandboxes: feeds the lifecycle with what happens, and carries its commands out. It decides nothing itself."""

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, assert_never

from nearhop import log
from nearhop.errors import NearhopError
from nearhop.spec import Limits
from node.lifecycle import machine, reserve
from node.lifecycle.limits import Budget, Reason
from node.lifecycle.machine import Phase
from node.plan.records import SandboxSpec, SandboxView
from node.sandbox import handover, primer, process
from node.sandbox.instances import Instances
from node.sandbox.isolation.launcher import Launcher
from node.sandbox.process import Guest, Message
from node.sandbox.watch import Counters, Gauge, Watch

_CONNECTIONS_POLL_S = 0.05
_REASON_WITHIN_S = 0.1
_REASON_KEPT_S = 0.5  # after an end: longer than the ingress waits for a reason
_END_SEEN_WITHIN_S = 0.1
_END_POLL_S = 0.002
_CONNECTIONS_GONE_WITHIN_S = 10.0
_WARM_LIMITS = Limits()  # what a process is started with whose program is not known yet
_HEADROOM_BYTES = 128 << 20  # the engine itself, and what lies outside V8's heap
_LEVELS = frozenset({"debug", "info", "warn", "error", "limit"})
_logger = log.get(__name__)

Logged = Callable[[SandboxSpec, str, str, str], None]  # level, text, reason code


class Ingress(Counters, Protocol):
    """What the pool needs of the ingress."""

    async def connections(self, slot: int) -> int: ...
    async def set_reason(self, slot: int, reason: str | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Settings:
    launcher: Launcher
    slots: int
    socket: Callable[[int], Path]
    boot_cpu_s: float = 1.0
    boot_wall_s: float = 10.0
    idle_s: float = 300.0
    warm: int = 0  # processes that wait for a program
    node: str = ""
    region: str = ""
    services: Mapping[str, Path] = field(default_factory=dict)  # the node's sockets, as sandboxes see them


@dataclass(slots=True)
class _Held:
    """A slot in use: the pure state, and the process that belongs to it."""

    state: machine.Sandbox
    spec: SandboxSpec | None = None  # None while it is warm
    source: bytes = b""
    control: str = ""  # what the guest knows the agent by
    guest: Guest | None = None
    primed: bool = False  # a process without a program has answered one request, and is at its fastest for the next
    gauge: Gauge = field(default_factory=Gauge)
    told: Reason | None = None  # why its last process has ended, as the ingress knows it
    told_times: int = 0


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
        self._ingress = ingress
        self._changed = changed
        self._ended = ended
        self._held: dict[int, _Held] = {}
        self._free = deque(range(settings.slots))
        self._wake = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._watch = Watch(self._held, ingress, take=self._take, served=self._answered)
        self._instances = Instances(self._held, changed=changed)
        self._warm_failures = reserve.Failures()
        self.terminations: dict[str, tuple[int, Reason]] = {}
        self.logged: Logged = _unheard  # takes what programs print, and why they were ended
        self.assigned: Callable[[SandboxSpec, int], None] = lambda _spec, _slot: (
            None
        )  # the slot's process listens, and gets the program
        self.overran: Callable[[SandboxSpec, Reason], None] = lambda _spec, _reason: None
        self.served: Callable[[SandboxSpec, int], None] = lambda _spec, _requests: None

    # What is there

    def views(self) -> tuple[SandboxView, ...]:
        return tuple(_view(slot, held, held.spec) for slot, held in self._held.items() if held.spec is not None)

    def free_slots(self) -> tuple[int, ...]:
        return tuple(self._free)

    def warm_slots(self) -> tuple[int, ...]:
        """Return the slots with a process that waits for a program, those that have waited longest first."""
        warm = [slot for slot, held in self._held.items() if held.state.phase is Phase.WARM and held.primed]
        return tuple(sorted(warm, key=lambda slot: self._held[slot].state.since))

    def instances(self) -> dict[SandboxSpec, int]:
        """Return how many sandboxes there should be of what should have more than one."""
        return self._instances.several()

    def usage(self) -> list[Usage]:
        return [
            Usage(held.spec, held.state.phase, held.gauge.memory_bytes, held.gauge.cpu_s, held.gauge.finished)
            for held in self._held.values()
            if held.state.phase is not Phase.GONE and held.spec is not None
        ]

    @property
    def isolation(self) -> str:
        """How sandboxes are held: "full", or "reduced: " and what is missing."""
        return self._settings.launcher.level

    def ready_slots(self, function: str) -> list[tuple[int, SandboxSpec]]:
        """Return the function's sandboxes that serve."""
        return [
            (slot, held.spec)
            for slot, held in self._held.items()
            if held.spec is not None and held.spec.function == function and held.state.serves
        ]

    def control(self, slot: int) -> str:
        """Return the secret by which the slot's guest knows the agent."""
        return self._held[slot].control

    def socket(self, slot: int) -> Path:
        return self._settings.socket(slot)

    def serving(self, slot: int) -> contextlib.AbstractContextManager[None]:
        """Count a request that reaches the slot's sandbox past the ingress, for as long as it lasts: limits and drains look at it too."""
        return self._held[slot].gauge.serving()

    async def last_reason(self, slot: int) -> Reason | None:
        """Return why the slot's last process ended; of one whose connections just broke, wait a moment for its end."""
        held = self._held.get(slot)
        if held is None:
            return None
        guest, deadline = held.guest, time.monotonic() + _END_SEEN_WITHIN_S
        while guest is not None and held.guest is guest and time.monotonic() < deadline:
            await asyncio.sleep(_END_POLL_S)
        return held.state.reason

    # What changes it

    def start(self, slot: int, spec: SandboxSpec, source: bytes) -> None:
        """Start a sandbox on a free slot, or on one whose process waits for a program."""
        held = self._held.get(slot)
        control = secrets.token_hex(16)
        if held is None:
            self._free.remove(slot)
            state, commands = machine.start(_budget(spec, self._settings), time.monotonic())
            held = self._held[slot] = _Held(state, spec, source, control)
            self._carry_out(slot, held, commands)
        else:
            held.spec, held.source, held.control = spec, source, control
            fits = spec.limits.memory_mib == _WARM_LIMITS.memory_mib
            self._take(slot, machine.Assigned(_budget(spec, self._settings), fits))
            if held.state.phase is Phase.STARTING:
                self.assigned(spec, slot)
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
                    if not self._held:
                        self._wake.clear()
                        await self._wake.wait()
                    pause_s = await self._watch.look()
                    self._instances.look(time.monotonic())
                    await asyncio.sleep(pause_s)
            finally:
                for held in self._held.values():
                    if held.guest is not None:
                        held.guest.kill()

    def _refill(self) -> None:
        now, states = time.monotonic(), [held.state for held in self._held.values()]
        most, free = self._settings.warm, len(self._free)
        if not reserve.wants_one(states, self._warm_failures, most=most, free=free, now=now):
            return
        slot = self._free.pop()
        state, commands = machine.prepare(_budget_of(_WARM_LIMITS, self._settings), now)
        held = self._held[slot] = _Held(state)
        self._carry_out(slot, held, commands)

    def _prepare_next(self) -> None:
        # The slot that the next program without a waiting process comes to.
        states = [held.state for held in self._held.values()]
        if self._free and not reserve.anybody_waits(states, time.monotonic()):
            self._settings.launcher.prepare(self._free[0])

    def _answered(self, slot: int, requests: int) -> None:
        if (spec := self._held[slot].spec) is not None:
            self.served(spec, requests)

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
        state = held.state
        if held.spec is None:
            if state.phase is Phase.GONE:
                self._warm_failed(slot, state.error)
            return
        function = held.spec.function
        _logger.info(
            "sandbox changed", function=function, version=held.spec.version.number, slot=slot, phase=state.phase.value,
            before=before.phase.value, reason=None if state.reason is None else state.reason.value,
        )  # fmt: skip
        if state.terminations > before.terminations and state.reason is not None:
            count, _ = self.terminations.get(function, (0, state.reason))
            self.terminations[function] = (count + 1, state.reason)
            self.overran(held.spec, state.reason)
            text = f"version {held.spec.version.number} was ended: {state.error or state.reason.value}"
            self.logged(held.spec, "limit", text, state.reason.value)
        if state.phase is Phase.GONE:
            if not state.proven and not state.retiring:
                self._ended(held.spec, state.error or (state.reason or Reason.BOOT_FAILED).value)
            self._spawn_task(self._release(slot), name=f"release {slot}")
        self._changed(function)

    def _warm_failed(self, slot: int, error: str) -> None:
        self._warm_failures = self._warm_failures.one_more(time.monotonic())
        _logger.warning("a process that waited for a program ended", slot=slot, error=error)
        self._spawn_task(self._release(slot), name=f"release {slot}")

    def _carry_out(self, slot: int, held: _Held, commands: tuple[machine.Command, ...]) -> None:
        for wish in commands:
            match wish:
                case machine.Spawn():
                    self._spawn_task(self._live(slot, held), name=f"sandbox {slot}")
                case machine.Feed():
                    self._warm_failures = self._warm_failures.ended()
                    self._feed(held)
                case machine.Kill(reason):
                    if held.guest is not None and reason is not Reason.RETIRED:
                        held.guest.freeze()  # the ingress is told the reason first, and meanwhile it must not run on
                    self._spawn_task(self._kill(slot, held, reason), name=f"kill {slot}")
                case _:
                    assert_never(wish)

    def _spawn_task(self, work: Coroutine[None, None, None], *, name: str) -> None:
        if self._group is None:
            raise RuntimeError("the pool does not run")
        self._group.create_task(work, name=name)

    async def _live(self, slot: int, held: _Held) -> None:
        """One process from its start to its end."""
        if held.told is not None:
            held.told = None
            self._spawn_task(self._forget_reason(slot, held), name=f"forget {slot}")
        status, last_words = 127, ""
        try:
            limits = _WARM_LIMITS if held.spec is None else held.spec.limits
            guest = await self._settings.launcher.start(
                slot,
                memory_mib=limits.memory_mib,
                memory_bytes=held.state.budget.memory_bytes,
                waits=held.spec is None,
            )
        except OSError as error:
            last_words = str(error)
        else:
            held.guest = guest
            held.gauge.begin()
            if not held.state.live or held.state.phase is Phase.STOPPING:
                guest.kill()  # it was given up while it was being started
            if held.spec is None:
                self._spawn_task(self._prime(slot, held), name=f"prime {slot}")
            else:
                self._feed(held)
            try:
                status = await guest.serve(lambda message: self._heard(slot, held, message))
            finally:
                held.guest = None
            last_words = guest.last_words()
        if last_words:
            _logger.debug("sandbox said", function=_name(held), slot=slot, stderr=last_words)
        was_told = held.told is not None  # before it was killed
        self._take(slot, machine.Exited(status, process.clean(last_words, keep="\n", limit=1000)))
        why = held.state.reason
        if held.spec is not None and why not in (None, Reason.RETIRED) and not was_told:
            await self._tell_reason(slot, held, why)

    async def _prime(self, slot: int, held: _Held) -> None:
        # Nothing is assigned to it before this has ended, so that no program meets a request of ours.
        try:
            answered = await primer.prime(self._settings.socket(slot), lives=lambda: held.guest is not None)
        except TimeoutError:
            _logger.warning("a process that should wait for a program does not answer", slot=slot)
            if self._held.get(slot) is held:
                self._take(slot, machine.Retired())
            return
        if answered:  # and else _live() sees to what has ended
            held.primed = True
            self._changed("")

    def _feed(self, held: _Held) -> None:
        if held.spec is None:
            raise RuntimeError("a sandbox was fed without a program")
        if held.guest is None:
            return  # it has ended, and what follows starts it anew
        settings = self._settings
        header = handover.header(
            held.spec, node=settings.node, region=settings.region, control=held.control, services=settings.services
        )
        held.guest.feed(handover.encode(header, held.source))

    def _heard(self, slot: int, held: _Held, message: Message) -> None:
        match message.event:
            case "listening":
                if held.spec is not None and held.state.phase is Phase.STARTING:
                    self.assigned(held.spec, slot)
            case "ready":
                cpu_s = held.guest.cpu_s() if held.guest is not None else None
                self._take(slot, machine.Booted(cpu_s or 0.0))
            case "failed":
                self._take(slot, machine.BootFailed(message.text))
            case _:
                _logger.debug("function log", function=_name(held), slot=slot, message=message.text)
                level, _, text = message.text.partition(": ")
                if held.spec is not None:
                    # The guest's own word of a limit begins with the reason code.
                    reason = text.partition(": ")[0] if level == "limit" else message.reason
                    self.logged(held.spec, level if level in _LEVELS else "info", text, reason[:64])

    async def _kill(self, slot: int, held: _Held, reason: Reason) -> None:
        if reason is not Reason.RETIRED:
            _logger.warning(
                "sandbox killed",
                function=_name(held),
                version=0 if held.spec is None else held.spec.version.number,
                slot=slot,
                reason=reason.value,
            )
            await self._tell_reason(slot, held, reason)
        if held.guest is not None:
            held.guest.kill()

    async def _tell_reason(self, slot: int, held: _Held, reason: Reason | None) -> None:
        held.told = reason
        held.told_times += 1
        # The reason is a courtesy to the client: an ingress that is slow to take it must not lengthen a runaway's life.
        try:
            async with asyncio.timeout(_REASON_WITHIN_S):
                await self._ingress.set_reason(slot, None if reason is None else reason.value)
        except (NearhopError, TimeoutError) as error:
            _logger.warning("the ingress did not take a reason over", slot=slot, error=repr(error))

    async def _forget_reason(self, slot: int, held: _Held) -> None:
        # The next process starts at once, and the page that tells of the last one is still to be written.
        times = held.told_times
        await asyncio.sleep(_REASON_KEPT_S)
        if self._held.get(slot) is held and held.told_times == times:
            await self._tell_reason(slot, held, None)

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
            await asyncio.sleep(_CONNECTIONS_POLL_S)
        held = self._held[slot]
        if held.told is not None:
            await asyncio.sleep(_REASON_KEPT_S)  # its last page
        await self._tell_reason(slot, held, None)
        del self._held[slot]
        self._free.append(slot)
        self._wake.set()
        self._changed(_name(held))


def _unheard(_spec: SandboxSpec, _level: str, _text: str, _reason: str) -> None:
    return None


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


def _name(held: _Held) -> str:
    return "" if held.spec is None else held.spec.function


def _view(slot: int, held: _Held, spec: SandboxSpec) -> SandboxView:
    state = held.state
    return SandboxView(
        slot,
        spec,
        ready=state.serves,
        retiring=state.retiring or state.phase is Phase.GONE,
        idle=state.phase is Phase.IDLE,
        crashed=state.proven and not state.serves,
        waiting=state.phase is Phase.BACKOFF,
        used_at=state.used_at,
    )


def _budget(spec: SandboxSpec, settings: Settings) -> Budget:
    return _budget_of(spec.limits, settings)


def _budget_of(limits: Limits, settings: Settings) -> Budget:
    return Budget(
        cpu_s=limits.cpu_ms / 1000,
        memory_bytes=(limits.memory_mib << 20) + _HEADROOM_BYTES,
        boot_cpu_s=settings.boot_cpu_s,
        boot_wall_s=settings.boot_wall_s,
        drain_s=limits.wall_ms / 1000 + 1.0,
        idle_s=settings.idle_s,
    )
