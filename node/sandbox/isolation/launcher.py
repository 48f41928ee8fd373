"""The agent's end of the zygote: starts sandboxes as isolated as this machine lets it, and says how isolated that is."""

import asyncio
import contextlib
import functools
import hashlib
import os
import signal
import sqlite3
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ParamSpec

import psutil

from nearhop import log
from nearhop.errors import NearhopError
from node.sandbox import command
from node.sandbox.isolation import cgroups, landlock, layout, libraries
from node.sandbox.isolation.channel import Zygote
from node.sandbox.isolation.confined import Confined
from node.sandbox.isolation.layout import Plan
from node.sandbox.process import Guest, Message

_ANSWER_BYTES = 4096
_PROBE_WITHIN_S = 20.0
_CACHING_S = 0.2  # the engine writes what it has compiled in the background, and tells nobody when it has
_STAMP = "complete"
_BESIDE = ("-wal", "-shm", "-journal")
_PROBE_SLOT = 999  # above every slot that a node may have, so that its user is nobody else's
_PROBE = b"export default { fetch() {} }"
_ETC = (
    "/etc",
    "/proc",
    "/sys/fs/cgroup",
    "/sys/devices/system/cpu",
)  # what an engine on the machine's own file system looks at
_logger = log.get(__name__)
_P = ParamSpec("_P")


class IsolationError(NearhopError):
    """Sandboxes cannot be started as they should."""


@dataclass(frozen=True, slots=True)
class Settings:
    deno: Path
    run_dir: Path
    cache_dir: Path
    deny_net: str  # for sandboxes that share the machine's network
    public: Callable[[int], Path]  # where the ingress looks for a slot's socket


@dataclass(frozen=True, slots=True)
class Mode:
    """How sandboxes are started; *missing* says what the machine does not let us do."""

    namespaces: bool
    own_user: bool
    seccomp: bool
    missing: tuple[str, ...] = ()

    @property
    def level(self) -> str:
        return f"reduced: {'; '.join(self.missing)}" if self.missing else "full"


class Launcher:
    """Starts sandboxes. open() first; the zygote starts again by itself when it has died, and all sandboxes with it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._libraries: dict[str, str] = {}
        self._groups: tuple[cgroups.Hierarchy, ...] = ()
        self._mode = Mode(namespaces=True, own_user=os.geteuid() == 0, seccomp=True)
        self._zygote = Zygote()
        self._joining: set[asyncio.Task[object]] = set()
        # Isolated, and held before they become the engine: each with what it is isolated for.
        self._shells: dict[int, tuple[Plan, asyncio.Task[Confined]]] = {}

    @property
    def level(self) -> str:
        """Return "full", or "reduced: " and what is missing, as the node reports it."""
        return self._mode.level

    async def open(self) -> None:
        """Find out by trying how sandboxes can be isolated here, and fill the engine's cache on the way. Raises IsolationError."""
        settings = self._settings
        for folder in (self._root, self.services, settings.cache_dir):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._libraries = await asyncio.to_thread(libraries.needed, settings.deno)
        self._groups = cgroups.find(_family())
        missing: list[str] = []
        stamp, complete = await asyncio.to_thread(self._stamp)
        for mode in self._modes():
            self._mode = mode
            error = await self._probe(warm=not complete)
            if error is None:
                self._mode = Mode(mode.namespaces, mode.own_user, mode.seccomp, tuple(missing))
                controllers = sorted({name for group in self._groups for name in group.controllers})
                _logger.info("sandboxes are isolated", level=self.level, cgroups=controllers, landlock=landlock.abi())
                break
            missing.append(f"no {_loss(mode)} ({error})")
        else:
            raise IsolationError(f"no sandbox can be started: {'; '.join(missing)}")
        if not complete:
            await asyncio.to_thread(self._settle, stamp)

    def _settle(self, stamp: str) -> None:
        # Left as it is, the log that the engine's databases have been written by would be read again at each start.
        for path in self._settings.cache_dir.glob("*_cache_v*"):
            if path.name.endswith(_BESIDE):
                continue
            try:
                with contextlib.closing(sqlite3.connect(path)) as database:
                    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:  # sandboxes start a little slower
                _logger.warning("the engine's cache stays as it is", file=path.name, error=str(error))
        (self._settings.cache_dir / _STAMP).write_text(stamp)

    def _stamp(self) -> tuple[str, bool]:
        # Which engine and which guest the cache is for, and whether it has been filled for them.
        files = [self._settings.deno, *(path for path in command.GUEST.rglob("*") if path.is_file())]
        known = "".join(f"{path} {path.stat().st_mtime_ns}\n" for path in sorted(files))
        stamp = hashlib.sha256(known.encode()).hexdigest()
        path = self._settings.cache_dir / _STAMP
        return stamp, path.exists() and path.read_text() == stamp

    @staticmethod
    def _modes() -> list[Mode]:
        root = os.geteuid() == 0
        return [
            Mode(namespaces=True, own_user=root, seccomp=True),
            Mode(namespaces=False, own_user=False, seccomp=True),
            Mode(namespaces=False, own_user=False, seccomp=False),
        ]

    async def _probe(self, *, warm: bool) -> str | None:
        # A whole sandbox with a program: what keeps any part of it from working shows here, and nowhere later.
        said = asyncio.Event()
        failure = ""

        def heard(message: Message) -> None:
            if message.event == "ready":
                said.set()

        async def live() -> None:
            nonlocal failure
            try:
                guest = await self.start(_PROBE_SLOT, memory_mib=64, memory_bytes=0, warm=warm)
                status = await guest.run({"dialect": "workers"}, _PROBE, heard)
                words = guest.last_words().splitlines()
                failure = words[-1] if words else f"it ended with {status}"
            except OSError as error:
                failure = str(error)

        task = asyncio.get_running_loop().create_task(live(), name="isolation probe")
        waiting = asyncio.get_running_loop().create_task(said.wait(), name="isolation probe's answer")
        await asyncio.wait((task, waiting), timeout=_PROBE_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        if warm and said.is_set():
            await asyncio.sleep(_CACHING_S)
        for each in (task, waiting):
            each.cancel()
        await asyncio.gather(task, waiting, return_exceptions=True)
        self._settings.public(_PROBE_SLOT).unlink(missing_ok=True)
        if said.is_set():
            return None
        return failure.removeprefix("the sandbox cannot be isolated: ") or f"no answer within {_PROBE_WITHIN_S:g} s"

    # Where things are

    @property
    def services(self) -> Path:
        """The folder of the sockets that every sandbox sees: what the agent offers them listens here."""
        return self._settings.run_dir / "services"

    @property
    def _root(self) -> Path:
        return self._settings.run_dir / "root"

    def listening(self, slot: int) -> Path:
        """Return where the guest on *slot* listens, as the machine sees it."""
        return self._inbound(slot) / "s.sock"

    def _inbound(self, slot: int) -> Path:
        return self._settings.run_dir / "slots" / f"{slot:03d}"

    def service(self, name: str) -> str:
        """Return the path of a service's socket, as sandboxes see it."""
        return f"{layout.SERVICES if self._mode.namespaces else self.services}/{name}.sock"

    # Starting

    async def start(
        self, slot: int, *, memory_mib: int, memory_bytes: int, warm: bool = False, waits: bool = False
    ) -> Guest:
        """Start a guest on *slot*; *memory_bytes* is for its control group, one that *waits* has no program yet. Raises OSError."""
        plan = self.plan(slot, memory_mib=memory_mib, warm=warm, waits=waits)
        return await self.launch(slot, plan, memory_bytes=memory_bytes)

    def prepare(self, slot: int) -> None:
        """Isolate a process for *slot*, so that the next start() there has only the engine to wait for; nothing if there is one."""
        if slot not in self._shells and self._mode.namespaces:
            plan = replace(self.plan(slot, memory_mib=0), held=True)
            work = self._confine(slot, plan)
            self._shells[slot] = plan, asyncio.get_running_loop().create_task(work, name=f"shell {slot}")

    async def _shell(self, slot: int) -> tuple[Plan, Confined] | None:
        if (found := self._shells.pop(slot, None)) is None:
            return None
        plan, task = found
        try:
            return plan, await task
        except OSError as error:
            _logger.warning("no sandbox could be prepared", slot=slot, error=str(error))
            return None

    async def launch(self, slot: int, plan: Plan, *, memory_bytes: int = 0) -> Guest:
        """Start what *plan* says on *slot*, by the process that is prepared for it if one is. Raises OSError."""
        if (found := await self._shell(slot)) is not None:
            prepared, shell = found
            if plan == replace(prepared, argv=plan.argv, held=False) and not shell.ended and shell.stdin is not None:
                shell.stdin.write(layout.word(plan.argv))
                self._later(cgroups.make, self._groups, self._group_name(slot), memory_bytes)
                return Guest(shell, shell.pidfd)
            await _discard(shell)
        confined = await self._confine(slot, plan, memory_bytes=memory_bytes)
        return Guest(confined, confined.pidfd)

    async def _confine(self, slot: int, plan: Plan, *, memory_bytes: int = 0) -> Confined:
        self._prepare(slot, plan)
        groups = cgroups.make(self._groups, self._group_name(slot), memory_bytes)
        try:
            confined = await self._zygote.launch(plan, gone=functools.partial(cgroups.remove, groups))
        except BaseException:
            cgroups.remove(groups)
            raise
        # Moving a process takes the kernel a grace period, 10 ms and more, which its start does not have to wait for.
        self._later(cgroups.join, groups, confined.pid)
        return confined

    def _prepare(self, slot: int, plan: Plan) -> None:
        inbound = self._inbound(slot)
        inbound.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.listening(slot).unlink(missing_ok=True)
        public = self._settings.public(slot)
        public.unlink(missing_ok=True)
        public.symlink_to(self.listening(slot))
        if plan.uid is not None:
            os.chown(inbound, plan.uid, plan.uid)
            if plan.isolated and not plan.cache:  # it fills the cache
                os.chown(self._settings.cache_dir, plan.uid, plan.uid)

    def _later(self, work: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs) -> None:
        task: asyncio.Task[object] = asyncio.get_running_loop().create_task(
            asyncio.to_thread(work, *args, **kwargs), name="control groups"
        )
        self._joining.add(task)
        task.add_done_callback(self._joined)

    def _joined(self, task: asyncio.Task[object]) -> None:
        self._joining.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.warning("a sandbox is in no control group", error=str(error))

    def plan(self, slot: int, *, memory_mib: int, warm: bool = False, waits: bool = False) -> Plan:
        """Return how a guest is started on *slot*; *warm* lets it fill the engine's cache."""
        settings, mode = self._settings, self._mode
        inside = mode.namespaces
        engine = Path(layout.ENGINE) if inside else settings.deno
        guest = Path(layout.GUEST) if inside else command.GUEST
        cache = Path(layout.CACHE) if inside else settings.cache_dir
        listen = Path(layout.INBOUND) if inside else self._inbound(slot)
        services = layout.SERVICES if inside else str(self.services)
        loaded = tuple(self._libraries)
        return Plan(
            argv=tuple(
                command.argv(
                    engine,
                    listen / "s.sock",
                    guest=guest,
                    services=services,
                    memory_mib=memory_mib,
                    deny_net="" if inside else settings.deny_net,
                    waits=waits,
                )
            ),
            env=command.environment(cache, ipv6=inside),
            root=str(self._root) if inside else "",
            binds=self._binds(slot, warm=warm) if inside else (),
            cache=str(settings.cache_dir) if inside and not warm else "",
            uid=layout.own_uid(zlib.crc32(os.fsencode(settings.run_dir)), slot) if mode.own_user else None,
            seccomp=mode.seccomp,
            paths=layout.Paths(
                read=(str(guest), str(cache), services, *(("/proc",) if inside else _ETC), "/dev"),
                execute=(str(engine), *loaded, *(() if inside else tuple(self._libraries.values()))),
                write=(*layout.DEVICES, layout.SCRATCH if inside else str(cache)),
                listen=(str(listen),),
            ),
        )

    def _binds(self, slot: int, *, warm: bool) -> tuple[layout.Bind, ...]:
        found = layout.binds(
            engine=str(self._settings.deno),
            libraries=self._libraries,
            guest=str(command.GUEST),
            inbound=str(self._inbound(slot)),
            services=str(self.services),
        )
        return (*found, layout.Bind(str(self._settings.cache_dir), layout.CACHE, writable=True)) if warm else found

    @staticmethod
    def _group_name(slot: int) -> str:
        return f"nearhop-{os.getpid()}-{slot:03d}"

    async def close(self) -> None:
        """End the zygote, and with it every sandbox."""
        for slot in list(self._shells):
            if (found := await self._shell(slot)) is not None:
                await _discard(found[1])
        await asyncio.gather(*self._joining, return_exceptions=True)
        await self._zygote.close()


async def _discard(shell: Confined) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(shell.pidfd, signal.SIGKILL)
    await shell.wait()
    os.close(shell.pidfd)


def _loss(mode: Mode) -> str:
    return "namespaces" if mode.namespaces else "system call filter" if mode.seccomp else "sandbox"


def _family() -> set[int]:
    with contextlib.suppress(psutil.Error):
        own = psutil.Process()
        return {own.pid, *(child.pid for child in own.children(recursive=True))}
    return {os.getpid()}
