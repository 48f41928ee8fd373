"""The router's configuration: one TOML file, read once."""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from controlplane.router.redirects import RedirectConfig, location_reasons
from controlplane.router.svcb import HttpsOffer
from controlplane.router.tcp import TcpLimits
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
class RateLimitConfig:
    """How many UDP replies one network (/24, /56) may draw; see rates.RateLimit. Clients with a cookie of ours and TCP are never limited."""

    replies_per_s: int = 2_000
    slip: int = 2


@dataclass(frozen=True, slots=True)
class DohConfig:
    """Where DNS over HTTPS is served, by HTTP/2 and HTTP/1.1; without *certificate* and *key* in the clear, for a proxy that ends TLS."""

    listen: str
    certificate: Path | None = None
    key: Path | None = None

    def endpoint(self) -> Endpoint:
        """Return where to listen."""
        return Endpoint.parse(self.listen)


@dataclass(frozen=True, slots=True)
class RouterConfig:
    """Everything that a router is told. *geoip_database* empty: clients are spread without regard to their place.

    *zone* is the platform's own; *more_zones* are those of custom hostnames and of *records_file*'s records (see records). *nsid* is what
    name server identifier queries are told, the router's id when it is empty. *cookie_secrets_file* holds a secret in 32 hexadecimal digits on
    each line, the first for new cookies: the same on all routers of the zone. Without it a router has a secret of its own. *share_port*: other
    routers of this machine, each with its own id, listen on the same addresses, one for each core; they need the same cookie secrets.
    """

    id: str
    control_planes: tuple[str, ...]
    dns_listen: tuple[str, ...]
    http_listen: str
    zone: str
    state_dir: Path
    geoip_database: str = ""
    geoip_asn_database: str = ""
    places_file: str = ""  # the operator's word on where clients are, see steering.overrides; like the databases it is read anew when it changes
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    probe: ProbeConfig = field(default_factory=ProbeConfig)
    share_port: bool = False
    more_zones: tuple[str, ...] = ()
    records_file: Path | None = None
    nsid: str = ""
    cookie_secrets_file: Path | None = None
    udp_size_without_cookie_bytes: int = 1232
    rate_limit: RateLimitConfig = field(default_factory=RateLimitConfig)
    tcp: TcpLimits = field(default_factory=TcpLimits)
    https: HttpsOffer = field(default_factory=HttpsOffer)
    doh: DohConfig | None = None
    redirect: RedirectConfig = field(default_factory=RedirectConfig)
    identity_dir: Path | None = None  # the certificate and its key; None is <state_dir>/identity
    join: JoinConfig | None = None  # how to get a certificate
    insecure: bool = False  # for tests of one part: no TLS, to control planes on loopback only

    def membership(self) -> Membership | None:
        """Return what keeps the router's certificate, or None without TLS."""
        if self.insecure:
            return None
        folder = self.identity_dir or self.state_dir / "identity"
        return Membership(Part(Role.ROUTER, self.id), folder, self.control_planes, self.join)

    def zones(self) -> tuple[str, ...]:
        """Return all zones that are answered for, the platform's first."""
        return (self.zone, *self.more_zones)

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
    found += _zone_violations("zone", loaded.zone)
    for zone in loaded.more_zones:
        found += _zone_violations("more_zones", zone)
    if len(set(loaded.zones())) < len(loaded.zones()):
        found.append(Violation("more_zones", "names a zone twice"))
    found += _dns_violations(loaded)
    found += [Violation("redirect.location", reason) for reason in location_reasons(loaded.redirect.location)]
    found += [
        Violation("redirect.trusted_proxies", f'"{text}" is no network')
        for text in loaded.redirect.trusted_proxies
        if not _is_network(text)
    ]
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
        ("doh.listen", () if loaded.doh is None else (loaded.doh.listen,), True),
    ):
        found += [Violation(field_name, reason) for value in values for reason in _endpoint_reasons(value, literal)]
    return found + _probe_violations(loaded.probe)


def _zone_violations(field_name: str, zone: str) -> list[Violation]:
    found = [Violation(field_name, reason) for reason in names.hostname_reasons(zone)]
    if len(zone) > ZONE_MAX:
        found.append(Violation(field_name, f"has {len(zone)} characters; at most {ZONE_MAX} are allowed"))
    return found


def _dns_violations(loaded: RouterConfig) -> list[Violation]:
    tcp, rates, https = loaded.tcp, loaded.rate_limit, loaded.https
    rules = [
        ("share_port", not loaded.share_port or loaded.cookie_secrets_file is not None,
         "needs cookie_secrets_file, or the routers would not know each other's clients"),
        ("nsid", len(loaded.nsid.encode()) <= 128, "has more than 128 octets"),
        ("udp_size_without_cookie_bytes", 512 <= loaded.udp_size_without_cookie_bytes <= 1232, "must be between 512 and 1232"),
        ("rate_limit.replies_per_s", rates.replies_per_s >= 0, "must not be negative; 0 is no limit"),
        ("rate_limit.slip", 0 <= rates.slip <= 100, "must be between 0 and 100"),
        ("tcp.idle_s", 1 <= tcp.idle_s <= 3600, "must be between 1 and 3600 seconds"),
        ("tcp.connections", 1 <= tcp.connections <= 100_000, "must be between 1 and 100000"),
        ("tcp.connections_per_client", tcp.connections_per_client >= 1, "must be at least 1"),
        ("tcp.unsent_bytes", tcp.unsent_bytes >= 1_024, "must be at least 1024"),
        ("https.port", 1 <= https.port <= 65535, "is no port"),
        ("https.alpn", all(0 < len(name.encode()) <= 255 for name in https.alpn), "holds a name that is empty or too long"),
        ("doh", loaded.doh is None or (loaded.doh.certificate is None) == (loaded.doh.key is None),
         "needs both certificate and key, or neither"),
    ]  # fmt: skip
    return [Violation(field_name, reason) for field_name, holds, reason in rules if not holds]


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


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
