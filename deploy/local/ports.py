"""Whether the addresses that a cluster wants are free, and who has those that are not."""

import errno
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import psutil

from deploy.local.settings import Settings


@dataclass(frozen=True, slots=True)
class Listener:
    """An address that a part is going to listen on."""

    part: str
    address: str
    port: int
    udp: bool = False

    def __str__(self) -> str:
        return f"{self.address}:{self.port}/{'udp' if self.udp else 'tcp'}"


def wanted(settings: Settings) -> Iterator[Listener]:
    """Yield every address that a cluster of these settings listens on."""
    for part, endpoint in (
        ("the control plane", settings.control_plane),
        ("the control plane", settings.fleet),
        ("the control plane's metrics", settings.metrics),
        ("etcd", settings.etcd),
        ("etcd", settings.etcd_peer),
        ("the router's DNS", settings.router_dns),
        ("the router's HTTP", settings.router_http),
        ("the dashboard", settings.dashboard),
        *((f"node {node.id}", settings.ingress(node)) for node in settings.nodes),
        *((f"node {node.id}", settings.ingress_tls(node)) for node in settings.nodes),
    ):
        address, port = endpoint.rsplit(":", 1)
        yield Listener(part, address, int(port))
    address, port = settings.router_dns.rsplit(":", 1)
    yield Listener("the router's DNS", address, int(port), udp=True)


def refusals(listeners: Iterable[Listener]) -> list[str]:
    """Say which of *listeners* cannot be had, why, and by whom."""
    return [f"{listener.part} wants {listener}, {reason}" for listener in listeners if (reason := _refusal(listener))]


def _refusal(listener: Listener) -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if listener.udp else socket.SOCK_STREAM) as probe:
        if not listener.udp:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listener.address, listener.port))
            if not listener.udp:
                probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"which {_holder(listener)} has"
            return f"which cannot be had: {error.strerror}"
    return None


def _holder(listener: Listener) -> str:
    kind = "udp4" if listener.udp else "tcp4"
    try:
        connections = psutil.net_connections(kind) + psutil.net_connections(kind.replace("4", "6"))
    except psutil.AccessDenied:
        return "a process that this user may not see"
    for connection in connections:
        bound = connection.laddr
        if not bound or bound.port != listener.port or bound.ip not in _covering(listener.address):
            continue
        if not listener.udp and connection.status != psutil.CONN_LISTEN:
            continue
        if connection.pid is None:
            return "a process that this user may not see"
        return f"process {connection.pid} ({_name(connection.pid)})"
    return "another process"


def _covering(address: str) -> tuple[str, ...]:
    return (address, "0.0.0.0", "::", f"::ffff:{address}")


def _name(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return "gone by now"
