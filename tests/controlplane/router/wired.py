"""A responder behind real sockets on loopback, asked from the test's own thread."""

import asyncio
import ipaddress
import itertools
import socket
import struct
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from controlplane.model import Verdict
from controlplane.router.config import Endpoint
from controlplane.router.responder import Responder
from controlplane.router.sockets import bind_dns, bound
from controlplane.router.tcp import TcpLimits, TcpListener
from controlplane.router.udp import UdpListener
from controlplane.steering import ClientLocation, FleetIndex

TIMEOUT_S = 5.0
QUIET_S = 0.3  # without a reply; whether there is none is then asked of the server itself
_SENTINEL = struct.pack("!6H", 0xD05E, 0, 1, 0, 0, 0) + b"\x08sentinel\x07invalid\0" + struct.pack("!HH", 1, 1)
_blocks = itertools.count()


class Wired:
    """Serves UDP and TCP on one loopback address from a thread. A *peer* that is not on loopback speaks from an address that stands for it."""

    def __init__(self, zones: str | Sequence[str], locate: Any, servers: Sequence[Any] = (), **options: Any) -> None:
        limits = options.pop("limits", None) or TcpLimits()
        block = next(_blocks)
        self._subnet = f"127.54.{block % 250}"
        self._aliases: dict[str, str] = {}
        self._real: dict[str, str] = {}
        self._locate = locate
        clock = options.pop("clock", lambda: 0.0)
        self.responder = Responder(zones, self._find, clock, servers, **options)
        self.events: Counter[str] = Counter()
        udp, tcp = bind_dns(Endpoint(f"{self._subnet}.1", 0))
        self.endpoint = bound(udp)
        self.at = (self.endpoint.host, self.endpoint.port)
        self.udp = UdpListener(udp, self.responder, self.events)
        self.tcp = TcpListener(tcp, self.responder, self.events, limits)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._started = threading.Event()
        self._done = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(TIMEOUT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(TIMEOUT_S)
        assert not self._thread.is_alive()

    @property
    def counts(self) -> Counter[str]:
        return self.responder.counts

    def publish(self, index: FleetIndex, verdicts: Mapping[str, Verdict]) -> None:
        self.responder.publish(index, verdicts)

    def client(self, kind: socket.SocketKind, peer: str) -> socket.socket:
        """Return a connected socket whose address stands for *peer*."""
        sock = socket.socket(socket.AF_INET, kind)
        sock.settimeout(TIMEOUT_S)
        sock.bind((self.alias(peer), 0))
        sock.connect(self.at)
        return sock

    def alias(self, peer: str) -> str:
        if peer.startswith("127."):
            return peer
        if peer not in self._aliases:
            self._aliases[peer] = f"{self._subnet}.{len(self._aliases) + 2}"
            self._real[self._aliases[peer]] = peer
        return self._aliases[peer]

    def respond(self, data: bytes, peer: str, *, tcp: bool) -> bytes | None:
        """Send *data* and return the reply, None when there is none: a later message's comes first, or the connection ends."""
        if tcp:
            with self.client(socket.SOCK_STREAM, peer) as sock:
                sock.sendall(len(data).to_bytes(2) + data)
                return read_framed(sock)
        with self.client(socket.SOCK_DGRAM, peer) as sock:
            sock.send(data)
            sock.settimeout(QUIET_S)
            try:
                return sock.recv(65536)
            except TimeoutError:
                sock.settimeout(TIMEOUT_S)
                sock.send(_SENTINEL)
            reply = sock.recv(65536)
            return None if reply[:2] == _SENTINEL[:2] and data[:2] != _SENTINEL[:2] else reply

    def _find(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ClientLocation:
        real = self._real.get(str(address))
        found: ClientLocation = self._locate(address if real is None else ipaddress.ip_address(real))
        # What is true of the network that an alias stands for is not true of loopback's.
        return replace(found, network=f"{address}/32") if address.is_loopback and address.version == 4 else found

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self.udp.start()
        await self.tcp.start()
        self._started.set()
        await self._done.wait()
        self.udp.close()
        await self.tcp.close()


def read_framed(sock: socket.socket) -> bytes | None:
    """Read one reply from a TCP connection; None at its end."""
    try:
        prefix = _exactly(sock, 2)
        return None if prefix is None else _exactly(sock, int.from_bytes(prefix))
    except ConnectionError:
        return None


def _exactly(sock: socket.socket, count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        chunk = sock.recv(count - len(data))
        if not chunk:
            return None
        data += chunk
    return data
