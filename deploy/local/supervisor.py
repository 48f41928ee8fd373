"""Keeps the parts running: starts them, writes their logs, starts them again as restart.decide says, and ends them in order."""

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from deploy.local import logs, restart
from deploy.local.logs import BoundedLog
from deploy.local.parts import Part
from nearhop import children, tasks

Notice = Callable[[str], None]
# What a part's own children may still write after it has ended.
_LAST_WORDS_S = 1.0
_READ_BYTES = 64 * 1024


class Supervised:
    """One part as it runs now: *process* is its newest process, *gave_up* why it is no longer started."""

    def __init__(self, part: Part, log: Path) -> None:
        self.part = part
        self.log = log
        self.process: asyncio.subprocess.Process | None = None
        self.gave_up: str | None = None
        self.starts = 0
        self.stopping = asyncio.Event()
        self.ended = asyncio.Event()


class Supervisor:
    """The parts of one cluster, each kept by its own task in *group*; *notice* is told of every unexpected end."""

    def __init__(self, group: asyncio.TaskGroup, log_dir: Path, notice: Notice) -> None:
        self._group = group
        self._log_dir = log_dir
        self._notice = notice
        self.running: list[Supervised] = []

    def start(self, part: Part) -> Supervised:
        """Start *part* and keep it running."""
        supervised = Supervised(part, self._log_dir / f"{part.name}.log")
        self.running.append(supervised)
        tasks.spawn(self._group, self._keep(supervised), name=f"supervise {part.name}")
        return supervised

    async def stop(self, supervised: Iterable[Supervised]) -> None:
        """End these parts, all at once, and wait until they have ended."""
        async with asyncio.TaskGroup() as group:
            for one in supervised:
                tasks.spawn(group, self._stop(one), name=f"stop {one.part.name}")

    async def _stop(self, supervised: Supervised) -> None:
        supervised.stopping.set()
        if supervised.process is not None:
            await children.stop(supervised.process, grace_s=supervised.part.grace_s)
        await supervised.ended.wait()

    async def _keep(self, supervised: Supervised) -> None:
        log = BoundedLog(supervised.log)
        failures = 0
        try:
            while not supervised.stopping.is_set():
                began = time.monotonic()
                status = await self._run(supervised, log)
                if supervised.stopping.is_set():
                    return
                decision = restart.decide(failures, status, time.monotonic() - began)
                self._notice(restart.sentence(supervised.part.name, decision))
                if isinstance(decision, restart.GiveUp):
                    supervised.gave_up = decision.reason
                    return
                failures = decision.failures
                await _sleep_unless(supervised.stopping, decision.delay_s)
        finally:
            log.close()
            supervised.ended.set()

    async def _run(self, supervised: Supervised, log: BoundedLog) -> int:
        # Our own pipe: asyncio's would hold wait() until every descendant of the part has closed it.
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        try:
            process = await children.spawn(
                supervised.part.argv,
                cwd=supervised.log.parent,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                stdout=writing,
                stderr=writing,
            )
        finally:
            os.close(writing)
        supervised.process = process
        supervised.starts += 1
        log.write(f"{logs.STARTED} {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} as process {process.pid}\n".encode())
        loop = asyncio.get_running_loop()
        silent = asyncio.Event()
        copy = _Copy(reading, log, silent, lambda why: self._notice(f"the log of {supervised.part.name} {why}"))
        loop.add_reader(reading, copy)
        try:
            if supervised.stopping.is_set():  # it was asked to end while its process was being made
                return await children.stop(process, grace_s=supervised.part.grace_s)
            status = await process.wait()
            await _sleep_unless(silent, _LAST_WORDS_S)
            return status
        finally:
            loop.remove_reader(reading)
            os.close(reading)
            if process.returncode is None:
                await children.stop(process, grace_s=0)


class _Copy:
    """Copies what a part says to its log, each time the pipe has something; read even when the disk is full, or the part would block."""

    def __init__(self, descriptor: int, log: BoundedLog, silent: asyncio.Event, complain: Notice) -> None:
        self._descriptor = descriptor
        self._log = log
        self._silent = silent
        self._complain = complain
        self._full = False

    def __call__(self) -> None:
        data = os.read(self._descriptor, _READ_BYTES)
        if not data:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            self._silent.set()
            return
        try:
            self._log.write(data)
            self._full = False
        except OSError as error:
            if not self._full:
                self._complain(f"cannot be written: {error.strerror}")
            self._full = True


async def _sleep_unless(stop: asyncio.Event, delay_s: float) -> None:
    try:
        async with asyncio.timeout(delay_s):
            await stop.wait()
    except TimeoutError:
        return
