"""The agent's end of the egress proxy: holds its socket, starts its process, and starts it again when it ends."""

import asyncio
import contextlib
import socket
import sys
from ipaddress import ip_address
from pathlib import Path

from nearhop import children, log
from node.egress import settings
from node.egress.addresses import Address, Rules

_BACKLOG = 1024
_AGAIN_AFTER_S = (0.1, 0.5, 2.0, 5.0)
_STABLE_S = 30.0
_logger = log.get(__name__)


class Egress:
    """The proxy on the socket *path*. The socket is the agent's, so that requests wait while the process is started again."""

    def __init__(self, path: Path, rules: Rules) -> None:
        self._path = path
        self._rules = rules

    async def run(self) -> None:
        """Keep the proxy running until cancelled. Raises OSError when its socket cannot be made."""
        self._path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
            listening.bind(str(self._path))
            self._path.chmod(0o666)  # sandboxes have users of their own; who may come here at all, the folder decides
            listening.listen(_BACKLOG)
            await self._supervise(listening)

    async def _supervise(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began = loop.time()
            command = [sys.executable, "-m", "node.egress", settings.encode(self._rules)]
            process = await children.spawn(command, stdin=listening.fileno())
            try:
                status = await process.wait()
            finally:
                if process.returncode is None:
                    await asyncio.shield(children.stop(process, grace_s=1.0))
            failures = 1 if loop.time() - began >= _STABLE_S else failures + 1
            pause = _AGAIN_AFTER_S[min(failures, len(_AGAIN_AFTER_S)) - 1]
            _logger.error("the egress proxy ended; it is started again", status=status, in_s=pause)
            await asyncio.sleep(pause)


async def addresses_of(endpoints: list[str]) -> frozenset[Address]:
    """Return what the hosts of *endpoints* ("host:port") resolve to now; a name that does not resolve adds nothing."""
    found: set[Address] = set()
    for endpoint in endpoints:
        host = endpoint.rpartition(":")[0].strip("[]")
        with contextlib.suppress(OSError):
            answers = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
            found |= {ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers}
    return frozenset(found)
