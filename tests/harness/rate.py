"""Requests at a fixed rate from a process of its own, so that the client is not what limits it."""

import asyncio
import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nearhop import children, engines

_PROGRAM = Path(__file__).with_name("rate.ts")


class Rate:
    """Sends *rate* requests a second to *host* at address:port until the block ends; *result* is what rate.ts has then printed."""

    def __init__(self, address: str, port: int, host: str, *, rate: int, seconds: float = 600) -> None:
        self._arguments = (address, str(port), host, str(rate), str(seconds))
        self.result: dict[str, Any] = {}
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> Self:
        self._process = await children.spawn(
            [engines.find("deno").path, "run", "--quiet", "--no-config", "--no-check", "--allow-net", _PROGRAM, *self._arguments],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            async with asyncio.timeout(60):
                out, _ = await self._process.communicate(b"")  # closes its standard input
            self.result = json.loads(out)
        finally:
            await children.stop(self._process, grace_s=0)
