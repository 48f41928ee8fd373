"""T1 of the conformance rows, and the limits on connections."""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.message
import pytest

from controlplane.router.config import Endpoint
from controlplane.router.responder import Responder
from controlplane.router.sockets import bind_tcp, bound
from controlplane.router.tcp import TcpLimits, TcpListener
from controlplane.steering import unlocated

ZONE = "edge.example.org"


def shrink(sock: socket.socket) -> None:
    """Leave little room in the kernel for what nobody reads."""
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, 4096)


class Served:
    """A listener on a port of its own."""

    def __init__(self, limits: TcpLimits) -> None:
        self.counts: Counter[str] = Counter()
        self.responder = Responder(ZONE, unlocated, lambda: 0.0)
        self.writers: list[asyncio.StreamWriter] = []
        sock = bind_tcp(Endpoint("127.53.0.1", 0))
        shrink(sock)
        self.endpoint = bound(sock)
        self.listener = TcpListener(sock, self.responder, self.counts, limits)

    async def connect(self, *, source: str = "127.53.0.2") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock = socket.socket()
        shrink(sock)
        sock.setblocking(False)
        sock.bind((source, 0))
        await asyncio.get_running_loop().sock_connect(sock, (self.endpoint.host, self.endpoint.port))
        reader, writer = await asyncio.open_connection(sock=sock)
        self.writers.append(writer)
        return reader, writer


@asynccontextmanager
async def served(**limits: float) -> AsyncIterator[Served]:
    server = Served(TcpLimits(**limits))  # type: ignore[arg-type]  # numbers all
    await server.listener.start()
    try:
        async with asyncio.timeout(20):
            yield server
    finally:
        await server.listener.close()
        for writer in server.writers:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def query(ident: int) -> bytes:
    message = dns.message.make_query(f"x.{ZONE}", "A", id=ident).to_wire()
    return len(message).to_bytes(2) + message


async def read(reader: asyncio.StreamReader) -> dns.message.Message:
    return dns.message.from_wire(await reader.readexactly(int.from_bytes(await reader.readexactly(2))))


async def test_t1_pipelined_queries_are_all_answered() -> None:
    async with served() as server:
        reader, writer = await server.connect()
        writer.write(b"".join(query(ident) for ident in range(200)))
        assert [(await read(reader)).id for _ in range(200)] == list(range(200))


async def test_t1_a_query_may_come_octet_by_octet() -> None:
    async with served() as server:
        reader, writer = await server.connect()
        for octet in query(5) + query(6):
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(0)
        assert [(await read(reader)).id, (await read(reader)).id] == [5, 6]


async def test_t1_a_query_of_65535_octets_is_answered() -> None:
    async with served() as server:
        reader, writer = await server.connect()
        message = query(9)[2:].ljust(65535, b"\0")
        writer.write(b"\xff\xff" + message)
        assert (await read(reader)).id == 9


@pytest.mark.parametrize("frame", [b"\0\0", b"\0\x05hello", b"\0\x0c" + b"\xff" * 12])
async def test_t1_what_is_no_query_ends_the_connection(frame: bytes) -> None:
    async with served() as server:
        reader, writer = await server.connect()
        writer.write(query(1) + frame + query(2))
        assert (await read(reader)).id == 1
        assert await reader.read() == b""


async def test_t1_a_half_closed_connection_gets_its_answers() -> None:
    async with served() as server:
        reader, writer = await server.connect()
        writer.write(query(1) + query(2))
        writer.write_eof()
        assert [(await read(reader)).id, (await read(reader)).id] == [1, 2]
        assert await reader.read() == b""


async def ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


async def test_t1_idle_connections_are_closed_also_those_that_drip() -> None:
    async with served(idle_s=0.4) as server:
        silent, _ = await server.connect()
        dripping, drip = await server.connect()
        lively, talk = await server.connect()
        loop = asyncio.get_running_loop()
        end = loop.time() + 1.2
        while loop.time() < end:
            if not drip.is_closing():
                drip.write(b"\x7f")
            talk.write(query(1))
            await read(lively)
            await asyncio.sleep(0.1)
        assert await ended(silent)
        assert await ended(dripping)
        assert server.counts["tcp_idle_closed"] == 2
        assert server.listener.connections == 1


async def test_t2_the_longest_idle_connection_makes_room() -> None:
    async with served(connections=3) as server:
        streams = []
        for ident in range(3):
            reader, writer = await server.connect()
            writer.write(query(ident))
            await read(reader)
            streams.append((reader, writer))
        streams[0][1].write(query(7))  # so that the second one is now the longest idle
        await read(streams[0][0])
        reader, writer = await server.connect()
        writer.write(query(8))
        assert (await read(reader)).id == 8
        assert await ended(streams[1][0])
        assert (server.counts["tcp_evicted"], server.listener.connections) == (1, 3)


async def test_t2_one_client_has_a_bounded_number_of_connections() -> None:
    async with served(connections_per_client=2) as server:
        streams = []
        for ident in range(2):
            reader, writer = await server.connect()
            writer.write(query(ident))
            await read(reader)
            streams.append(writer)
        refused, writer = await server.connect()
        streams.append(writer)
        assert await ended(refused)
        assert server.counts["tcp_refused"] == 1
        other, writer = await server.connect(source="127.53.0.3")
        writer.write(query(3))
        assert (await read(other)).id == 3
        streams[0].close()
        await streams[0].wait_closed()
        again, writer = await server.connect()
        writer.write(query(4))
        assert (await read(again)).id == 4


async def test_t2_a_client_that_does_not_read_is_not_read_from() -> None:
    async with served(unsent_bytes=1024) as server:
        reader, writer = await server.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        total = 10_000
        writer.write(b"".join(query(ident) for ident in range(total)))
        seen = -1
        while seen != (seen := server.responder.counts["tcp"]) or not seen:
            await asyncio.sleep(0.2)
        assert seen < total / 2
        # The queries wait at the client, not in the router's memory.
        assert writer.transport.get_write_buffer_size() > total
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        for ident in range(total):
            length = int.from_bytes(await reader.readexactly(2))
            assert (await reader.readexactly(length))[:2] == ident.to_bytes(2)
