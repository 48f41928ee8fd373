"""One HTTP request to one address, as a client that was sent there makes it."""

import asyncio
import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: str


async def get(
    endpoint: str, path: str, headers: Mapping[str, str], *, timeout_s: float, context: ssl.SSLContext | None = None
) -> Answer:
    """GET *path* from *endpoint* (host:port), by TLS with *context*. Raises OSError when there is no answer, also for one that is not HTTP."""
    return await asyncio.to_thread(_get, endpoint, path, headers, timeout_s, context)


def _get(
    endpoint: str, path: str, headers: Mapping[str, str], timeout_s: float, context: ssl.SSLContext | None
) -> Answer:
    host, port = endpoint.rsplit(":", 1)
    connection: http.client.HTTPConnection
    if context is None:
        connection = http.client.HTTPConnection(host, int(port), timeout=timeout_s)
    else:
        connection = http.client.HTTPSConnection(host, int(port), timeout=timeout_s, context=context)
    try:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        body = answer.read(64 * 1024).decode("utf-8", "replace")
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)
    except http.client.HTTPException as error:
        raise ConnectionError(f"{endpoint} answered no HTTP: {error!r}") from error
    finally:
        connection.close()
