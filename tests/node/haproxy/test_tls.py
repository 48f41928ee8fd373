"""TLS at a real HAProxy: certificates come and go in a folder, and the node goes on."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from node.haproxy import settings, tls
from node.haproxy.process import Ingress
from node.plan.records import Route
from tests.harness.eventually import eventually
from tests.node.haproxy.pems import pem

HOST = f"127.31.{os.getpid() % 200 + 20}.3"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(head), head))
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


@pytest.fixture
async def folder(tmp_path: Path, real: None) -> AsyncIterator[Path]:
    folder = tmp_path / "certificates"
    folder.mkdir()
    ingress = Ingress(
        settings.Ingress(
            "tokyo-1", "tokyo", (f"{HOST}:7481",), 2, str(tmp_path), str(tmp_path),
            tls_listen=(f"{HOST}:7443",), redirect_to_https=True,
        )
    )  # fmt: skip
    server = await asyncio.start_unix_server(echo, tmp_path / "s000.sock")
    await ingress.start({"a.example.org": Route("a", 1, 0, 30_000)})
    async with asyncio.TaskGroup() as group:
        task = group.create_task(tls.follow(folder, ingress, every_s=0.05))
        yield folder
        task.cancel()
    await ingress.stop(0)
    server.close()


async def shown(name: str = "a.example.org") -> str:
    """Return the organization of the certificate that is served to who asks for *name*, or nothing."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        _, writer = await asyncio.open_connection(HOST, 7443, ssl=context, server_hostname=name)
    except (ssl.SSLError, ConnectionError):
        return ""
    channel: ssl.SSLObject = writer.get_extra_info("ssl_object")
    assert (channel.version(), channel.selected_alpn_protocol()) == ("TLSv1.3", "h2")
    der = channel.getpeercert(binary_form=True) or b""
    writer.close()
    return next((word for word in ("one", "two") if word.encode() in der), "?")


async def shows(want: str, name: str = "a.example.org") -> None:
    async def check() -> bool:
        return await shown(name) == want

    await eventually(check, within=5)


async def test_certificates_are_taken_over_while_it_runs(folder: Path) -> None:
    assert await shown() == ""
    (folder / "a b.pem").write_text("".join(pem("a.example.org")))
    await shows("one")
    assert await shown("other.example.org") == ""
    (folder / "broken.pem").write_text("no certificate")
    (folder / "a b.pem").write_text("".join(pem("a.example.org", "*.b.example.org", organization="two", days=-1)))
    await shows("two")
    await shows("two", "x.b.example.org")
    (folder / "a b.pem").unlink()
    await shows("")


async def test_a_function_is_told_that_its_client_uses_tls(folder: Path) -> None:
    (folder / "a.pem").write_text("".join(pem("a.example.org")))
    await shows("one")
    context = ssl.create_default_context(cafile=str(folder / "a.pem"))
    transport = httpx.AsyncHTTPTransport(verify=context)
    async with httpx.AsyncClient(transport=transport) as client:
        request = client.build_request("GET", f"https://{HOST}:7443/x?y", headers={"host": "a.example.org"})
        request.extensions["sni_hostname"] = "a.example.org"
        answer = await client.send(request)
        assert "x-forwarded-proto: https\r\n" in answer.text
        plain = await client.get(f"http://{HOST}:7481/x?y", headers={"host": "a.example.org:7481"})
    assert plain.status_code == 308
    assert plain.headers["location"] == "https://a.example.org:7443/x?y"
