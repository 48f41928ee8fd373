"""Going into the background: the command returns when the cluster is ready, the cluster's process lives on.

Forked before any thread or event loop exists. The child keeps the terminal's streams until it is ready, so that its progress and its errors
are seen; then it tells its status through a pipe and turns to its log.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

Release = Callable[[int], None]


def fork(log: Path) -> int | Release:
    """Fork. In the parent: wait for the child and return the exit status; in the child: return what it calls when it is ready.

    A child that ends before it is ready gives the parent its own exit status.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(writing)
        return _wait(pid, reading)
    os.close(reading)
    os.setsid()

    def release(status: int) -> None:
        to_log(log)
        # The command may have been ended while it waited; the cluster is up all the same.
        with contextlib.suppress(BrokenPipeError):
            os.write(writing, bytes([status]))
        os.close(writing)

    return release


def _wait(pid: int, reading: int) -> int:
    while True:
        try:
            said = os.read(reading, 1)
        except KeyboardInterrupt:
            os.kill(pid, signal.SIGTERM)  # it ends its parts, and the pipe closes
            continue
        break
    os.close(reading)
    if said:
        return said[0]
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) & 0xFF


def to_log(log: Path) -> None:
    """Turn this process's output to *log* and its input to nothing: its terminal is gone, or not its own any more."""
    sys.stdout.flush()
    sys.stderr.flush()
    nothing = os.open(os.devnull, os.O_RDONLY)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(nothing)
    os.close(file)
