"""What one sandbox is given: its root file system, user, limits and command, as one plain record that travels to the zygote. Pure."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

# Where things are inside. The engine and the guest are read-only, and so are the sockets' folder and the engine's cache.
ENGINE = "/deno"
GUEST = "/guest"
CACHE = "/cache"
INBOUND = "/run/in"
SERVICES = "/run/services"
SCRATCH = "/tmp"  # noqa: S108  # the sandbox's own
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
SCRATCH_BYTES = 4 << 20
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
    memory_bytes: int = 0  # for the control group; 0 is none


@dataclass(frozen=True, slots=True)
class Plan:
    """How to start one sandbox. *root* is the folder that its file system is mounted on; "" leaves it the machine's namespaces."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    root: str = ""
    binds: tuple[Bind, ...] = ()
    uid: int | None = None  # its own user on the machine; None keeps the agent's
    limits: Limits = field(default_factory=Limits)
    seccomp: bool = True
    paths: Paths = field(default_factory=Paths)
    groups: tuple[str, ...] = ()  # folders of its control groups

    @property
    def isolated(self) -> bool:
        return self.root != ""


def encode(plan: Plan) -> bytes:
    return json.dumps(asdict(plan)).encode()


def decode(body: bytes) -> Plan:
    raw: dict[str, Any] = json.loads(body)
    raw["binds"] = tuple(Bind(**bind) for bind in raw["binds"])
    raw["limits"] = Limits(**raw["limits"])
    raw["paths"] = Paths(**{name: tuple(some) for name, some in raw["paths"].items()})
    raw["argv"], raw["groups"] = tuple(raw["argv"]), tuple(raw["groups"])
    return Plan(**raw)


def own_uid(node: int, slot: int) -> int:
    """Return the user that the sandbox on *slot* runs as; *node* tells the nodes of one machine apart."""
    return _FIRST_UID + node % _NODES * _UIDS_A_NODE + slot % _UIDS_A_NODE


def binds(
    *,
    engine: str,
    libraries: Mapping[str, str],
    guest: str,
    cache: str,
    inbound: str,
    services: str,
    warm: bool = False,
) -> tuple[Bind, ...]:
    """Return what a sandbox's file system consists of. *libraries* maps what the engine asks for to where it is; *warm* may fill the cache."""
    return (
        Bind(engine, ENGINE),
        *(Bind(source, target) for target, source in libraries.items()),
        Bind(guest, GUEST),
        Bind(cache, CACHE, writable=warm),
        *(Bind(device, device, writable=True) for device in DEVICES),
        Bind(inbound, INBOUND, writable=True),
        Bind(services, SERVICES),
    )
