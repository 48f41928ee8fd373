"""Makes the scheduled calls that the control plane sends: over the slot's socket, past the ingress, and answers how each has ended."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from nearhop import log
from nearhop.v1 import node_control_pb2 as pb
from node.agent.logbook import LogBook
from node.plan.records import SandboxSpec
from node.sandbox.activator import Refused
from node.sandbox.process import clean

WITHIN_S = 900.0  # 15 minutes, as on Workers
_AT_ONCE = 32
_SEND_RETRY_S = 0.5
_SEND_RETRIES = 240
_REPLY_BYTES = 64 << 10
_ERROR_CHARACTERS = 2000
_logger = log.get(__name__)


class Sandboxes(Protocol):
    """What is needed of the pool."""

    def ready_slots(self, function: str) -> list[tuple[int, SandboxSpec]]: ...
    def control(self, slot: int) -> str: ...
    def socket(self, slot: int) -> Path: ...
    def serving(self, slot: int) -> AbstractContextManager[None]: ...


class CallFailed(Exception):
    """A scheduled call that did not end well; the text is for the function's owner."""


class ScheduledCalls:
    """The calls under way. *activate* starts a function that sleeps, *send* tells the control plane."""

    def __init__(
        self,
        sandboxes: Sandboxes,
        activate: Callable[[str, int], Awaitable[int]],
        send: Callable[[pb.NodeMessage], bool],
        logbook: LogBook,
        *,
        within_s: float = WITHIN_S,
    ) -> None:
        self._sandboxes = sandboxes
        self._activate = activate
        self._send = send
        self._logbook = logbook
        self._within_s = within_s
        self._arrived: asyncio.Queue[pb.ScheduledEvent] = asyncio.Queue()
        self._under_way: set[str] = set()

    def take(self, event: pb.ScheduledEvent) -> None:
        """Make the call, unless it is being made already."""
        if event.id not in self._under_way:
            self._under_way.add(event.id)
            self._arrived.put_nowait(event)

    async def run(self) -> None:
        """Make calls as they come, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                event = await self._arrived.get()
                group.create_task(self._make(event), name=f"scheduled call {event.id}")

    async def _make(self, event: pb.ScheduledEvent) -> None:
        error = ""
        try:
            async with asyncio.timeout(self._within_s):
                await self._call(event)
        except TimeoutError:
            error = f"the scheduled handler did not end within {self._within_s:g} s"
        except (CallFailed, Refused, OSError) as failure:
            error = getattr(failure, "sentence", "") or str(failure) or repr(failure)
        if error:
            self._logbook.add(event.function, event.version, "error", f"scheduled {event.cron}: {clean(error)}")
        _logger.info("a scheduled call has ended", function=event.function, cron=event.cron, error=error or None)
        await self._answer(pb.ScheduledResult(id=event.id, error=error[:_ERROR_CHARACTERS]))
        self._under_way.discard(event.id)

    async def _answer(self, result: pb.ScheduledResult) -> None:
        for _ in range(_SEND_RETRIES):
            if self._send(pb.NodeMessage(scheduled_result=result)):
                return
            await asyncio.sleep(_SEND_RETRY_S)
        _logger.warning("a scheduled call's end could not be told", call=result.id)

    async def _call(self, event: pb.ScheduledEvent) -> None:
        if len(self._under_way) > _AT_ONCE:
            raise CallFailed(f"{_AT_ONCE} scheduled calls are under way on this node already")
        slot = await self._slot(event)
        scheduled = json.dumps({"cron": event.cron, "scheduled_at": event.scheduled_at})
        head = (
            "POST / HTTP/1.0\r\n"  # so that the answer ends with the connection
            "host: sandbox\r\n"
            f"x-nearhop-control: {self._sandboxes.control(slot)}\r\n"
            f"x-nearhop-scheduled: {scheduled}\r\n"
            "content-length: 0\r\n\r\n"
        )
        with self._sandboxes.serving(slot):
            status, text = await _exchange(self._sandboxes.socket(slot), head.encode("ascii"))
        if status != 200:
            raise CallFailed(text or f"the sandbox answered {status or 'nothing'}")

    async def _slot(self, event: pb.ScheduledEvent) -> int:
        if not self._of_version(event):
            await self._activate(event.function, event.version)
        if not (found := self._of_version(event)):
            raise CallFailed(f"version {event.version} does not run on this node")
        return found[0]

    def _of_version(self, event: pb.ScheduledEvent) -> list[int]:
        ready = self._sandboxes.ready_slots(event.function)
        return [slot for slot, spec in ready if spec.version.number == event.version]


async def _exchange(socket: Path, request: bytes) -> tuple[int, str]:
    """Send *request* and return the answer's status, 0 for none, and its text."""
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        writer.write(request)
        await writer.drain()
        answer = b""
        while len(answer) < _REPLY_BYTES and (piece := await reader.read(_REPLY_BYTES - len(answer))):
            answer += piece
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    return status, body.decode(errors="replace").strip()
