"""The command line and the environment of a sandbox's process: everything that Deno's flags can take away is taken away. Pure."""

from collections.abc import Sequence
from pathlib import Path

MINIMUM_DENO = (2, 9, 5)  # older ones miss permission checks that the sandbox rests on
GUEST = Path(__file__).with_name("guest")


def argv(
    deno: Path, socket: Path, *, memory_mib: int, deny_net: str, services: Sequence[Path] = ()
) -> list[str]:
    """Return the command that starts the guest on *socket*, from where it reaches the sockets of the node's *services*.

    Reading and writing are allowed for the sockets, because opening one needs both, and reading for the guest's own files; the guest
    gives all of it up before it imports a program.
    """
    sockets = ",".join(str(path) for path in (socket, *services))
    return [
        str(deno),
        "run",
        "--quiet",
        "--no-prompt",
        "--no-config",
        "--no-remote",
        "--no-npm",
        "--no-lock",
        "--no-check",
        "--cached-only",
        "--unstable-no-legacy-abort",  # request.signal aborts when the client goes away, not when the answer is sent
        "--deny-run",
        "--deny-ffi",
        "--deny-sys",
        "--deny-env",
        "--deny-import",
        f"--import-map={GUEST / 'imports.json'}",
        f"--allow-read={sockets},{GUEST}",
        f"--allow-write={sockets}",
        "--allow-net",
        f"--deny-net={deny_net}",
        f"--v8-flags=--max-old-space-size={memory_mib}",
        str(GUEST / "main.ts"),
        str(socket),
    ]


def environment(cache_dir: Path) -> dict[str, str]:
    """Return the whole environment of a sandbox: nothing of the agent's, so no secret and no proxy."""
    return {
        "DENO_DIR": str(cache_dir),
        "DENO_NO_UPDATE_CHECK": "1",
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "RES_OPTIONS": "no-aaaa",  # IPv6 ranges cannot be denied, so no name leads to them
        "TZ": "UTC",
    }
