"""The geo service: GET /?ip=ADDRESS on a unix socket, answered in JSON. Its callers are sandboxes, so everything that they send is bounded."""

import asyncio
import contextlib
import ipaddress
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

import maxminddb

from nearhop import log
from nearhop.errors import NearhopError
from node.geo.records import Answer, answer

_HEAD_BYTES = 4096
_IDLE_S = 60.0
_CONNECTIONS = 256
_logger = log.get(__name__)


class UnusableDatabase(NearhopError):
    """There is no City database at the path, or it is damaged."""


class Places:
    """An open database. Reading never blocks: the file is mapped into memory."""

    def __init__(self, reader: maxminddb.Reader) -> None:
        self._reader = reader
        self._version: int = reader.metadata().ip_version

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the database at *path*. Raises UnusableDatabase."""
        try:
            return cls(maxminddb.open_database(path))
        except (maxminddb.InvalidDatabaseError, ValueError, OSError) as error:
            raise UnusableDatabase(f"{path} is not usable: {error}") from error

    def locate(self, ip: str) -> Answer:
        """Say where *ip* is. Raises ValueError when it is no address."""
        address = ipaddress.ip_address(ip)
        if isinstance(address, ipaddress.IPv6Address):
            address = address.ipv4_mapped or address
        if address.version > self._version and self._version == 4:
            return answer(None)
        try:
            return answer(self._reader.get(address))
        except maxminddb.InvalidDatabaseError as error:
            _logger.warning("a record of the geo database is damaged", error=str(error))
            return answer(None)

    def close(self) -> None:
        self._reader.close()


class GeoService:
    """Answers on a socket for as long as serving() is entered."""

    def __init__(self, places: Places) -> None:
        self._places = places

    @contextlib.asynccontextmanager
    async def serving(self, socket: Path) -> AsyncIterator[None]:
        """Listen on *socket* until the context ends; connections that are open then are closed. Raises OSError."""
        _unlink(socket)
        connections: set[asyncio.StreamWriter] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(connections) >= _CONNECTIONS:
                writer.close()
                return
            connections.add(writer)
            try:
                await self._converse(reader, writer)
            finally:
                connections.discard(writer)
                writer.close()

        server = await asyncio.start_unix_server(connected, socket, limit=_HEAD_BYTES)
        _open_to_all(socket)
        try:
            yield
        finally:
            server.close()
            for writer in list(connections):
                writer.close()
            _unlink(socket)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A caller that goes away, says too much or nothing is no error of ours.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            more = True
            while more:
                async with asyncio.timeout(_IDLE_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                status, body = self.reply(head)
                more = status == 200
                writer.write(render(status, body, keep=more))
                async with asyncio.timeout(_IDLE_S):
                    await writer.drain()

    def reply(self, head: bytes) -> tuple[int, Answer | None]:
        """Answer one request, of which *head* is everything: a request with a body is refused."""
        line, _, fields = head.partition(b"\r\n")
        words = line.decode("latin-1").split(" ")
        lower = fields.lower()
        if len(words) != 3 or words[0] != "GET" or b"content-length:" in lower or b"transfer-encoding:" in lower:
            return 400, None
        try:
            [ip] = parse_qs(urlsplit(words[1]).query, max_num_fields=4).get("ip", [])
            return 200, self._places.locate(ip)
        except ValueError:
            return 400, None


def _unlink(socket: Path) -> None:
    socket.unlink(missing_ok=True)


def _open_to_all(socket: Path) -> None:
    socket.chmod(0o666)  # sandboxes may have uids of their own; the folder is the agent's alone


def render(status: int, body: Answer | None, *, keep: bool) -> bytes:
    """Render an HTTP/1.1 response."""
    content = b"" if body is None else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} {'OK' if status == 200 else 'Bad Request'}\r\ncontent-length: {len(content)}\r\n"
    kind = "content-type: application/json\r\n" if content else ""
    return f"{head}{kind}connection: {'keep-alive' if keep else 'close'}\r\n\r\n".encode() + content
