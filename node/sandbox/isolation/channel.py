"""Speaks to the zygote: hands it plans and the sandboxes' pipes, hears of pids and exit statuses, and starts it again when it has died."""

import array
import asyncio
import json
import os
import socket
import sys
from collections import deque
from collections.abc import Callable

from nearhop import children, log
from node.sandbox.isolation import layout
from node.sandbox.isolation.confined import Confined
from node.sandbox.isolation.layout import Plan

_ANSWER_BYTES = 4096
_logger = log.get(__name__)


class Zygote:
    """The process that forks sandboxes. When it dies, its sandboxes die with it, and all of their ends are told."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._asked: deque[asyncio.Future[tuple[int, int]]] = deque()
        self._ends: dict[int, asyncio.Future[int]] = {}
        self._early: dict[int, int] = {}
        self._turn = asyncio.Lock()

    async def launch(self, plan: Plan, *, gone: Callable[[], None]) -> Confined:
        """Start what *plan* says; *gone* is called when it has ended. Raises OSError, and then never calls it."""
        loop = asyncio.get_running_loop()
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
        theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
        ours = [pipes[0][1], pipes[1][0], pipes[2][0]]
        try:
            pid, pidfd = await self._ask(plan, theirs)
        except BaseException:
            for file in ours:
                os.close(file)
            raise
        finally:
            for file in theirs:
                os.close(file)
        ended: asyncio.Future[int] = loop.create_future()
        ended.add_done_callback(lambda _: gone())
        if pid in self._early:
            ended.set_result(self._early.pop(pid))
        else:
            self._ends[pid] = ended
        return await Confined.open(pid, pidfd, ours, ended)

    async def _ask(self, plan: Plan, streams: list[int]) -> tuple[int, int]:
        answer: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()
        async with self._turn:
            control = await self._open()
            control.sendmsg([layout.encode(plan)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))])
            self._asked.append(answer)
        return await answer

    async def _open(self) -> socket.socket:
        if self._control is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.setblocking(False)
            with theirs:
                command = [sys.executable, "-m", "node.sandbox.isolation.zygote"]
                self._process = await children.spawn(command, stdin=theirs.fileno())
            self._control = ours
            asyncio.get_running_loop().add_reader(ours, self._readable)
        return self._control

    def _readable(self) -> None:
        if self._control is None:
            return
        try:
            body, ancillary, _, _ = self._control.recvmsg(_ANSWER_BYTES, socket.CMSG_SPACE(4))
        except BlockingIOError:
            return
        except OSError as error:
            _logger.warning("the process that starts sandboxes is gone", error=str(error))
            body, ancillary = b"", []
        if body:
            descriptors = array.array("i")
            for _, _, data in ancillary:
                descriptors.frombytes(data)
            self._take(json.loads(body), list(descriptors))
        else:
            self._lost()

    def _take(self, message: object, descriptors: list[int]) -> None:
        match message:
            case {"pid": int(pid), "status": int(status), "cpu_s": float(cpu_s)}:
                _logger.debug("a sandbox's process ended", pid=pid, status=status, cpu_s=round(cpu_s, 4))
                self._ended(pid, status)
            case {"pid": int(pid)}:
                self._started(pid, descriptors[0])
            case {"error": str(text)}:
                answer = self._asked.popleft()
                if not answer.cancelled():
                    answer.set_exception(OSError(text))
            case _:
                raise AssertionError(f"the zygote said {message!r}")

    def _started(self, pid: int, pidfd: int) -> None:
        answer = self._asked.popleft()
        if answer.cancelled():
            os.close(pidfd)  # nobody waits for it: its standard input is closed, and it ends by itself
        else:
            answer.set_result((pid, pidfd))

    def _ended(self, pid: int, status: int) -> None:
        ended = self._ends.pop(pid, None)
        if ended is None:
            self._early[pid] = status
        elif not ended.done():
            ended.set_result(status)

    def _lost(self) -> None:
        if self._control is not None:
            asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
            self._control = None
        for pid in list(self._ends):
            self._ended(pid, -9)
        self._early.clear()
        for answer in self._asked:
            if not answer.cancelled():
                answer.set_exception(OSError("the process that starts sandboxes has ended"))
        self._asked.clear()

    async def close(self) -> None:
        """End it, and with it every sandbox."""
        self._lost()
        if self._process is not None:
            await children.stop(self._process, grace_s=2.0)
