"""A process that the zygote has started, with the face of asyncio's subprocesses that Guest looks at."""

import asyncio
import os
from typing import Self


class Confined:
    """A running sandbox's process: its streams, its pidfd and the future of its exit status."""

    def __init__(self, pid: int, pidfd: int, ended: asyncio.Future[int]) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.stdin: asyncio.StreamWriter | None = None
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        self._ended = ended
        self._transports: list[asyncio.ReadTransport] = []

    @classmethod
    async def open(cls, pid: int, pidfd: int, files: list[int], ended: asyncio.Future[int]) -> Self:
        """Wrap the three pipes' ends in *files*, which become this object's."""
        it = cls(pid, pidfd, ended)
        it.stdin = await _writer(files[0])
        it.stdout = await it._reader(files[1])
        it.stderr = await it._reader(files[2])
        return it

    @property
    def ended(self) -> bool:
        return self._ended.done()

    async def wait(self) -> int:
        """Return the exit status once the process is reaped; negative: the signal that ended it."""
        status = await asyncio.shield(self._ended)
        if self.stdin is not None:
            self.stdin.close()
        for transport in self._transports:
            transport.close()
        return status

    async def _reader(self, file: int) -> asyncio.StreamReader:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=64 << 10)
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(file, "rb", 0)
        )
        self._transports.append(transport)
        return reader


async def _writer(file: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader())
    transport, _ = await loop.connect_write_pipe(lambda: protocol, os.fdopen(file, "wb", 0))
    return asyncio.StreamWriter(transport, protocol, None, loop)
