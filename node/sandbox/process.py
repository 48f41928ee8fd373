"""One guest process: started with its program on standard input, heard on standard output, measured from outside, killed through its pidfd."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nearhop import children
from node.sandbox import handover

_LINE_BYTES = 64 << 10
_STDERR_LINES = 12
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Message:
    """One line that the guest, or the program in it, wrote: to be believed in nothing but its form."""

    event: str
    text: str
    reason: str = ""  # its code, of what went wrong


class Process(Protocol):
    """A child with pipes, whoever has started it."""

    pid: int
    stdin: asyncio.StreamWriter | None
    stdout: asyncio.StreamReader | None
    stderr: asyncio.StreamReader | None

    async def wait(self) -> int: ...


class Guest:
    """A running process. Use spawn(); then run(), or feed() and serve(), until it has ended."""

    def __init__(self, process: Process, pidfd: int) -> None:
        self._process = process
        self._pidfd = pidfd
        self._clock = (~process.pid << 3) | 2  # the CPU-time clock of another process, clock_getcpuclockid(3)
        self._statm = f"/proc/{process.pid}/statm"
        self._schedstat = f"/proc/{process.pid}/schedstat"
        self._errors: deque[str] = deque(maxlen=_STDERR_LINES)
        self.pid = process.pid

    def cpu_s(self) -> float | None:
        """Return the CPU time used so far, None once the process is gone."""
        try:
            return time.clock_gettime(self._clock)
        except OSError:
            return None

    def memory_bytes(self) -> int | None:
        """Return the resident set, None once the process is gone."""
        try:
            with open(self._statm, "rb") as file:  # noqa: PTH123  # read every few ms; a Path costs more than the read
                return int(file.read().split()[1]) * _PAGE_BYTES
        except (OSError, IndexError):
            return None

    def wanted_s(self) -> float | None:
        """Return for how long its main thread has run or waited for a processor, None once the process is gone."""
        try:
            with open(self._schedstat, "rb") as file:  # noqa: PTH123  # as above
                ran, waited, _ = file.read().split()
        except (OSError, ValueError):
            return None
        return (int(ran) + int(waited)) / 1e9

    def kill(self) -> None:
        """End the process now; a program cannot ignore it."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Take the processors from it; a program cannot ignore that either."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                signal.pidfd_send_signal(self._pidfd, number)

    def last_words(self) -> str:
        """Return the last lines of standard error."""
        return "\n".join(line for line in self._errors if line.strip())

    def feed(self, content: bytes) -> None:
        """Hand the program to one that serve() waits with. Should it have ended, its status says why."""
        stdin = self._process.stdin
        if stdin is None:
            raise RuntimeError("the guest's standard input is not a pipe")
        stdin.write(content)
        stdin.close()

    async def run(self, header: Mapping[str, object], source: bytes, heard: Callable[[Message], None]) -> int:
        """Hand the program over at once; else as serve()."""
        self.feed(handover.encode(header, source))
        return await self.serve(heard)

    async def serve(self, heard: Callable[[Message], None]) -> int:
        """Pass on what is heard, and return the exit status once the process is reaped. It waits for a program until feed()."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hear(heard), name=f"guest {self.pid} stdout")
                group.create_task(self._note(), name=f"guest {self.pid} stderr")
            return await self._process.wait()
        finally:
            self.kill()
            await asyncio.shield(self._process.wait())
            os.close(self._pidfd)
            self._pidfd = -1

    async def _hear(self, heard: Callable[[Message], None]) -> None:
        async for line in _lines(self._process.stdout):
            message = parse(line)
            if message is not None:
                heard(message)

    async def _note(self) -> None:
        async for line in _lines(self._process.stderr):
            self._errors.append(line.decode(errors="replace").rstrip()[:500])


async def _lines(stream: asyncio.StreamReader | None) -> Any:
    # readline() without its failure on long lines: what does not fit is dropped.
    if stream is None:
        return
    held = b""
    while chunk := await stream.read(_LINE_BYTES):
        *complete, held = (held + chunk).split(b"\n")
        for line in complete:
            yield line
        held = held[:_LINE_BYTES]
    if held:
        yield held


def parse(line: bytes) -> Message | None:
    """Read one line of the guest's standard output, None when it is not the guest's."""
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict):
        return None
    match raw:
        case {"event": "listening" | "ready" as event}:
            return Message(event, "")
        case {"event": "failed", "error": str(text)}:
            return Message("failed", clean(text, keep="\n"))
        case {"event": "log", "level": str(level), "message": str(text)}:
            reason = raw.get("reason")
            return Message("log", clean(f"{level}: {text}"), clean(reason) if isinstance(reason, str) else "")
        case _:
            return None


def clean(text: str, *, keep: str = "", limit: int = 4096) -> str:
    """Escape what could drive a terminal or forge a log line."""
    return "".join(char if char.isprintable() or char in keep else repr(char)[1:-1] for char in text[:limit])


async def spawn(argv: Sequence[str], env: Mapping[str, str], *, cwd: Path) -> Guest:
    """Start a guest. Raises OSError."""
    pipe = asyncio.subprocess.PIPE
    process = await children.spawn(argv, cwd=cwd, env=env, stdin=pipe, stdout=pipe, stderr=pipe)
    return Guest(process, os.pidfd_open(process.pid))
