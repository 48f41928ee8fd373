"""The egress proxy as a process: `python -m node.egress RULES`, with the listening socket as standard input."""

import asyncio
import os
import socket
import sys

from nearhop import log, tasks
from node.egress import settings
from node.egress.proxy import Proxy


async def _serve(rules: str) -> None:
    stop = tasks.stop_event()
    listening = socket.socket(fileno=os.dup(0))
    proxy = Proxy(settings.decode(rules))
    async with asyncio.TaskGroup() as group:
        serving = tasks.spawn(group, proxy.serve(listening), name="egress")
        await stop.wait()
        serving.cancel()


def main() -> None:
    """Serve until SIGTERM."""
    log.configure("egress", level="warning")
    asyncio.run(_serve(sys.argv[1]))


if __name__ == "__main__":
    main()
