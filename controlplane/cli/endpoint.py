"""Where the control plane is and how to show who one is: said by the caller, or those of the cluster on this machine."""

import re
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from controlplane.client.failure import Exit, Failure
from controlplane.client.target import Target
from deploy.local import state
from nearhop.names import is_loopback

_ENDPOINT = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Access:
    """What the caller has said of itself: an API token, and the file with the authority to trust."""

    token: str = ""
    ca: Path | None = None


# What the command's global options said; they come before the command and are read before it.
SAID: ContextVar[Access] = ContextVar("access", default=Access())  # noqa: B039  # it is frozen


def resolve(said_endpoints: Sequence[str] | None, state_dir: Path | None) -> Target:
    """Return the control planes to speak to, any of them. Raises Failure when none is known."""
    said = SAID.get()
    folder = state.folder(state_dir)
    described = state.read(folder) if state.is_running(folder) else None
    if not said_endpoints:
        return _with(_local(folder, described), said)
    endpoints = dict.fromkeys(endpoint for text in said_endpoints for endpoint in text.split(","))
    for endpoint in endpoints:
        match = _ENDPOINT.fullmatch(endpoint)
        if match is None or not 0 < int(match[1]) < 65536:
            message = "it must be HOST:PORT, such as 127.0.0.1:7400"
            raise Failure(f"{endpoint!r} is no endpoint", message, status=Exit.USAGE)
    address = ",".join(endpoints)
    if described is not None and described.control_plane == address:
        return _with(_local(folder, described), said)
    return _with(Target(address), said)


def _local(folder: Path, described: state.Description | None) -> Target:
    if described is not None:
        return Target(described.control_plane, Path(described.ca), _read_token(Path(described.token_file)))
    if state.is_running(folder):
        raise Failure(
            "the cluster on this machine is still starting", do="Try again in a few seconds", status=Exit.UNREACHABLE
        )
    raise Failure(
        f"no control plane is known: no cluster runs in {folder}",
        do="Start one with `nearhop up`, or name one with --endpoint HOST:PORT",
        status=Exit.UNREACHABLE,
    )


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise Failure(f"the cluster's API token cannot be read: {error}") from error


def _with(target: Target, said: Access) -> Target:
    target = Target(target.address, said.ca or target.ca, said.token or target.token)
    if target.ca is None and (target.token or not all(map(is_loopback, target.endpoints))):
        raise Failure(
            f"it cannot be told whether {target.address} is the right control plane",
            do="Name the file with its authority's certificate with --ca FILE or NEARHOP_CA",
            status=Exit.USAGE,
        )
    return target


def local(target: Target, state_dir: Path | None) -> dict[str, str | int] | None:
    """Return what is known of the cluster on this machine when *target* is its control plane, else None."""
    folder = state.folder(state_dir)
    described = state.read(folder) if state.is_running(folder) else None
    if described is None or described.control_plane != target.address:
        return None
    return {
        "pid": described.pid,
        "state_dir": str(folder),
        "logs": str(folder / "logs"),
        "dashboard": described.dashboard,
        "ca": described.ca,
        "token_file": described.token_file,
    }
