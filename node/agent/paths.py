"""Where the agent keeps what: the state directory, and a short directory for sockets."""

import contextlib
import fcntl
import hashlib
import os
import re
from pathlib import Path
from typing import IO

from nearhop.errors import NearhopError

_SOCKET_PATH_MAX = 100  # sun_path holds 108 bytes with the final NUL (unix(7)); some are left for the file's name
_PLAIN = re.compile(r"[A-Za-z0-9._/-]+")  # what neither HAProxy's configuration nor Deno's flags give a meaning to
_LOCK = "agent.lock"
_LONGEST_NAME = "/haproxy.sock.12345.tmp"  # HAProxy binds a temporary name and renames it


class StateError(NearhopError):
    """The state directory cannot be used."""


def run_dir(state_dir: Path) -> Path:
    """Return the directory for sockets: in *state_dir* where its path is short and plain, else one in /tmp that only this user can use."""
    inside = state_dir.resolve() / "run"
    if _PLAIN.fullmatch(str(inside)) and len(os.fsencode(inside)) + len(_LONGEST_NAME) < _SOCKET_PATH_MAX:
        return _own(inside)
    name = hashlib.sha256(os.fsencode(state_dir.resolve())).hexdigest()[:12]
    return _own(Path(f"/tmp/nearhop-{os.getuid()}-{name}"))  # noqa: S108  # ownership and mode are verified


def _own(path: Path) -> Path:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.lstat()
    if not path.is_dir() or path.is_symlink() or status.st_uid != os.getuid():
        raise StateError(f"{path} is not a directory of this user")
    path.chmod(0o700)
    return path


def clean(directory: Path) -> None:
    """Remove the sockets that an agent left which was killed."""
    for file in directory.glob("*.sock*"):
        file.unlink(missing_ok=True)


def remove(directory: Path, state_dir: Path, claim: IO[str]) -> None:
    """Remove the directory for sockets with what an agent makes in it, once all that listened there has ended.

    *claim* is the agent's lock(): while it is held no other agent of *state_dir* begins. Raises StateError when that directory is a new one,
    where another agent may run, and OSError when there is anything in *directory* that is not an agent's: it stays.
    """
    held = os.fstat(claim.fileno())
    if held.st_nlink == 0 or not os.path.samestat(held, (state_dir / _LOCK).stat()):
        raise StateError(f"{state_dir} is no longer the state directory of this agent")
    for pattern in ("*.sock*", "services/*.sock", "slots/*/*.sock"):
        for file in directory.glob(pattern):
            file.unlink(missing_ok=True)
    inner = (directory / name for name in ("slots", "services", "root"))
    for folder in (*directory.glob("slots/*"), *inner, directory):
        with contextlib.suppress(FileNotFoundError):  # not every agent has made all of them
            folder.rmdir()


def lock(state_dir: Path) -> IO[str]:
    """Claim the state directory for this process, for as long as the returned file is open. Raises StateError."""
    file = (state_dir / _LOCK).open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise StateError(f"another agent runs with the state directory {state_dir}") from error
    return file
