"""streaming on a real cluster: what is sent first arrives first."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.harness.cluster import INGRESS_PORT, ZONE, Cluster

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def url(shared_cluster: Cluster) -> str:
    await shared_cluster.deploy(Path(__file__).parent)
    return f"http://{shared_cluster.nodes['tokyo-1'].address}:{INGRESS_PORT}"


async def _arrivals(url: str, path: str) -> list[tuple[float, bytes]]:
    headers = {"host": f"streaming.{ZONE}"}
    async with httpx.AsyncClient(timeout=20) as client, client.stream("GET", url + path, headers=headers) as reply:
        assert reply.status_code == 200
        return [(time.monotonic(), chunk) async for chunk in reply.aiter_raw()]


async def test_events_arrive_one_by_one(url: str) -> None:
    arrivals = await _arrivals(url, "/events")
    assert b"".join(chunk for _, chunk in arrivals).count(b"data: ") == 3
    assert len(arrivals) >= 3
    assert arrivals[-1][0] - arrivals[0][0] > 0.1


async def test_the_head_of_the_page_comes_before_its_slow_part(url: str) -> None:
    arrivals = await _arrivals(url, "/")
    assert b"At once" in arrivals[0][1]
    assert b"A little later" not in arrivals[0][1]
    assert b"A little later" in arrivals[-1][1]


async def test_the_answer_begins_before_the_question_ends(url: str) -> None:
    address, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(address, int(port))
    try:
        writer.write(f"POST /shout HTTP/1.1\r\nhost: streaming.{ZONE}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        writer.write(b"3\r\none\r\n")
        async with asyncio.timeout(10):
            await reader.readuntil(b"\r\n\r\n")
            assert b"ONE" in await reader.read(100)
            writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
            assert b"TWO" in await reader.read(100)
    finally:
        writer.close()
