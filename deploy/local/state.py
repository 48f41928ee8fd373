"""The state folder of a cluster on one machine: its lock, its description, its removal.

The lock is the kernel's (flock): it is held exactly as long as the `up` that took it lives, so a killed one leaves nothing to clean up.
"""

import fcntl
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from nearhop.errors import NearhopError

_LOCK = "lock"
_DESCRIPTION = "cluster.json"
# Another command's look at the lock may hold it for an instant.
_LOCK_TRIES = 5
_LOCK_WAIT_S = 0.05


class NotOurs(NearhopError):
    """The folder holds something else than a cluster's state."""


@dataclass(frozen=True, slots=True)
class Description:
    """A running cluster, for other commands: where it is reached, with which credentials, and which process keeps it."""

    pid: int
    control_plane: str
    router_dns: str
    router_http: str
    zone: str
    ca: str
    token_file: str
    dashboard: str


def folder(chosen: Path | None) -> Path:
    """Return the state folder: *chosen*, else $NEARHOP_STATE_DIR, else that of the XDG base directories."""
    if chosen is not None:
        return chosen.expanduser().absolute()
    if said := os.environ.get("NEARHOP_STATE_DIR"):
        return Path(said).expanduser().absolute()
    base = os.environ.get("XDG_STATE_HOME")
    # The base directory specification: a relative path is to be ignored.
    root = Path(base) if base and Path(base).is_absolute() else Path.home() / ".local" / "state"
    return root / "nearhop"


@dataclass(frozen=True, slots=True)
class Lock:
    """The held lock of a state folder; it is given back when its process ends, or by release()."""

    descriptor: int

    def release(self) -> None:
        """Let another `up` have the folder."""
        os.close(self.descriptor)


def acquire(state_dir: Path) -> Lock | None:
    """Take the folder's lock, making the folder where there is none; None when a running cluster holds it.

    Raises NotOurs when the folder holds something else, OSError when it cannot be made.
    """
    if state_dir.is_dir() and any(state_dir.iterdir()) and not (state_dir / _LOCK).exists():
        raise NotOurs(f"{state_dir} is not empty and not a Nearhop state folder: choose another with --state-dir")
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    for _ in range(_LOCK_TRIES):
        descriptor = os.open(state_dir / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        if _try_lock(descriptor, fcntl.LOCK_EX):
            if _still_named(descriptor, state_dir / _LOCK):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, json.dumps({"pid": os.getpid()}).encode())
                return Lock(descriptor)
            state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)  # it was purged in between
        os.close(descriptor)
        time.sleep(_LOCK_WAIT_S)
    return None


def holder(state_dir: Path) -> int | None:
    """Return the pid of the `up` that runs in the folder, or None when none does."""
    try:
        descriptor = os.open(state_dir / _LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        if _try_lock(descriptor, fcntl.LOCK_SH):
            return None
        return int(json.loads(os.read(descriptor, 1000) or b'{"pid": 0}')["pid"]) or None
    finally:
        os.close(descriptor)


def is_running(state_dir: Path) -> bool:
    """Tell whether an `up` runs in the folder."""
    return holder(state_dir) is not None


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _still_named(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def write(state_dir: Path, description: Description) -> None:
    """Tell other commands that the cluster is ready."""
    new = state_dir / f"{_DESCRIPTION}.new"
    new.write_text(json.dumps(asdict(description), indent=2) + "\n", encoding="utf-8")
    new.replace(state_dir / _DESCRIPTION)


def read(state_dir: Path) -> Description | None:
    """Return the description of the cluster that was last ready in the folder, or None."""
    try:
        return Description(**json.loads((state_dir / _DESCRIPTION).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # not ready yet, or written by another release: the caller says what to do


def forget(state_dir: Path) -> None:
    """Take the description away: the cluster is going down."""
    (state_dir / _DESCRIPTION).unlink(missing_ok=True)


def purge(state_dir: Path) -> bool:
    """Remove the folder and all that is in it; False when there is none. Raises NotOurs when it is not a state folder."""
    if not state_dir.exists():
        return False
    if not (state_dir / _LOCK).is_file():
        raise NotOurs(f"{state_dir} is not a Nearhop state folder: nothing was removed")
    shutil.rmtree(state_dir)
    return True
