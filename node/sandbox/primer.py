"""The first request of a process that waits for a program: once it has answered one, it is at its fastest for the next."""

import asyncio
from collections.abc import Callable
from pathlib import Path

_WITHIN_S = 10.0
_POLL_S = 0.01
# As the ingress sends a client's: a process that has answered one such request answers the next one faster.
_REQUEST = (
    b"GET / HTTP/1.1\r\nhost: sandbox\r\nuser-agent: -\r\naccept: */*\r\nx-real-ip: 192.0.2.1\r\nx-nearhop-country: XX\r\n"
    b"x-forwarded-proto: http\r\nx-request-id: -\r\nconnection: close\r\n\r\n"
)


async def prime(socket: Path, *, lives: Callable[[], bool]) -> bool:
    """Ask until the process on *socket* answers, and say whether it has before it had ended. Raises TimeoutError."""
    async with asyncio.timeout(_WITHIN_S):
        while not await _answers(socket):
            if not lives():
                return False
            await asyncio.sleep(_POLL_S)
    return True


async def _answers(socket: Path) -> bool:
    try:
        reader, writer = await asyncio.open_unix_connection(socket)
    except OSError:
        return False
    try:
        writer.write(_REQUEST)
        return bool(await reader.read())
    except ConnectionError:
        return False
    finally:
        writer.close()
