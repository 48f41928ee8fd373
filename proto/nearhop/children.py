"""Child processes that cannot outlive their parent.

Each child is started through setpriv (util-linux), which asks the kernel to kill it when the thread that started it ends: a parent that is
killed with SIGKILL leaves no orphan that still holds its port. Start children from the main thread only.
"""

import asyncio
import functools
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from nearhop.errors import EngineMissing

Stream = int | IO[bytes] | None


async def spawn(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: Stream = asyncio.subprocess.DEVNULL,
    stdout: Stream = None,
    stderr: Stream = None,
) -> asyncio.subprocess.Process:
    """Start *argv* with the parent's life as its own; its pid is the child's, setpriv having replaced itself.

    The child has its own session, so that a terminal's Ctrl-C reaches only the parent, which ends its children in order.
    """
    return await asyncio.create_subprocess_exec(
        _setpriv(), "--pdeathsig", "KILL", "--", *argv,
        cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True,
    )  # fmt: skip


async def stop(process: asyncio.subprocess.Process, *, grace_s: float) -> int:
    """End *process* with SIGTERM, with SIGKILL after *grace_s* seconds, and return its exit status (negative: the signal)."""
    if process.returncode is None:
        _signal(process, signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                return await process.wait()
        except TimeoutError:
            _signal(process, signal.SIGKILL)
    return await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except ProcessLookupError:
        return  # it ended by itself in the meantime, which is what was wanted


@functools.cache
def _setpriv() -> str:
    path = shutil.which("setpriv")
    if path is None:
        raise EngineMissing(
            "setpriv is not on PATH; it comes with util-linux, which every common Linux distribution has"
        )
    return path
