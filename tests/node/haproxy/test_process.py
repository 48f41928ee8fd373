"""The ingress with a real HAProxy and a real listener on a slot's socket."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest

from node.haproxy import render
from node.haproxy.process import AddressInUse, Ingress
from node.plan.records import Route

ADDRESS = f"127.31.{os.getpid() % 200 + 20}.1:7481"
ROUTES = {"a.example.org": Route("a", 3, 0, 700), "cold.example.org": Route("cold", 1, None, 700)}


def settings(path: Path, address: str = ADDRESS) -> render.Ingress:
    maps = path / """its "maps", #1 (50 %)"""
    maps.mkdir(exist_ok=True)
    return render.Ingress("tokyo-1", "tokyo", (address,), 2, str(path), str(maps), (ip_network("127.0.0.0/8"),))


@pytest.fixture
async def ingress(tmp_path: Path, real: None) -> AsyncIterator[Ingress]:
    ingress = Ingress(settings(tmp_path))
    await ingress.start(ROUTES)
    yield ingress
    await ingress.stop(0)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request with its head; /die breaks the connection, /hang never answers."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET /die"):
                break
            if head.startswith(b"GET /hang"):
                await asyncio.sleep(30)
            writer.write(
                b"HTTP/1.1 200 OK\r\nx-nearhop-node: forged\r\ncontent-length: %d\r\n\r\n%b" % (len(head), head)
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[None]:
    server = await asyncio.start_unix_server(echo, tmp_path / "s000.sock")
    yield
    server.close()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://{ADDRESS}", timeout=5) as client:
        yield client


def content(path: str) -> str:
    return Path(path).read_text()


async def ask(client: httpx.AsyncClient, path: str = "/", **headers: str) -> httpx.Response:
    return await client.get(
        path, headers={"host": "a.example.org"} | {k.replace("_", "-"): v for k, v in headers.items()}
    )


async def test_a_sandbox_sees_our_headers_and_no_forged_ones(
    ingress: Ingress, sandbox: None, client: httpx.AsyncClient
) -> None:
    answer = await ask(
        client,
        x_nearhop_country="DE",
        x_nearhop_evil="1",
        x_forwarded_for="203.0.113.9, 127.0.0.2",
        x_real_ip="1.1.1.1",
    )
    seen = dict(line.split(": ", 1) for line in answer.text.lower().splitlines()[1:] if line)
    assert seen["x-nearhop-country"] == "xx"
    assert "x-nearhop-evil" not in seen
    assert (seen["x-real-ip"], seen["x-forwarded-for"]) == ("203.0.113.9", "203.0.113.9")
    assert (seen["x-nearhop-function"], seen["x-nearhop-version"], seen["x-nearhop-region"]) == ("a", "3", "tokyo")
    assert answer.headers.get_list("x-nearhop-node") == ["tokyo-1"]
    assert answer.headers["x-request-id"] == seen["x-request-id"]


async def test_a_proxys_connection_has_many_clients(
    ingress: Ingress, sandbox: None, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    source = tmp_path / "countries.cache"
    source.write_text("0.0.0.0/1 US\n127.0.0.0/8 XX\n128.0.0.0/1 DE\n")
    await ingress.load_countries(source)
    told = []
    for forwarded in (
        {},
        {"x_forwarded_for": "8.8.8.8", "x_forwarded_proto": "https"},
        {"x_forwarded_for": "203.0.113.9"},
        {},
    ):
        head = (await ask(client, **forwarded)).text
        seen = dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
        told.append((seen["x-real-ip"], seen["x-forwarded-for"], seen["x-nearhop-country"], seen["x-forwarded-proto"]))
    own = ("127.0.0.1", "127.0.0.1", "XX", "http")
    assert told == [own, ("8.8.8.8", "8.8.8.8", "US", "https"), ("203.0.113.9", "203.0.113.9", "DE", "http"), own]


async def test_clients_of_http_1_and_2_are_told_the_same(
    ingress: Ingress, sandbox: None, client: httpx.AsyncClient
) -> None:
    async with httpx.AsyncClient(base_url=client.base_url, http1=False, http2=True) as second:
        answers = [await ask(client), await ask(second)]
    assert [answer.http_version for answer in answers] == ["HTTP/1.1", "HTTP/2"]
    for answer in answers:
        names = ("x-nearhop-node", "x-nearhop-region", "x-nearhop-version")
        assert [answer.headers.get_list(name) for name in names] == [["tokyo-1"], ["tokyo"], ["3"]]
        (request_id,) = answer.headers.get_list("x-request-id")
        assert f"x-request-id: {request_id}\r\n" in answer.text


@pytest.mark.parametrize(
    ("forwarded", "client_address"),
    [
        ("203.0.113.9, junk", "127.0.0.1"),
        ("203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("127.0.0.9", "127.0.0.9"),
        ("", "127.0.0.1"),
    ],
)
async def test_x_forwarded_for_is_believed_from_the_right(
    ingress: Ingress, sandbox: None, client: httpx.AsyncClient, forwarded: str, client_address: str
) -> None:
    assert f"x-real-ip: {client_address}\r\n" in (await ask(client, x_forwarded_for=forwarded)).text


async def test_pages_of_the_platform_name_their_reason(
    ingress: Ingress, sandbox: None, client: httpx.AsyncClient
) -> None:
    async def page(path: str = "/", **headers: str) -> tuple[int, str, str]:
        answer = await ask(client, path, accept="application/json", **headers)
        return answer.status_code, answer.headers["x-nearhop-reason"], answer.json()["reason"]

    assert await page(host="nobody.example.org") == (404, "no_such_host", "no_such_host")
    assert await page(host="cold.example.org") == (503, "no_sandbox", "no_sandbox")
    assert await page(host="a_b") == (400, "bad_host", "bad_host")
    assert ("a", "exceeded_wall") not in await ingress.refusals()
    for count in (1, 2):
        assert await page("/hang") == (504, "exceeded_wall", "exceeded_wall")
        assert (await ingress.refusals())["a", "exceeded_wall"] == count
    await ask(client)  # so that the next request goes over a kept connection
    assert await page("/die") == (502, "sandbox_ended", "sandbox_ended")
    await ingress.set_reason(0, "exceeded_cpu")
    await ask(client)
    assert await page("/die") == (502, "exceeded_cpu", "exceeded_cpu")
    await ingress.set_reason(0, None)
    assert await page("/die") == (502, "sandbox_ended", "sandbox_ended")
    plain = await client.get("/", headers={"host": "cold.example.org"})
    assert plain.headers["retry-after"] == "1"
    assert plain.text == "no_sandbox: The function cannot serve at the moment.\n"


async def test_counts_what_finished_and_what_is_in_flight(
    ingress: Ingress, sandbox: None, client: httpx.AsyncClient
) -> None:
    for _ in range(3):
        await ask(client)
    counted = (await ingress.counters([0, 1]))[0]
    assert (counted.finished, counted.in_flight) == (3, 0)
    async with asyncio.TaskGroup() as group:
        group.create_task(ask(client, "/hang"))
        deadline = asyncio.get_running_loop().time() + 2
        while (await ingress.counters([0]))[0].in_flight != 1:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.01)


async def test_switches_all_hosts_at_once_and_for_the_next_start(
    ingress: Ingress, sandbox: None, client: httpx.AsyncClient
) -> None:
    await ingress.set_routes({"new.example.org": Route("new", 9, 0, 700)})
    assert (await ask(client)).status_code == 404
    assert (await ask(client, host="new.example.org")).headers["x-nearhop-version"] == "9"
    assert content(ingress.paths.hosts) == "new.example.org s000|new|9|700\nv9--new.example.org s000|new|9|700\n"


async def test_countries_are_loaded_while_it_runs(
    ingress: Ingress, sandbox: None, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    source = tmp_path / "countries.cache"
    source.write_text("".join(f"10.{a}.{b}.0/24 DE\n" for a in range(8) for b in range(256)) + "203.0.113.0/24 JP\n")
    await ingress.load_countries(source)
    assert "x-nearhop-country: JP\r\n" in (await ask(client, x_forwarded_for="203.0.113.9")).text
    assert "x-nearhop-country: DE\r\n" in (await ask(client, x_forwarded_for="10.7.255.1")).text
    assert content(ingress.paths.countries) == source.read_text()


async def test_an_address_in_use_is_named(tmp_path: Path) -> None:
    host, _, _ = ADDRESS.partition(":")
    with socket.create_server((host, 7482)), pytest.raises(AddressInUse, match=f"{host}:7482"):
        await Ingress(settings(tmp_path, f"{host}:7482")).start({})


@pytest.mark.parametrize(("network", "told"), [("127.0.0.0/8", "203.0.113.7"), ("192.0.2.0/24", "")])
async def test_only_listed_ranges_speak_the_proxy_protocol(
    tmp_path: Path, sandbox: None, network: str, told: str
) -> None:
    host, _, _ = ADDRESS.partition(":")
    ingress = Ingress(replace(settings(tmp_path, f"{host}:7483"), proxy_protocol=(ip_network(network),)))
    await ingress.start(ROUTES)
    v1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n"
    v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([203, 0, 113, 7, 192, 0, 2, 1]) + b"\x12\x67\0\x50"
    for preface in (v1, v2):
        reader, writer = await asyncio.open_connection(host, 7483)
        writer.write(preface + b"GET / HTTP/1.1\r\nHost: a.example.org\r\nConnection: close\r\n\r\n")
        answer = (await reader.read()).decode()
        writer.close()
        assert answer.startswith("HTTP/1.1 200" if told else "HTTP/1.1 400")
        assert f"x-real-ip: {told}" in answer or not told
    await ingress.stop(0)
