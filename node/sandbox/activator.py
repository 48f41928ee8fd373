"""Holds the requests of functions that have no sandbox until one is ready, then joins client and sandbox. It decides nothing about which.

The ingress sends such requests to one socket, one request a connection. Only the head is read here; what follows is passed through as it is.
"""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from nearhop import log

_HEAD_BYTES = 64 << 10  # the ingress lets less through
_HEAD_WITHIN_S = 5.0
_PIECE_BYTES = 64 << 10
_RETRY_AFTER_S = 1
REASON_HEADER = "activation-refused"  # by which the ingress knows an answer of ours from a program's
_logger = log.get(__name__)


class Refusal(StrEnum):
    """Why a request was not held any longer."""

    QUEUE_FULL = "activation_queue_full"
    TOO_LATE = "activation_timeout"
    BOOT_FAILED = "boot_failed"
    NO_SLOT = "no_slot"
    UNKNOWN = "no_such_function"


_SENTENCES = {
    Refusal.QUEUE_FULL: "Too many requests wait for the function to start.",
    Refusal.TOO_LATE: "The function did not start in time.",
    Refusal.BOOT_FAILED: "The function cannot be started.",
    Refusal.NO_SLOT: "The node runs as many functions as it may.",
    Refusal.UNKNOWN: "No function of that name is here.",
}


class Refused(Exception):
    """A request cannot be held; *reason* is told to the client."""

    def __init__(self, reason: str, sentence: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many requests may wait, of one function and in all, and for how long."""

    per_function: int = 200
    in_all: int = 2000
    within_s: float = 10.0


@dataclass(slots=True)
class Demand:
    """Who waits for which function: however many they are, the function is started once."""

    bounds: Bounds = field(default_factory=Bounds)
    _waiting: dict[str, list[asyncio.Future[int]]] = field(default_factory=lambda: defaultdict(list))
    _told: dict[asyncio.Future[int], Callable[[int], None]] = field(default_factory=dict)
    _count: int = 0

    @property
    def functions(self) -> frozenset[str]:
        return frozenset(self._waiting)

    async def wait(self, function: str, assigned: Callable[[int], None] | None = None) -> int:
        """Wait until the function has a sandbox; return its slot, which *assigned* may be told before. Raises Refused."""
        if self._count >= self.bounds.in_all or len(self._waiting.get(function, ())) >= self.bounds.per_function:
            raise _refused(Refusal.QUEUE_FULL)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[function].append(future)
        self._count += 1
        if assigned is not None:
            self._told[future] = assigned
        try:
            async with asyncio.timeout(self.bounds.within_s):
                return await future
        except TimeoutError:
            raise _refused(Refusal.TOO_LATE) from None
        finally:
            self._count -= 1
            self._told.pop(future, None)
            self._waiting[function].remove(future)
            if not self._waiting[function]:
                del self._waiting[function]

    def assign(self, function: str, slot: int) -> None:
        """Tell those who wait for the function that the process on *slot*, which listens, is getting its program."""
        for future in self._waiting.get(function, ()):
            if (told := self._told.pop(future, None)) is not None:
                told(slot)

    def settle(self, function: str, slot: int) -> None:
        """Let those who wait for the function go on to *slot*."""
        for future in self._waiting.get(function, ()):
            if not future.done():
                future.set_result(slot)

    def refuse(self, function: str, reason: Refusal) -> None:
        """Send those who wait for the function away."""
        for future in self._waiting.get(function, ()):
            if not future.done():
                future.set_exception(_refused(reason))


def _refused(reason: Refusal) -> Refused:
    return Refused(reason.value, _SENTENCES[reason])


class Sandboxes(Protocol):
    """What the activator needs of the pool."""

    def socket(self, slot: int) -> Path: ...
    def serving(self, slot: int) -> AbstractContextManager[None]: ...
    async def last_reason(self, slot: int) -> str | None: ...


@dataclass(frozen=True, slots=True)
class _Request:
    """A held request: its head, and its connection."""

    head: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class _Exchange:
    """A request on its way to the sandbox on *slot*, and the answer back."""

    def __init__(self, sandboxes: Sandboxes, slot: int, request: _Request) -> None:
        self._sandboxes = sandboxes
        self._request = request
        self.slot = slot
        self.answered = False

    async def run(self) -> None:
        """Pass both on to their ends. Raises OSError when nobody listens."""
        request = self._request
        with self._sandboxes.serving(self.slot):
            reader, writer = await asyncio.open_unix_connection(self._sandboxes.socket(self.slot))
            try:
                writer.write(request.head)
                async with asyncio.TaskGroup() as group:
                    upward = group.create_task(
                        _pass_up(request.reader, writer), name=f"held request {self.slot} upward"
                    )
                    async for _ in _pass_on(reader, request.writer):
                        self.answered = True
                    upward.cancel()
            finally:
                writer.close()


Activate = Callable[[str, int, Callable[[int], None] | None], Coroutine[None, None, int]]


class Activator:
    """Listens on *socket*. *activate* starts a function's version when none runs, and returns the slot of a sandbox that is ready.

    Before that it may tell the slot of one that will be: such a process holds what it is asked until it has its program.
    """

    def __init__(self, socket: Path, sandboxes: Sandboxes, activate: Activate) -> None:
        self._socket = socket
        self._sandboxes = sandboxes
        self._activate = activate
        self._server: asyncio.Server | None = None
        self.activations = 0

    async def open(self) -> None:
        """Listen: before the ingress does, whose first request may be for a function that sleeps."""
        self._socket.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._socket, limit=_HEAD_BYTES, backlog=1024)
        self._socket.chmod(0o600)

    def close(self) -> None:
        """Listen no more. Held requests end with the ingress, which is stopped before."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_HEAD_WITHIN_S):
                head = await reader.readuntil(b"\r\n\r\n")
            await self._held(head, reader, writer)
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            _logger.debug("a held request ended", error=repr(error))
        except Exception:
            _logger.exception("a held request failed")
        finally:
            writer.close()

    async def _held(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        headers, request = parse_head(head), _Request(head, reader, writer)
        function, version = headers.get("x-nearhop-function", ""), headers.get("x-nearhop-version", "")
        self.activations += 1
        try:
            number = int(version) if version.isdecimal() else 0
            if _repeatable(head, headers):
                await self._ahead(function, number, request)
            else:
                await self._join(await self._activate(function, number, None), request)
        except Refused as refusal:
            _logger.info("a request was not held", function=function, reason=refusal.reason)
            writer.write(refusal_page(503, refusal.reason, refusal.sentence, headers))
            await writer.drain()
        except _Broken as broken:
            writer.write(refusal_page(502, broken.reason, "The function's sandbox ended before it answered.", headers))
            await writer.drain()

    async def _ahead(self, function: str, version: int, request: _Request) -> None:
        """Send the request as soon as it is known who will answer it, and pass the answer on whoever says first that it is ready."""
        sent: list[tuple[_Exchange, asyncio.Task[None]]] = []

        def send(slot: int) -> None:
            exchange = _Exchange(self._sandboxes, slot, request)
            sent.append((exchange, asyncio.get_running_loop().create_task(exchange.run(), name=f"sent ahead {slot}")))

        try:
            slot = await self._activate(function, version, send)
            for exchange, task in sent:
                if exchange.slot == slot or exchange.answered:
                    await self._finish(exchange, task)
                    return
        finally:
            for _, task in sent:
                task.cancel()
            await asyncio.gather(*(task for _, task in sent), return_exceptions=True)
        await self._join(slot, request)

    async def _join(self, slot: int, request: _Request) -> None:
        exchange = _Exchange(self._sandboxes, slot, request)
        await self._finish(exchange, exchange.run())

    async def _finish(self, exchange: _Exchange, running: Awaitable[None]) -> None:
        try:
            await running
        except OSError as error:
            raise _Broken(await self._sandboxes.last_reason(exchange.slot) or "no_sandbox") from error
        if not exchange.answered:
            raise _Broken(await self._sandboxes.last_reason(exchange.slot) or "sandbox_ended")


class _Broken(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> AsyncIterator[int]:
    """Copy to the end; yield the size of each piece."""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while piece := await reader.read(_PIECE_BYTES):
            yield len(piece)
            writer.write(piece)
            await writer.drain()


async def _pass_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async for _ in _pass_on(reader, writer):
        pass
    with contextlib.suppress(OSError):
        writer.write_eof()  # the client has gone away


def _repeatable(head: bytes, headers: Mapping[str, str]) -> bool:
    # RFC 9110, 9.2.1: nobody is harmed should it be sent to another sandbox after one that never had its program.
    return head.startswith((b"GET ", b"HEAD ")) and not headers.keys() & {
        "content-length",
        "transfer-encoding",
        "upgrade",
    }


def parse_head(head: bytes) -> dict[str, str]:
    """Read the headers of a request that the ingress has made; the last of several of one name counts."""
    headers: dict[str, str] = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.lower()] = value.strip()
    return headers


def refusal_page(status: int, reason: str, sentence: str, headers: Mapping[str, str]) -> bytes:
    """Render the answer to a request that no sandbox has answered."""
    json_wanted = "application/json" in headers.get("accept", "")
    text = json.dumps({"reason": reason, "message": sentence}) if json_wanted else f"{reason}: {sentence}"
    body = f"{text}\n".encode()
    lines = [
        f"HTTP/1.1 {status} {'Service Unavailable' if status == 503 else 'Bad Gateway'}",
        f"content-type: {'application/json' if json_wanted else 'text/plain; charset=utf-8'}",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        f"{REASON_HEADER}: {reason}",
        *([f"retry-after: {_RETRY_AFTER_S}"] if status == 503 else []),
        "connection: close",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
