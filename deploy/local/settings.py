"""What a cluster on one machine consists of, and where each part listens."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from deploy.local import state
from deploy.local.regions import REGIONS, Region

DEFAULT_REGIONS = ("tokyo", "london", "virginia", "sydney", "saopaulo")
BASE_PORT = 7400
NODE_NETWORK = "127.77.0"
ZONE = "nearhop.test"  # RFC 6761 section 6.2: .test is nobody's
HOST = "127.0.0.1"
NODES_MAX = 64
ROUTER = "r1"

_REGION = re.compile(r"([a-z]+)(?::([0-9]{1,3}))?")


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """One node: its id, its region and its own loopback address."""

    id: str
    region: Region
    address: str


@dataclass(frozen=True, slots=True)
class Settings:
    """A cluster on one machine. Ports follow *base_port* at fixed distances, so that one number moves them all."""

    state_dir: Path
    nodes: tuple[NodeSettings, ...]
    base_port: int = BASE_PORT
    geoip: Path | None = None

    @classmethod
    def of(cls, *, state_dir: Path | None, regions: str, base_port: int, node_network: str, geoip: Path | None) -> Self:
        """Return the settings that the command line's words mean. Raises ValueError with a sentence."""
        if geoip is not None and not geoip.is_file():
            raise ValueError(f"{geoip} is not a file")
        if base_port + _NODE > 65535:
            raise ValueError(f"{base_port} leaves no room for the ports that follow it")
        return cls(state.folder(state_dir), _nodes(regions, node_network), base_port, geoip and geoip.absolute())

    @property
    def control_plane(self) -> str:
        """The control plane's host:port."""
        return f"{HOST}:{self.base_port}"

    @property
    def etcd(self) -> str:
        """Where etcd serves clients."""
        return f"{HOST}:{self.base_port + 1}"

    @property
    def etcd_peer(self) -> str:
        """Where etcd would speak to other members."""
        return f"{HOST}:{self.base_port + 2}"

    @property
    def fleet(self) -> str:
        """Where nodes and routers connect with their certificates."""
        return f"{HOST}:{self.base_port + 3}"

    @property
    def metrics(self) -> str:
        """Where monitors read the control plane's metrics."""
        return f"{HOST}:{self.base_port + 55}"

    @property
    def keys(self) -> Path:
        """The folder with this cluster's keys and tokens, for its owner alone."""
        return self.state_dir / "keys"

    @property
    def router_dns(self) -> str:
        """Where the router answers DNS, over UDP and TCP."""
        return f"{HOST}:{self.base_port + 53}"

    @property
    def router_http(self) -> str:
        """Where the router answers HTTP."""
        return f"{HOST}:{self.base_port + 54}"

    @property
    def node_port(self) -> int:
        """The ingress port, the same on every node."""
        return self.base_port + _NODE

    @property
    def dashboard(self) -> str:
        """Where the dashboard listens."""
        return f"{HOST}:{self.base_port + 70}"

    def ingress(self, node: NodeSettings) -> str:
        """Return where *node*'s ingress listens."""
        return f"{node.address}:{self.node_port}"

    def ingress_tls(self, node: NodeSettings) -> str:
        """Return where *node*'s ingress listens for https."""
        return f"{node.address}:{self.base_port + _NODE_TLS}"


_NODE = 80
_NODE_TLS = 43


def _nodes(regions: str, network: str) -> tuple[NodeSettings, ...]:
    try:
        first = ipaddress.IPv4Address(f"{network}.1")
    except ValueError:
        first = ipaddress.IPv4Address("0.0.0.0")
    if not first.is_loopback:
        raise ValueError(f"{network!r} is not the beginning of a loopback network such as {NODE_NETWORK}")
    wanted = [_wanted(word.strip()) for word in regions.split(",")]
    if len({region.name for region, _ in wanted}) < len(wanted):
        raise ValueError("a region is named twice: give it a count instead, such as tokyo:2")
    named = [(f"{region.name}-{number}", region) for region, count in wanted for number in range(1, count + 1)]
    if len(named) > NODES_MAX:
        raise ValueError(f"{len(named)} nodes are too many for one machine: at most {NODES_MAX}")
    return tuple(NodeSettings(name, region, str(first + index)) for index, (name, region) in enumerate(named))


def _wanted(word: str) -> tuple[Region, int]:
    match = _REGION.fullmatch(word)
    if match is None or match[1] not in REGIONS:
        raise ValueError(f"{word!r} is not a region")
    count = int(match[2] or 1)
    if count < 1:
        raise ValueError(f"{word!r} asks for no node")
    return REGIONS[match[1]], count
