"""The node's configuration file."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Literal

from nearhop import config, names
from nearhop.errors import InvalidInput, Violation
from nearhop.membership import JoinConfig
from nearhop.names import is_loopback


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Keys of the file; every duration is in seconds."""

    id: str
    region: str
    control_planes: list[str]
    listen: list[str]  # what HAProxy binds, "address:port" or "[address]:port"
    port: int  # the port that clients are sent to
    state_dir: Path
    site: str = ""
    latitude: float = 0.0
    longitude: float = 0.0
    advertise_ipv4: list[str] = field(default_factory=list)
    advertise_ipv6: list[str] = field(default_factory=list)
    geoip_database: str = ""  # a City database in MaxMind's format; "" leaves every client's country unknown
    cache_dir: str = ""  # for what several nodes of one machine may share; "" is state_dir
    trusted_proxies: list[str] = field(default_factory=list)  # ranges whose X-Forwarded-For is believed
    proxy_protocol: list[str] = field(default_factory=list)  # ranges that must speak the PROXY protocol, version 1 or 2
    tls_listen: list[str] = field(default_factory=list)  # what HAProxy binds for https
    tls_certificates: str = (
        ""  # the folder of certificates: NAME.pem, or NAME.crt and NAME.key; changes are taken over at once
    )
    redirect_to_https: bool = False  # http:// to the first of tls_listen
    edge_cache_mib: int = 64  # of responses that say they may be kept; 0 keeps none
    egress_allow: list[str] = field(default_factory=list)  # ranges that sandboxes may reach though they are private
    isolation: Literal["auto", "full"] = "auto"  # "full": refuse to start where sandboxes cannot have all layers
    slots: int = 64  # sandboxes at a time, those that are draining and those that wait for a program included
    warm_sandboxes: int = 2  # processes that wait for a program
    idle_s: float = 300.0  # without a request before a function's sandbox ends
    activation_s: float = 10.0  # that a request is held while its function starts
    haproxy_threads: int = 0  # 0: one for every two processors, which leaves the others to the sandboxes
    max_connections: int = 4000
    boot_cpu_s: float = 1.0
    boot_wall_s: float = 10.0
    load_limit: float = (
        0.0  # the load average for each CPU at which clients begin to be sent to the next nearest node; 0: never
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    identity_dir: Path | None = None  # the certificate and its key; None is <state_dir>/identity
    join: JoinConfig | None = None  # how to get a certificate
    insecure: bool = False  # for tests of one part: no TLS, to control planes on loopback only

    @property
    def identity(self) -> Path:
        return self.identity_dir or self.state_dir / "identity"

    @property
    def cache(self) -> Path:
        return Path(self.cache_dir) if self.cache_dir else self.state_dir


def load(path: Path) -> NodeConfig:
    """Read the file. Raises InvalidInput with everything that is wrong in it, OSError when it cannot be read."""
    settings = config.load(path, NodeConfig)
    violations = check(settings)
    if violations:
        raise InvalidInput(violations)
    return settings


def check(settings: NodeConfig) -> list[Violation]:
    """Say what the types cannot: names, addresses, ranges."""
    found = [Violation("id", reason) for reason in names.node_id_reasons(settings.id)]
    found += [Violation("region", reason) for reason in names.region_reasons(settings.region)]
    bounds: list[tuple[str, float, float, float]] = [
        ("latitude", settings.latitude, -90, 90),
        ("longitude", settings.longitude, -180, 180),
        ("port", settings.port, 1, 65535),
        ("slots", settings.slots, 2, 1000),
        ("warm_sandboxes", settings.warm_sandboxes, 0, 100),
        ("idle_s", settings.idle_s, 0.1, 86_400),
        ("activation_s", settings.activation_s, 0.1, 60),
        ("load_limit", settings.load_limit, 0, 1000),
        ("haproxy_threads", settings.haproxy_threads, 0, 64),
        ("edge_cache_mib", settings.edge_cache_mib, 0, 4095),
    ]
    found += [
        Violation(name, f"must be between {low:g} and {high:g}")
        for name, value, low, high in bounds
        if not low <= value <= high
    ]
    if settings.insecure:
        found += [
            Violation("insecure", f"is for loopback only, and {text} is not")
            for text in settings.control_planes
            if not is_loopback(text)
        ]
    if not settings.listen:
        found.append(Violation("listen", "must name at least one address and port"))
    for key, endpoints in (("listen", settings.listen), ("tls_listen", settings.tls_listen)):
        found += [Violation(key, f"{text!r} is not address:port") for text in endpoints if not _is_endpoint(text)]
    if settings.tls_listen and not settings.tls_certificates:
        found.append(Violation("tls_certificates", "must name the folder of the certificates for tls_listen"))
    if settings.redirect_to_https and not settings.tls_listen:
        found.append(Violation("redirect_to_https", "needs tls_listen"))
    for key, ranges in (
        ("trusted_proxies", settings.trusted_proxies),
        ("proxy_protocol", settings.proxy_protocol),
        ("egress_allow", settings.egress_allow),
    ):
        found += [Violation(key, f"{text!r} is not an address range") for text in ranges if not _is_network(text)]
    for key, version, addresses in (
        ("advertise_ipv4", 4, settings.advertise_ipv4),
        ("advertise_ipv6", 6, settings.advertise_ipv6),
    ):
        found += [
            Violation(key, f"{text!r} is not an IPv{version} address")
            for text in addresses
            if not _is_address(text, version)
        ]
    return found


def networks(ranges: list[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in ranges)


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def _is_address(text: str, version: int) -> bool:
    try:
        return ip_address(text).version == version
    except ValueError:
        return False


def _is_endpoint(text: str) -> bool:
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    version = 6 if bracketed else 4
    return port.isdecimal() and 0 < int(port) < 65536 and _is_address(host.strip("[]"), version)
