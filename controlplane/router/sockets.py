"""Sockets to listen on, bound before anything else starts, so that a port in use ends the process with its name."""

import ipaddress
import socket

from controlplane.router.config import Endpoint
from nearhop.errors import NearhopError

UDP_BUFFER_BYTES = 4 << 20  # a burst waits in the kernel while the loop does something else
TCP_BACKLOG = 512
_EPHEMERAL_TRIES = 20


class ListenFailed(NearhopError):
    """An address to listen on could not be had."""


def bind_dns(endpoint: Endpoint, *, shared: bool = False) -> tuple[socket.socket, socket.socket]:
    """Bind UDP and TCP on the same port; port 0 picks one that both have. Raises ListenFailed.

    *shared*: other processes may bind it too, and the kernel divides the clients among them (SO_REUSEPORT).
    """
    for _ in range(_EPHEMERAL_TRIES - 1):
        udp = _bind(endpoint, socket.SOCK_DGRAM, shared=shared)
        try:
            return udp, _bind(bound(udp), socket.SOCK_STREAM, shared=shared)
        except ListenFailed:
            udp.close()
            if endpoint.port:
                raise
    raise ListenFailed(f"no free port for both UDP and TCP on {endpoint.host}")


def bind_tcp(endpoint: Endpoint) -> socket.socket:
    """Bind and listen on TCP. Raises ListenFailed."""
    return _bind(endpoint, socket.SOCK_STREAM)


def bound(sock: socket.socket) -> Endpoint:
    """Return where *sock* is bound."""
    host, port, *_ = sock.getsockname()
    return Endpoint(host, port)


def _bind(endpoint: Endpoint, kind: socket.SocketKind, *, shared: bool = False) -> socket.socket:
    version = ipaddress.ip_address(endpoint.host).version
    sock = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, kind)
    try:
        sock.setblocking(False)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if version == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # so that 0.0.0.0 and :: go side by side
        if kind is socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_BUFFER_BYTES)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UDP_BUFFER_BYTES)
        sock.bind((endpoint.host, endpoint.port))
        if kind is socket.SOCK_STREAM:
            sock.listen(TCP_BACKLOG)
    except OSError as error:
        sock.close()
        transport = "TCP" if kind is socket.SOCK_STREAM else "UDP"
        raise ListenFailed(f"cannot listen on {transport} {endpoint}: {error.strerror}") from error
    return sock
