"""The proxy: takes a request, resolves its host once, lets addresses.judge() decide, connects to a checked address and passes bytes on."""

import asyncio
import contextlib
import json
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

from nearhop import log
from node.egress import addresses, request
from node.egress.addresses import Address, Refusal, Rules
from node.egress.request import BadRequest, Request

Resolver = Callable[[str, int], Awaitable[tuple[Address, ...]]]

_CHUNK = 64 << 10
_END = b"\r\n\r\n"
_STATUS = {
    "egress_busy": 503,
    "egress_unresolved": 502,
    "egress_unreachable": 502,
    "egress_tls": 502,
    "egress_request": 400,
}
_PHRASES = {400: "Bad Request", 403: "Forbidden", 502: "Bad Gateway", 503: "Service Unavailable"}
_logger = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the proxy; durations in seconds."""

    per_sandbox: int = 64
    total: int = 2000
    head_bytes: int = 64 << 10
    head_s: float = 10.0
    resolve_s: float = 5.0
    connect_s: float = 10.0
    idle_s: float = 300.0
    linger_s: float = 2.0


@dataclass(slots=True)
class Proxy:
    """Serves sandboxes; one instance, one event loop."""

    rules: Rules
    limits: Limits = field(default_factory=Limits)
    resolve: Resolver = field(default_factory=lambda: system_resolver)
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    open: Counter[int] = field(default_factory=Counter)  # connections by the sandbox's process

    async def serve(self, listening: socket.socket) -> None:
        """Take connections until cancelled."""
        async with asyncio.TaskGroup() as group:

            def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                group.create_task(self._connected(reader, writer), name="egress request")

            server = await asyncio.start_unix_server(take, sock=listening, limit=self.limits.head_bytes)
            async with server:
                await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sandbox = _peer(writer)
        self.open[sandbox] += 1
        try:
            await self._answer(reader, writer, sandbox)
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            pass  # either side has gone: there is nobody to tell
        except Exception:
            _logger.exception("a request was not proxied")
        finally:
            self.open[sandbox] -= 1
            if self.open[sandbox] == 0:
                del self.open[sandbox]
            await _close(writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sandbox: int) -> None:
        refusal = await self._handle(reader, writer, sandbox)
        if refusal is not None:
            self._refuse(writer, refusal)
            await self._linger(reader, writer)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sandbox: int) -> Refusal | None:
        try:
            async with asyncio.timeout(self.limits.head_s):
                head = await reader.readuntil(_END)
            asked = request.parse(head.removesuffix(_END))
        except asyncio.LimitOverrunError:
            return Refusal("egress_request", "the request's head is too large")
        except BadRequest as error:
            return Refusal("egress_request", str(error))
        if self.open[sandbox] > self.limits.per_sandbox or self.open.total() > self.limits.total:
            return Refusal("egress_busy", "too many connections at a time")
        found = await self._find(asked)
        if isinstance(found, Refusal):
            return found
        return await self._pass_on(asked, found, reader, writer)

    async def _find(self, asked: Request) -> tuple[Address, ...] | Refusal:
        refusal = addresses.judge_port(asked.port, self.rules)
        if refusal is not None:
            return refusal
        address = request.literal(asked.host)
        try:
            async with asyncio.timeout(self.limits.resolve_s):
                found = (address,) if address is not None else await self.resolve(asked.host, asked.port)
        except (OSError, UnicodeError) as error:
            return Refusal("egress_unresolved", f"{asked.host} cannot be resolved: {str(error) or 'no answer in time'}")
        return addresses.judge(asked.host, found, self.rules) or found

    async def _pass_on(
        self, asked: Request, found: tuple[Address, ...], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Refusal | None:
        opened = await self._connect(asked, found)
        if isinstance(opened, Refusal):
            return opened
        upstream, outbound = opened
        try:
            if asked.tunnel:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                outbound.write(asked.head)
            async with asyncio.TaskGroup() as group:
                back = group.create_task(self._pump(upstream, writer), name="egress back")
                there = group.create_task(self._pump(reader, outbound), name="egress there")
                back.add_done_callback(lambda _: there.cancel())
        except ExceptionGroup as errors:
            _, other = errors.split((ConnectionError, TimeoutError))
            if other is not None:
                raise other from None
        finally:
            await _close(outbound)
        return None

    async def _connect(
        self, asked: Request, found: tuple[Address, ...]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | Refusal:
        where = f"{asked.host}:{asked.port}"
        refusal = Refusal("egress_unreachable", f"{where} does not answer")
        context, name = (self.trust, asked.host) if asked.tls else (None, None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.limits.connect_s):
                for address in found:
                    try:
                        return await asyncio.open_connection(
                            str(address), asked.port, limit=_CHUNK, ssl=context, server_hostname=name
                        )
                    except ssl.SSLError as error:
                        refusal = Refusal("egress_tls", f"{where} cannot be trusted: {error.reason or error}")
                    except OSError as error:
                        _logger.debug("an address does not answer", address=str(address), error=str(error))
        return refusal

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(self.limits.idle_s):
                data = await source.read(_CHUNK)
                if not data:
                    break
                sink.write(data)
                await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()

    async def _linger(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Closing while a request's body is unread would reset the connection, and the reason be lost with it.
        await writer.drain()
        writer.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.limits.linger_s):
                while await reader.read(_CHUNK):
                    pass

    @staticmethod
    def _refuse(writer: asyncio.StreamWriter, refusal: Refusal) -> None:
        status = _STATUS.get(refusal.reason, 403)
        body = json.dumps({"reason": refusal.reason, "message": refusal.message}).encode()
        head = (
            f"HTTP/1.1 {status} {_PHRASES[status]}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"x-nearhop-reason: {refusal.reason}\r\nconnection: close\r\n\r\n"
        )
        writer.write(head.encode() + body)


async def system_resolver(host: str, port: int) -> tuple[Address, ...]:
    """Ask the machine's resolver for every address of *host*. Raises OSError."""
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return tuple(dict.fromkeys(ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers))


def _peer(writer: asyncio.StreamWriter) -> int:
    # struct ucred of unix(7): the pid as this process sees it, whatever the sandbox's own namespace calls it.
    credentials = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("iii", credentials)[0])


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError, TimeoutError):
        await writer.wait_closed()
