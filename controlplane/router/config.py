"""The router's configuration: one TOML file, read once."""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nearhop import config, names
from nearhop.errors import InvalidInput, Violation
from nearhop.membership import JoinConfig, Membership
from nearhop.spiffe import Part, Role

ZONE_MAX = 180  # leaves room for a label and for the names inside SOA


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Read "host:port" or "[IPv6]:port". Raises ValueError."""
        host, colon, port = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if not colon or not host or (":" in host and not bracketed):
            raise ValueError('must be "host:port", an IPv6 address in brackets')
        if not (port.isascii() and port.isdigit() and int(port) <= 65535):
            raise ValueError("must end with a port number")
        return cls(host[1:-1] if bracketed else host, int(port))


@dataclass(frozen=True, slots=True)
class ProbeConfig:
    """How ingresses are probed and when a verdict changes; the defaults take a dead node out within 1.5 s."""

    interval_s: float = 0.5
    timeout_s: float = 0.5
    failures_down: int = 2
    successes_up: int = 8  # four seconds: a node that is up for three at a time stays out


@dataclass(frozen=True, slots=True)
class RouterConfig:
    """Everything that a router is told. *geoip_database* empty: clients are spread without regard to their place."""

    id: str
    control_planes: tuple[str, ...]
    dns_listen: tuple[str, ...]
    http_listen: str
    zone: str
    state_dir: Path
    geoip_database: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    probe: ProbeConfig = field(default_factory=ProbeConfig)
    identity_dir: Path | None = None  # the certificate and its key; None is <state_dir>/identity
    join: JoinConfig | None = None  # how to get a certificate
    insecure: bool = False  # for tests of one part: no TLS, to control planes on loopback only

    def membership(self) -> Membership | None:
        """Return what keeps the router's certificate, or None without TLS."""
        if self.insecure:
            return None
        folder = self.identity_dir or self.state_dir / "identity"
        return Membership(Part(Role.ROUTER, self.id), folder, self.control_planes, self.join)

    def dns_endpoints(self) -> tuple[Endpoint, ...]:
        """Return where DNS is served, UDP and TCP each."""
        return tuple(Endpoint.parse(text) for text in self.dns_listen)

    def http_endpoint(self) -> Endpoint:
        """Return where HTTP is served."""
        return Endpoint.parse(self.http_listen)


def load(path: Path) -> RouterConfig:
    """Read *path*. Raises InvalidInput with every violation, OSError when it cannot be read."""
    loaded = config.load(path, RouterConfig)
    if violations := check(loaded):
        raise InvalidInput(violations)
    return loaded


def check(loaded: RouterConfig) -> list[Violation]:
    """Say what is wrong with values of the right type."""
    found = [Violation("id", reason) for reason in names.node_id_reasons(loaded.id)]
    found += [Violation("zone", reason) for reason in names.hostname_reasons(loaded.zone)]
    if len(loaded.zone) > ZONE_MAX:
        found.append(Violation("zone", f"has {len(loaded.zone)} characters; at most {ZONE_MAX} are allowed"))
    if loaded.insecure:
        found += [
            Violation("insecure", f"is for loopback only, and {text} is not")
            for text in loaded.control_planes
            if not names.is_loopback(text)
        ]
    if not loaded.dns_listen:
        found.append(Violation("dns_listen", "must name at least one address"))
    if not loaded.control_planes:
        found.append(Violation("control_planes", "must name at least one endpoint"))
    for field_name, values, literal in (
        ("dns_listen", loaded.dns_listen, True),
        ("http_listen", (loaded.http_listen,), True),
        ("control_planes", loaded.control_planes, False),
    ):
        found += [Violation(field_name, reason) for value in values for reason in _endpoint_reasons(value, literal)]
    return found + _probe_violations(loaded.probe)


def _endpoint_reasons(text: str, literal: bool) -> list[str]:
    try:
        endpoint = Endpoint.parse(text)
        if literal:
            ipaddress.ip_address(endpoint.host)
    except ValueError as error:
        return [f'"{text}": {error}']
    return []


def _probe_violations(probe: ProbeConfig) -> list[Violation]:
    found = [
        Violation(f"probe.{name}", "must be between 0.05 and 60 seconds")
        for name, value in (("interval_s", probe.interval_s), ("timeout_s", probe.timeout_s))
        if not 0.05 <= value <= 60
    ]
    found += [
        Violation(f"probe.{name}", "must be between 1 and 100")
        for name, value in (("failures_down", probe.failures_down), ("successes_up", probe.successes_up))
        if not 1 <= value <= 100
    ]
    return found
