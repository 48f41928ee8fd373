"""DNS over HTTPS: the requests of RFC 8484, first on the application, then over real connections with TLS."""

import asyncio
import base64
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import dns.message
import dns.rcode
import httpx
import pytest
from starlette.applications import Starlette

from controlplane.router.config import DohConfig, Endpoint
from controlplane.router.doh import MEDIA_TYPE, DohServer, freshness_s, routes
from controlplane.router.responder import Responder
from controlplane.router.sockets import bind_tcp, bound
from tests.controlplane.router.selfsigned import write_certificate
from tests.controlplane.router.test_conformance import HELLO, MANY, ZONE
from tests.controlplane.router.test_conformance_limits import quiet


@asynccontextmanager
async def client(responder: Responder | None = None) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=routes(responder or quiet(), Counter()))
    transport = httpx.ASGITransport(app, client=("203.0.113.9", 1234))
    async with httpx.AsyncClient(transport=transport, base_url="http://doh.example.org") as made:
        yield made


def query(name: str = HELLO, kind: str = "A") -> bytes:
    return dns.message.make_query(name, kind, id=0).to_wire()


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def read(response: httpx.Response) -> dns.message.Message:
    assert response.status_code == 200
    assert response.headers["content-type"] == MEDIA_TYPE
    return dns.message.from_wire(response.content)


async def test_get_and_post_give_the_clients_own_answer() -> None:
    async with client() as http:
        for response in (
            await http.get("/dns-query", params={"dns": encoded(query())}),
            await http.post("/dns-query", content=query(), headers={"content-type": MEDIA_TYPE}),
        ):
            assert [record.address for record in read(response).answer[0]] == ["192.0.2.3"]
            assert response.headers["cache-control"] == "private, max-age=30"


async def test_an_answer_may_be_as_long_as_over_tcp() -> None:
    async with client() as http:
        response = await http.get("/dns-query", params={"dns": encoded(query(f"wide.{ZONE}", "AAAA"))})
        assert len(read(response).answer[0]) == len(MANY)


@pytest.mark.parametrize(
    ("name", "age", "rcode"), [(f"none.{ZONE}", 5, dns.rcode.NXDOMAIN), ("www.example.net", 0, dns.rcode.REFUSED)]
)
async def test_what_is_not_there_has_its_own_freshness(name: str, age: int, rcode: int) -> None:
    async with client() as http:
        response = await http.get("/dns-query", params={"dns": encoded(query(name))})
        assert (read(response).rcode(), response.headers["cache-control"]) == (rcode, f"private, max-age={age}")


def test_what_is_no_message_is_not_fresh() -> None:
    assert freshness_s(b"short") == 0


@pytest.mark.parametrize(("parameters", "status"), [
    ({}, 400), ({"dns": ""}, 400), ({"dns": "a"}, 400), ({"dns": "!!!!"}, 400), ({"dns": encoded(b"short")}, 400),
    ({"dns": encoded(b"\xff" * 40)}, 400),
])  # fmt: skip
async def test_a_bad_get_is_refused(parameters: dict[str, str], status: int) -> None:
    async with client() as http:
        assert (await http.get("/dns-query", params=parameters)).status_code == status


@pytest.mark.parametrize(("content", "media_type", "status"), [
    (query(), "text/plain", 415), (query(), "", 415), (b"", MEDIA_TYPE, 400), (b"\0" * 65_536, MEDIA_TYPE, 413),
])  # fmt: skip
async def test_a_bad_post_is_refused(content: bytes, media_type: str, status: int) -> None:
    async with client() as http:
        response = await http.post("/dns-query", content=content, headers={"content-type": media_type})
        assert response.status_code == status


async def test_other_methods_are_not_allowed() -> None:
    async with client() as http:
        assert (await http.put("/dns-query", content=query())).status_code == 405


async def test_the_server_speaks_tls(tmp_path: Path) -> None:
    certificate, key = write_certificate(tmp_path, "127.53.40.1")
    sock = bind_tcp(Endpoint("127.53.40.1", 0))
    at = bound(sock)
    server = DohServer(DohConfig(str(at), certificate, key), sock, quiet(), Counter())
    running = asyncio.ensure_future(server.run_until_told())  # noqa: TID251  # the test ends it itself
    context = ssl.create_default_context(cafile=certificate)
    async with asyncio.timeout(10), httpx.AsyncClient(verify=context, trust_env=False) as http:
        response = await http.post(f"https://{at}/dns-query", content=query(), headers={"content-type": MEDIA_TYPE})
        assert read(response).answer
    server.stop()
    async with asyncio.timeout(10):
        await running


def test_a_certificate_that_cannot_be_used_is_told_before_anything_is_served(tmp_path: Path) -> None:
    certificate, key = write_certificate(tmp_path, "127.53.40.1")
    key.write_text("no key")
    with bind_tcp(Endpoint("127.53.40.1", 0)) as sock, pytest.raises(OSError):
        DohServer(DohConfig("127.53.40.1:1", certificate, key), sock, quiet(), Counter())
