"""Runs the sandbox on one slot: carries out what lifecycle/machine.py wishes for, and tells it what happens to the process.

Only here is a slot's state stepped, a process started, fed and ended, and the ingress told why it was. Which slot runs what is the pool's business.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, assert_never

from nearhop import log
from nearhop.errors import NearhopError
from nearhop.spec import Limits
from node.lifecycle import machine
from node.lifecycle.limits import Reason
from node.lifecycle.machine import Phase
from node.plan.records import SandboxSpec
from node.sandbox import handover, primer, process
from node.sandbox.process import Guest, Message
from node.sandbox.watch import Gauge

WARM_LIMITS = Limits()  # what a process is started with whose program is not known yet
_REASON_WITHIN_S = 0.1
_REASON_KEPT_S = 0.5  # after an end: longer than the ingress waits for a reason
_CONNECTIONS_GONE_WITHIN_S = 10.0
_CONNECTIONS_POLL_S = 0.05
_LEVELS = frozenset({"debug", "info", "warn", "error", "limit"})
_logger = log.get(__name__)


class Ingress(Protocol):
    """What the runner needs of the ingress."""

    async def connections(self, slot: int) -> int: ...
    async def set_reason(self, slot: int, reason: str | None) -> None: ...


class Launcher(Protocol):
    """What starts processes, see isolation/launcher.py."""

    @property
    def level(self) -> str: ...
    def prepare(self, slot: int) -> None: ...
    async def start(self, slot: int, *, memory_mib: int, memory_bytes: int, waits: bool) -> Guest: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    launcher: Launcher
    socket: Callable[[int], Path]
    node: str = ""
    region: str = ""
    services: Mapping[str, Path] = field(default_factory=dict)  # the node's sockets, as sandboxes see them


@dataclass(slots=True, eq=False)
class Slot:
    """A slot in use: the sandbox's state, and the process that belongs to it."""

    number: int
    state: machine.Sandbox
    spec: SandboxSpec | None = None  # None while it is warm
    source: bytes = b""
    control: str = ""  # what the guest knows the agent by
    guest: Guest | None = None
    primed: bool = False  # a process without a program has answered one request, and is at its fastest for the next
    gauge: Gauge = field(default_factory=Gauge)
    told: Reason | None = None  # why its last process has ended, as the ingress knows it
    told_times: int = 0

    @property
    def function(self) -> str:
        return "" if self.spec is None else self.spec.function

    def assign(self, spec: SandboxSpec, source: bytes) -> None:
        """Say what the slot is to run, under a new secret."""
        self.spec, self.source, self.control = spec, source, secrets.token_hex(16)


class Runner:
    """Runs slots with tasks that it has *spawn* start.

    *changed* gets a slot in a new phase and what its state was before, *listens* one whose process listens and gets its program, *primed* one whose
    waiting process has answered its first request, *said* what a program has printed: level, text, reason code.
    """

    def __init__(
        self,
        settings: Settings,
        ingress: Ingress,
        *,
        spawn: Callable[[Coroutine[None, None, None], str], None],
        changed: Callable[[Slot, machine.Sandbox], None],
        listens: Callable[[Slot], None],
        primed: Callable[[Slot], None],
        said: Callable[[Slot, str, str, str], None],
    ) -> None:
        self._settings = settings
        self._ingress = ingress
        self._spawn = spawn
        self._changed = changed
        self._listens = listens
        self._primed = primed
        self._said = said

    def take(self, slot: Slot, event: machine.Event) -> None:
        """Take in what has happened on the slot."""
        before = slot.state
        slot.state, commands = machine.step(before, event, time.monotonic())
        self.carry_out(slot, commands)
        if slot.state.phase is not before.phase:
            self._changed(slot, before)

    def carry_out(self, slot: Slot, commands: tuple[machine.Command, ...]) -> None:
        """Do what a new sandbox's first step asks for; take() does the same for all that follow."""
        for wish in commands:
            match wish:
                case machine.Spawn():
                    self._spawn(self._live(slot), f"sandbox {slot.number}")
                case machine.Feed():
                    self._feed(slot)
                case machine.Kill(reason):
                    if slot.guest is not None and reason is not Reason.RETIRED:
                        slot.guest.freeze()  # the ingress is told the reason first, and meanwhile it must not run on
                    self._spawn(self._kill(slot, reason), f"kill {slot.number}")
                case _:
                    assert_never(wish)

    async def _live(self, slot: Slot) -> None:
        """One process from its start to its end."""
        if slot.told is not None:
            slot.told = None
            self._spawn(self._forget_reason(slot), f"forget {slot.number}")
        try:
            guest = await self._start(slot)
        except OSError as error:
            status, last_words = 127, str(error)
        else:
            status = await self._serve(slot, guest)
            last_words = guest.last_words()
        if last_words:
            _logger.debug("sandbox said", function=slot.function, slot=slot.number, stderr=last_words)
        was_told = slot.told is not None  # before it was killed
        self.take(slot, machine.Exited(status, process.clean(last_words, keep="\n", limit=1000)))
        why = slot.state.reason
        if slot.spec is not None and why not in (None, Reason.RETIRED) and not was_told:
            await self._tell_reason(slot, why)

    async def _start(self, slot: Slot) -> Guest:
        waits = slot.spec is None
        limits = WARM_LIMITS if slot.spec is None else slot.spec.limits
        return await self._settings.launcher.start(
            slot.number, memory_mib=limits.memory_mib, memory_bytes=slot.state.budget.memory_bytes, waits=waits
        )

    async def _serve(self, slot: Slot, guest: Guest) -> int:
        slot.guest = guest
        slot.gauge.begin()
        if not slot.state.live or slot.state.phase is Phase.STOPPING:
            guest.kill()  # it was given up while it was being started
        if slot.spec is None:
            self._spawn(self._prime(slot), f"prime {slot.number}")
        else:
            self._feed(slot)
        try:
            return await guest.serve(lambda message: self._heard(slot, message))
        finally:
            slot.guest = None

    async def _prime(self, slot: Slot) -> None:
        # Nothing is assigned to it before this has ended, so that no program meets a request of ours.
        try:
            answered = await primer.prime(self._settings.socket(slot.number), lives=lambda: slot.guest is not None)
        except TimeoutError:
            _logger.warning("a process that should wait for a program does not answer", slot=slot.number)
            self.take(slot, machine.Retired())
            return
        if answered:  # _live() sees to one that has ended
            slot.primed = True
            self._primed(slot)

    def _feed(self, slot: Slot) -> None:
        if slot.spec is None:
            raise RuntimeError("a sandbox was fed without a program")
        if slot.guest is None:
            return  # it has ended, and what follows starts it anew
        it = self._settings
        header = handover.header(slot.spec, node=it.node, region=it.region, control=slot.control, services=it.services)
        slot.guest.feed(handover.encode(header, slot.source))

    def _heard(self, slot: Slot, message: Message) -> None:
        match message.event:
            case "listening":
                self._listens(slot)
            case "ready":
                cpu_s = slot.guest.cpu_s() if slot.guest is not None else None
                self.take(slot, machine.Booted(cpu_s or 0.0))
            case "failed":
                self.take(slot, machine.BootFailed(message.text))
            case _:
                _logger.debug("function log", function=slot.function, slot=slot.number, message=message.text)
                self._said(slot, *entry(message))

    async def _kill(self, slot: Slot, reason: Reason) -> None:
        if reason is not Reason.RETIRED:
            _logger.warning(
                "sandbox killed",
                function=slot.function,
                version=0 if slot.spec is None else slot.spec.version.number,
                slot=slot.number,
                reason=reason.value,
            )
            await self._tell_reason(slot, reason)
        if slot.guest is not None:
            slot.guest.kill()

    async def _tell_reason(self, slot: Slot, reason: Reason | None) -> None:
        slot.told = reason
        slot.told_times += 1
        # The reason is a courtesy to the client: an ingress that is slow to take it must not lengthen a runaway's life.
        try:
            async with asyncio.timeout(_REASON_WITHIN_S):
                await self._ingress.set_reason(slot.number, None if reason is None else reason.value)
        except (NearhopError, TimeoutError) as error:
            _logger.warning("the ingress did not take a reason over", slot=slot.number, error=repr(error))

    async def _forget_reason(self, slot: Slot) -> None:
        # The next process starts at once, and the page that tells of the last one is still to be written.
        times = slot.told_times
        await asyncio.sleep(_REASON_KEPT_S)
        if slot.told_times == times:
            await self._tell_reason(slot, None)

    async def clear(self, slot: Slot) -> None:
        """Return once the ingress holds no connection to what ran on the slot: a kept one must never meet another function."""
        _unlink(self._settings.socket(slot.number))
        deadline = time.monotonic() + _CONNECTIONS_GONE_WITHIN_S
        while time.monotonic() < deadline:
            try:
                if await self._ingress.connections(slot.number) == 0:
                    break
            except NearhopError as error:
                _logger.debug("connections unknown", slot=slot.number, error=str(error))
            await asyncio.sleep(_CONNECTIONS_POLL_S)
        if slot.told is not None:
            await asyncio.sleep(_REASON_KEPT_S)  # its last page
        await self._tell_reason(slot, None)


def entry(message: Message) -> tuple[str, str, str]:
    """Return level, text and reason code of what a program, or the guest for it, has printed."""
    level, _, text = message.text.partition(": ")
    # The guest's own word of a limit begins with the reason code.
    reason = text.partition(": ")[0] if level == "limit" else message.reason
    return level if level in _LEVELS else "info", text, reason[:64]


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)
