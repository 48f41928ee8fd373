import asyncio
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from node.geo.service import GeoService, Places, UnusableDatabase

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from mmdb_writer import MMDBWriter
    from netaddr import IPSet

OSAKA = {"city": {"names": {"en": "Osaka"}}, "country": {"iso_code": "JP"}}
LYON = {"city": {"names": {"en": "Lyon"}}, "country": {"iso_code": "FR"}}


def write(path: Path, ip_version: int = 6) -> Path:
    writer = MMDBWriter(ip_version, "Test-City", ipv4_compatible=ip_version == 6)
    writer.insert_network(IPSet(["192.0.2.0/24"]), OSAKA)
    if ip_version == 6:
        writer.insert_network(IPSet(["2001:db8:1::/48"]), LYON)
    writer.to_db_file(str(path))
    return path


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    places = Places.open(write(tmp_path / "city.mmdb"))
    yield places
    places.close()


def client(socket: Path) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(socket)), base_url="http://geo", timeout=5)


@pytest.mark.parametrize(
    ("ip", "city"),
    [("192.0.2.7", "Osaka"), ("::ffff:192.0.2.7", "Osaka"), ("2001:db8:1::5", "Lyon"), ("198.51.100.1", None)],
)
async def test_addresses_are_located(places: Places, tmp_path: Path, ip: str, city: str | None) -> None:
    async with GeoService(places).serving(tmp_path / "geo.sock"), client(tmp_path / "geo.sock") as http:
        reply = await http.get("/", params={"ip": ip})
    assert (reply.status_code, reply.json()["city"]) == (200, city)


def test_an_ipv4_database_knows_no_ipv6(tmp_path: Path) -> None:
    places = Places.open(write(tmp_path / "four.mmdb", 4))
    assert places.locate("2001:db8:1::5")["city"] is None
    assert places.locate("192.0.2.1")["city"] == "Osaka"
    places.close()


@pytest.mark.parametrize("content", [None, b"", b"no database"])
def test_a_database_that_cannot_be_used(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "city.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnusableDatabase):
        Places.open(path)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /?ip= HTTP/1.1\r\n\r\n",
        b"GET /?ip=host HTTP/1.1\r\n\r\n",
        b"GET /?ip=192.0.2.1&ip=192.0.2.2 HTTP/1.1\r\n\r\n",
        b"GET /?a&b&c&d&e&ip=192.0.2.1 HTTP/1.1\r\n\r\n",
        b"GET /?ip=192.0.2.1%00 HTTP/1.1\r\n\r\n",
        b"GET http://[/?ip=192.0.2.1 HTTP/1.1\r\n\r\n",
        b"POST /?ip=192.0.2.1 HTTP/1.1\r\n\r\n",
        b"GET /?ip=192.0.2.1 HTTP/1.1\r\nContent-Length: 3\r\n\r\n",
        b"GET /?ip=192.0.2.1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"\r\n\r\n",
        b"\xff\xfe\r\n\r\n",
    ],
)
def test_what_is_no_question_is_refused(places: Places, head: bytes) -> None:
    assert GeoService(places).reply(head) == (400, None)


def test_both_forms_of_the_target(places: Places) -> None:
    for target in (b"/?ip=192.0.2.1", b"http://geo/?ip=192.0.2.1"):
        status, body = GeoService(places).reply(b"GET " + target + b" HTTP/1.1\r\nHost: geo\r\n\r\n")
        assert status == 200
        assert body is not None
        assert body["city"] == "Osaka"


async def _said(socket: Path, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(socket))
    writer.write(sent)
    writer.write_eof()
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("sent", [b"", b"GET", b"x" * 100_000, b"\x00" * 10 + b"\r\n\r\n"])
async def test_garbage_ends_its_connection_only(places: Places, tmp_path: Path, sent: bytes) -> None:
    socket = tmp_path / "geo.sock"
    async with GeoService(places).serving(socket):
        with_reply = b"400" if sent.endswith(b"\r\n\r\n") else b""
        try:
            assert with_reply in await _said(socket, sent)
        except ConnectionError:
            assert len(sent) > 4096
        async with client(socket) as http:
            assert (await http.get("/?ip=192.0.2.1")).json()["city"] == "Osaka"
    assert not socket.exists()


async def test_connections_are_bounded(places: Places, tmp_path: Path) -> None:
    socket = tmp_path / "geo.sock"
    async with GeoService(places).serving(socket):
        held: list[Any] = [await asyncio.open_unix_connection(str(socket)) for _ in range(256)]
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            assert await reader.read() == b""
        writer.close()
        held[0][1].close()
        for _, open_writer in held:
            open_writer.close()
        async with asyncio.timeout(5), client(socket) as http:
            while True:
                try:
                    assert (await http.get("/?ip=192.0.2.1")).status_code == 200
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.01)
