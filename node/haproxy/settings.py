"""What the ingress is made from, and the names of what HAProxy and the agent share. Pure."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

HEALTH_PATH = "/.nearhop/health"
CONFIG = "haproxy.cfg"
HOSTS = "hosts.map"
PATHS = "paths.map"
PICKS = "picks.map"
ASSETS = "assets.map"
REASONS = "reasons.map"
COUNTRIES = "countries.map"
CACHING = "caching.map"
WALLS = "walls.map"
CERTIFICATES = "certificates.list"
NO_SLOT = "none"
ACTIVATOR = "activator"
STATIC = "assets"

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Ingress:
    """What the configuration is made from. *map_dir* is any folder; *run_dir* is one that needs no quoting."""

    node: str
    region: str
    listen: tuple[str, ...]
    slots: int
    run_dir: str
    map_dir: str
    trusted_proxies: tuple[Network, ...] = ()
    threads: int = 2
    max_connections: int = 4000
    max_body_bytes: int = 100 << 20
    max_url_bytes: int = 8 << 10
    proxy_protocol: tuple[Network, ...] = ()  # who speaks first of whom it speaks for
    tls_listen: tuple[str, ...] = ()
    redirect_to_https: bool = False
    cache_mib: int = 0


@dataclass(frozen=True, slots=True)
class Paths:
    """The files that HAProxy and the agent share."""

    config: str
    stats_socket: str
    hosts: str
    paths: str
    picks: str
    assets: str
    reasons: str
    countries: str
    caching: str
    walls: str
    certificates: str


def paths(ingress: Ingress) -> Paths:
    return Paths(
        config=f"{ingress.map_dir}/{CONFIG}",
        stats_socket=f"{ingress.run_dir}/haproxy.sock",
        hosts=f"{ingress.map_dir}/{HOSTS}",
        paths=f"{ingress.map_dir}/{PATHS}",
        picks=f"{ingress.map_dir}/{PICKS}",
        assets=f"{ingress.map_dir}/{ASSETS}",
        reasons=f"{ingress.map_dir}/{REASONS}",
        countries=f"{ingress.map_dir}/{COUNTRIES}",
        caching=f"{ingress.map_dir}/{CACHING}",
        walls=f"{ingress.map_dir}/{WALLS}",
        certificates=f"{ingress.map_dir}/{CERTIFICATES}",
    )


def slot_name(slot: int) -> str:
    return f"s{slot:03d}"


def kept_name(slot: int) -> str:
    """Return the name of the slot's other backend, which asks the edge cache first."""
    return f"c{slot_name(slot)}"


def slot_socket(run_dir: str, slot: int) -> str:
    return f"{run_dir}/{slot_name(slot)}.sock"


def sink_socket(run_dir: str) -> str:
    return f"{run_dir}/sink.sock"


def activator_socket(run_dir: str) -> str:
    return f"{run_dir}/activator.sock"


def assets_socket(run_dir: str) -> str:
    return f"{run_dir}/assets.sock"
