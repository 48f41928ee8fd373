"""DNS over TCP (RFC 7766): many queries on a connection, answered in order, within limits on time, number and memory.

A connection's clock runs from its last whole query, so that a client which sends an octet now and then is idle like one which sends none.
"""

import asyncio
import socket
from collections import Counter
from dataclasses import dataclass

from controlplane.router.responder import Responder

_LENGTH_OCTETS = 2


@dataclass(frozen=True, slots=True)
class TcpLimits:
    """RFC 7766 section 6.2.3 wants an idle time of seconds; RFC 9210 section 4 wants the numbers bounded."""

    idle_s: float = 10.0
    connections: int = 512
    connections_per_client: int = 64
    unsent_bytes: int = 65_536  # a client that does not read is not read from


class TcpListener:
    """Serves one bound, listening socket between start() and close()."""

    def __init__(
        self, sock: socket.socket, responder: Responder, counts: Counter[str], limits: TcpLimits | None = None
    ) -> None:
        self._sock = sock
        self._responder = responder
        self._book = _Book(counts, limits or TcpLimits())
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Begin to accept."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self._book, self._responder), sock=self._sock)
        self._sweep()

    async def close(self) -> None:
        """Stop accepting and end every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._server is not None:
            self._server.close()
            self._book.abort_all()
            await self._server.wait_closed()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._book)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self._book.abort_idle(loop.time())
        self._sweeper = loop.call_later(min(1.0, self._book.limits.idle_s / 4), self._sweep)


class _Book:
    """The open connections, the longest idle first, and how many each client has."""

    def __init__(self, counts: Counter[str], limits: TcpLimits) -> None:
        self.limits = limits
        self._counts = counts
        self._open: dict[_Connection, None] = {}
        self._per_client: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, connection: "_Connection") -> bool:
        """Take *connection* in, at the cost of the longest idle one when all places are taken; False when its client has too many."""
        if self._per_client[connection.client] >= self.limits.connections_per_client:
            self._counts["tcp_refused"] += 1
            return False
        if len(self._open) >= self.limits.connections:
            self._counts["tcp_evicted"] += 1
            next(iter(self._open)).abort()
        self._open[connection] = None
        self._per_client[connection.client] += 1
        return True

    def leave(self, connection: "_Connection") -> None:
        if connection not in self._open:
            return
        del self._open[connection]
        self._per_client[connection.client] -= 1
        if not self._per_client[connection.client]:
            del self._per_client[connection.client]

    def touch(self, connection: "_Connection", now: float) -> None:
        connection.active_at = now
        if connection in self._open:
            self._open[connection] = self._open.pop(connection)

    def abort_idle(self, now: float) -> None:
        for connection in list(self._open):
            if now - connection.active_at < self.limits.idle_s:
                return
            self._counts["tcp_idle_closed"] += 1
            connection.abort()

    def abort_all(self) -> None:
        for connection in list(self._open):
            connection.abort()


class _Connection(asyncio.Protocol):
    def __init__(self, book: _Book, responder: Responder) -> None:
        self._book = book
        self._responder = responder
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._blocked = False
        self._ended = False
        self.client = ""
        self.active_at = self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # create_server() makes no other
        self._transport = transport
        peer = transport.get_extra_info("peername")  # None when the client is gone already
        self.client = peer[0] if peer else ""
        transport.set_write_buffer_limits(high=self._book.limits.unsent_bytes)
        if not peer or not self._book.enter(self):
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # a reset ends a connection as well as anything
        self._ended = True
        self._book.leave(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._answer()

    def eof_received(self) -> bool:
        return False  # whatever was asked whole is answered by now: close when it is sent

    def pause_writing(self) -> None:
        self._blocked = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._blocked = False
        self._answer()
        if not self._blocked and not self._ended:
            self._transport.resume_reading()

    def abort(self) -> None:
        self._ended = True
        self._book.leave(self)
        self._transport.abort()

    def _answer(self) -> None:
        buffer = self._buffer
        start = 0
        while not self._blocked and not self._ended and len(buffer) - start >= _LENGTH_OCTETS:
            end = start + _LENGTH_OCTETS + int.from_bytes(buffer[start : start + _LENGTH_OCTETS])
            if len(buffer) < end:
                break
            reply = self._responder.respond(bytes(buffer[start + _LENGTH_OCTETS : end]), self.client, tcp=True)
            start = end
            if reply is None:  # not DNS: nothing sensible can follow
                self._ended = True
                self._transport.close()
                break
            self._book.touch(self, self._loop.time())
            self._transport.write(len(reply).to_bytes(_LENGTH_OCTETS) + reply)
        del buffer[:start]
