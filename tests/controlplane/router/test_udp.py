import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator

import dns.message
import pytest

from controlplane.router.config import Endpoint
from controlplane.router.responder import Responder
from controlplane.router.sockets import bind_dns
from controlplane.router.udp import BATCH, DATAGRAM_MAX, UdpListener
from controlplane.steering import unlocated


class Served:
    """A listener on a port of its own."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.socket, tcp = bind_dns(Endpoint("127.53.2.1", 0))
        tcp.close()
        self.responder = Responder("edge.example.org", unlocated, lambda: 0.0)
        self.listener = UdpListener(self.socket, self.responder, self.counts)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    server = Served()
    server.listener.start()
    async with asyncio.timeout(20):
        yield server
    server.listener.close()


@pytest.fixture
async def client(served: Served) -> AsyncIterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(served.socket.getsockname())
        yield sock


def query(ident: int) -> bytes:
    return dns.message.make_query("x.edge.example.org", "A", id=ident).to_wire()


async def test_a_burst_is_answered_in_order(client: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    for ident in range(3 * BATCH):
        client.send(query(ident))
    for ident in range(3 * BATCH):
        assert dns.message.from_wire(await loop.sock_recv(client, 4096)).id == ident


async def test_dropped_and_oversized_datagrams_leave_the_next_one_alone(served: Served, client: socket.socket) -> None:
    for junk in (b"", b"short", b"\xff" * 40, query(1).ljust(DATAGRAM_MAX + 1, b"\0"), b"\0" * 60_000):
        client.send(junk)
    client.send(query(2).ljust(DATAGRAM_MAX, b"\0"))
    assert dns.message.from_wire(await asyncio.get_running_loop().sock_recv(client, 4096)).id == 2
    assert served.counts["udp_oversized"] == 2
    assert served.responder.counts["dropped"] == 3


async def test_a_client_that_is_gone_harms_nobody(served: Served, client: socket.socket) -> None:
    for ident in range(50):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.sendto(query(ident), served.socket.getsockname())
    client.send(query(7))
    assert dns.message.from_wire(await asyncio.get_running_loop().sock_recv(client, 4096)).id == 7
    assert served.responder.counts["udp"] == 51
