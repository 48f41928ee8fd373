"""The command line and the environment of a sandbox's process: everything that Deno's flags can take away is taken away. Pure."""

from pathlib import Path

MINIMUM_DENO = (2, 9, 5)  # older ones miss permission checks that the sandbox rests on
GUEST = Path(__file__).parent / "guest" / "built"


def argv(
    deno: Path,
    socket: Path,
    *,
    memory_mib: int,
    deny_net: str,
    guest: Path = GUEST,
    services: str = "",
    waits: bool = False,
) -> list[str]:
    """Return the command that starts the guest on *socket*.

    Reading and writing are allowed for the socket, because listening on it needs both; the guest gives both up once it listens. For the
    sockets in *services* they stay allowed: connecting needs them. *deny_net* may be empty where the sandbox has no network; *guest* is
    where the engine finds the guest's files, which it reads until it imports a program. One that *waits* is ready for whichever program comes.
    """
    paths = ",".join(filter(None, (str(socket), services)))
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
        f"--import-map={guest / 'imports.json'}",
        f"--allow-read={paths},{guest}",
        f"--allow-write={paths}",
        "--allow-net",
        *([f"--deny-net={deny_net}"] if deny_net else []),
        f"--v8-flags=--max-old-space-size={memory_mib}",
        str(guest / "main.mjs"),
        str(socket),
        *(["waits"] if waits else []),
    ]


def environment(cache_dir: Path, *, ipv6: bool = False) -> dict[str, str]:
    """Return the whole environment of a sandbox: nothing of the agent's, so no secret and no proxy."""
    # The engine cannot deny ranges of IPv6: where it has the machine's network, no name may lead to them.
    return ({} if ipv6 else {"RES_OPTIONS": "no-aaaa"}) | {
        "DENO_DIR": str(cache_dir),
        "DENO_NO_UPDATE_CHECK": "1",
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "TZ": "UTC",
    }
