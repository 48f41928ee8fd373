"""`nearhop down`: ends the cluster that runs on this machine, and with --purge removes its state."""

import os
import signal
import time
from pathlib import Path

import psutil

from controlplane.client import show
from controlplane.client.failure import Failure
from deploy.local import state

# Longer than the parts' own grace periods one after the other.
STOP_S = 60.0
_KILL_S = 10.0
_EVERY_S = 0.05


def main(state_dir: Path | None, *, purge: bool) -> None:
    """Stop the cluster in *state_dir*; saying so is enough when none runs."""
    folder = state.folder(state_dir)
    pid = state.holder(folder)
    if pid is None:
        show.note(f"no cluster runs in {folder}")
    else:
        _stop(folder, pid)
        show.note("stopped")
    if purge:
        removed = state.purge(folder)
        show.note(f"removed {folder}" if removed else f"there is no {folder} to remove")


def _stop(folder: Path, pid: int) -> None:
    # The lock is held, so its holder lives and wrote this pid: it cannot be another process that got the number later. Nearly: the
    # process is looked at once more, and its pidfd stays with it.
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not _is_python(pid) or state.holder(folder) != pid:
            raise Failure(
                f"process {pid} holds the lock of {folder} but is no `nearhop up`", do="Look at it, and end it yourself"
            )
        show.note(f"stopping the cluster in {folder} (process {pid}) …")
        signal.pidfd_send_signal(process, signal.SIGTERM)
        if not _gone(folder, STOP_S):
            show.note(f"it has not ended within {STOP_S:g} s: killing it, its parts with it")
            signal.pidfd_send_signal(process, signal.SIGKILL)
            if not _gone(folder, _KILL_S):
                raise Failure(f"process {pid} could not be ended")
    except ProcessLookupError:
        return  # it ended by itself in the meantime
    finally:
        os.close(process)


def _is_python(pid: int) -> bool:
    try:
        return any("nearhop" in word or "python" in word for word in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


def _gone(folder: Path, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not state.is_running(folder):
            return True
        time.sleep(_EVERY_S)
    return False
