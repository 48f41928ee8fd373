"""Where the control plane is: said by the caller, or the one of the cluster on this machine."""

import re
from pathlib import Path

from controlplane.cli.failure import Exit, Failure
from deploy.local import state

_ENDPOINT = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})")


def resolve(endpoint: str | None, state_dir: Path | None) -> str:
    """Return the control plane's host:port. Raises Failure when none is known."""
    if endpoint is not None:
        match = _ENDPOINT.fullmatch(endpoint)
        if match is None or not 0 < int(match[1]) < 65536:
            raise Failure(
                f"{endpoint!r} is no endpoint", "it must be HOST:PORT, such as 127.0.0.1:7400", status=Exit.USAGE
            )
        return endpoint
    folder = state.folder(state_dir)
    if not state.is_running(folder):
        raise Failure(
            f"no control plane is known: no cluster runs in {folder}",
            do="Start one with `nearhop up`, or name one with --endpoint HOST:PORT",
            status=Exit.UNREACHABLE,
        )
    described = state.read(folder)
    if described is None:
        raise Failure(
            "the cluster on this machine is still starting", do="Try again in a few seconds", status=Exit.UNREACHABLE
        )
    return described.control_plane


def local(target: str, state_dir: Path | None) -> dict[str, str | int] | None:
    """Return what is known of the cluster on this machine when *target* is its control plane, else None."""
    folder = state.folder(state_dir)
    described = state.read(folder) if state.is_running(folder) else None
    if described is None or described.control_plane != target:
        return None
    return {"pid": described.pid, "state_dir": str(folder), "logs": str(folder / "logs")}
