"""What one sandbox is given: its root file system, user, limits and command, as one plain record that travels to the zygote. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

# Where things are inside. All is read-only but the scratch space, where the engine gets a copy
# of what compiling the guest gave, because it makes use only of a cache that it can write to.
ENGINE = "/deno"
GUEST = "/guest"
INBOUND = "/run/in"
SERVICES = "/run/services"
SCRATCH = "/tmp"  # noqa: S108  # the sandbox's own
CACHE = f"{SCRATCH}/engine"
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
SCRATCH_BYTES = 16 << 20
_FIRST_UID = 0x70000000  # far above what systems, containers and directories hand out
_UIDS_A_NODE = 1000
_NODES = 60_000


@dataclass(frozen=True, slots=True)
class Bind:
    """*source* of the machine, seen at *target* inside."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Paths:
    """What Landlock leaves a sandbox of the file system that it sees, each path with what is below it."""

    read: tuple[str, ...] = ()
    execute: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    listen: tuple[str, ...] = ()  # unix sockets may be made and removed there


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one sandbox's process."""

    files: int = 4096  # the ingress keeps a connection for each request in flight
    threads: int = 96  # the engine has about 15
    scratch_bytes: int = SCRATCH_BYTES


@dataclass(frozen=True, slots=True)
class Plan:
    """How to start one sandbox. *root* is the folder that its file system is mounted on; "" leaves it the machine's namespaces."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    root: str = ""
    binds: tuple[Bind, ...] = ()
    cache: str = ""  # a folder that is copied to CACHE
    uid: int | None = None  # its own user on the machine; None keeps the agent's
    limits: Limits = field(default_factory=Limits)
    seccomp: bool = True
    paths: Paths = field(default_factory=Paths)
    held: bool = (
        False  # it stops before the engine until word() comes on its standard input, with the command that counts
    )

    @property
    def isolated(self) -> bool:
        return self.root != ""


WORD_HEAD_BYTES = 4


def word(argv: Sequence[str]) -> bytes:
    """Render what lets a process that is held go on: the length of what follows, then the command."""
    body = json.dumps(list(argv)).encode()
    return len(body).to_bytes(WORD_HEAD_BYTES, "big") + body


def encode(plan: Plan) -> bytes:
    return json.dumps(asdict(plan)).encode()


def decode(body: bytes) -> Plan:
    raw: dict[str, Any] = json.loads(body)
    raw["binds"] = tuple(Bind(**bind) for bind in raw["binds"])
    raw["limits"] = Limits(**raw["limits"])
    raw["paths"] = Paths(**{name: tuple(some) for name, some in raw["paths"].items()})
    raw["argv"] = tuple(raw["argv"])
    return Plan(**raw)


def own_uid(node: int, slot: int) -> int:
    """Return the user that the sandbox on *slot* runs as; *node* tells the nodes of one machine apart."""
    return _FIRST_UID + node % _NODES * _UIDS_A_NODE + slot % _UIDS_A_NODE


def binds(*, engine: str, libraries: Mapping[str, str], guest: str, inbound: str, services: str) -> tuple[Bind, ...]:
    """Return what a sandbox's file system consists of. *libraries* maps what the engine asks for to where it is."""
    return (
        Bind(engine, ENGINE),
        *(Bind(source, target) for target, source in libraries.items()),
        Bind(guest, GUEST),
        *(Bind(device, device, writable=True) for device in DEVICES),
        Bind(inbound, INBOUND, writable=True),
        Bind(services, SERVICES),
    )
