"""Requests whose end two parsers could see in different places.

Each gets 400 and a closed connection, or reaches the function rewritten so that it has one reading only.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.haproxy import render
from node.haproxy.process import Ingress
from node.plan.records import Route

ADDRESS = f"127.31.{os.getpid() % 200 + 20}.251"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a.example.org\r\n\r\n"
OPEN = b"(still open)"
CHUNKED = b"0\r\n\r\n" + HIDDEN


def post(*headers: bytes, body: bytes = HIDDEN) -> bytes:
    return b"\r\n".join([b"POST /outer HTTP/1.1", b"Host: a.example.org", *headers, b"", body])


# RFC 9112 sections 2.2, 3.2, 5.1, 5.2, 6.1, 6.3 and 7.1
AMBIGUOUS = {
    "two lengths": post(b"Content-Length: 0", b"Content-Length: 46"),
    "a list of lengths": post(b"Content-Length: 0, 46"),
    "a signed length": post(b"Content-Length: +46"),
    "a length in hexadecimal": post(b"Content-Length: 0x2e"),
    "a negative length": post(b"Content-Length: -1"),
    "an empty length": post(b"Content-Length:"),
    "an unknown coding": post(b"Transfer-Encoding: xchunked", body=CHUNKED),
    "chunked is not last": post(b"Transfer-Encoding: chunked, identity", body=CHUNKED),
    "chunked twice": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=CHUNKED),
    "chunked in HTTP/1.0": post(b"Transfer-Encoding: chunked", body=CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "a space before the colon": post(b"Content-Length : 46"),
    "a space before the coding's colon": post(b"Transfer-Encoding : chunked", body=CHUNKED),
    "a fold before the first header": b"GET / HTTP/1.1\r\n Host: a.example.org\r\n\r\n",
    "a bare carriage return": post(b"X-Bare: a\rContent-Length: 46"),
    "a NUL": post(b"X-Nul: a\0b", b"Content-Length: 0"),
    "a chunk size that is none": post(b"Transfer-Encoding: chunked", body=b"zz\r\n" + HIDDEN),
    "a chunk size out of range": post(b"Transfer-Encoding: chunked", body=b"f" * 17 + b"\r\n" + HIDDEN),
    "a header without a name": post(b": 46", b"Content-Length: 0"),
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: a.example.org\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a.example.org\r\nHost: b.example.org\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
}
# What RFC 9112 sections 2.2, 5.2 and 6.3 let a recipient mend, with what must and what must not reach the function.
MENDED = {
    "a length beside chunked": (
        post(b"Content-Length: 50", b"Transfer-Encoding: chunked", body=CHUNKED),
        b"transfer-encoding: chunked\r\n",
        [b"content-length", b"/hidden"],
    ),
    "chunked beside a length": (
        post(b"Transfer-Encoding: chunked", b"Content-Length: 50", body=CHUNKED),
        b"transfer-encoding: chunked\r\n",
        [b"content-length", b"/hidden"],
    ),
    "line feeds alone": (b"GET / HTTP/1.1\nHost: a.example.org\nX-A: b\n\n", b"\r\nx-a: b\r\n", [b"b\nx", b"org\nx"]),
    "a folded header": (
        post(b"X-Folded: a\r\n b", b"Content-Length: 0", body=b""),
        b"\r\nx-folded: a   b\r\n",
        [b"folded: a\r\n"],
    ),
    "a folded coding": (
        post(b"Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n"),
        b"\r\ntransfer-encoding: chunked\r\n",
        [b":\r\n"],
    ),
}


class Function:
    """Stands where a sandbox listens, and keeps what reaches it."""

    def __init__(self) -> None:
        self.seen = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.seen += data
            if b"\r\n\r\n" in data:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()


@pytest.fixture
async def function(tmp_path: Path, real: None) -> AsyncIterator[Function]:
    ingress = Ingress(render.Ingress("tokyo-1", "tokyo", (f"{ADDRESS}:7483",), 2, str(tmp_path), str(tmp_path)))
    function = Function()
    server = await asyncio.start_unix_server(function.serve, tmp_path / "s000.sock")
    await ingress.start({"a.example.org": Route("a", 1, 0, 2000)})
    yield function
    await ingress.stop(0)
    server.close()


async def send(data: bytes) -> bytes:
    """Send *data* and return all that comes back before the ingress closes, or falls silent."""
    reader, writer = await asyncio.open_connection(ADDRESS, 7483)
    answer = b""
    try:
        writer.write(data)
        async with asyncio.timeout(1):
            while more := await reader.read(65536):
                answer += more
    except TimeoutError:
        answer += OPEN
    except ConnectionResetError:
        pass
    finally:
        writer.close()
    return answer


async def test_ambiguous_requests_are_refused_and_reach_no_function(function: Function) -> None:
    told = dict(zip(AMBIGUOUS, await asyncio.gather(*map(send, AMBIGUOUS.values())), strict=True))
    assert {name: answer[:80] for name, answer in told.items() if not refused(answer)} == {}
    assert function.seen == b""


def refused(answer: bytes) -> bool:
    once = answer.count(b"HTTP/1.1 ") == 1
    return (
        once
        and answer.startswith(b"HTTP/1.1 400 ")
        and b"connection: close\r\n" in answer.lower()
        and not answer.endswith(OPEN)
    )


@pytest.mark.parametrize("name", MENDED)
async def test_what_can_be_mended_has_one_reading_for_the_function(function: Function, name: str) -> None:
    request, wanted, unwanted = MENDED[name]
    answer = await send(request)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert wanted in function.seen
    assert [text for text in unwanted if text in function.seen] == []


@pytest.mark.acceptance
async def test_who_never_ends_a_header_is_sent_away_and_keeps_nobody_waiting(function: Function) -> None:
    slow = [await asyncio.open_connection(ADDRESS, 7483) for _ in range(200)]
    for _, writer in slow:
        writer.write(b"GET / HTTP/1.1\r\nHost: a.example.org\r\nX-Slow: ")
    assert (await send(b"GET / HTTP/1.1\r\nHost: a.example.org\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    assert len(function.seen.split(b"GET / ")) == 2
    async with asyncio.timeout(15):
        answers = await asyncio.gather(*(reader.read() for reader, _ in slow))
    assert {answer[:13] for answer in answers} == {b"HTTP/1.1 408 "}
    for _, writer in slow:
        writer.close()
