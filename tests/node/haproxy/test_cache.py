"""The edge cache at a real HAProxy: what RFC 9111 lets a shared cache keep, and what it does not."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from nearhop.spec import RateLimit
from node.haproxy import settings
from node.haproxy.process import Ingress
from node.plan.records import Route

ADDRESS = f"127.31.{os.getpid() % 200 + 20}.4:7481"
A = Route("a", 1, 0, 30_000)
MISS, HIT = "nearhop; fwd=miss; stored", "nearhop; hit"


class Program:
    """Answers with the number of requests that it has seen, the method and the host, and the headers that it was given."""

    def __init__(self) -> None:
        self.seen = 0
        self.status = 200
        self.headers = ["cache-control: s-maxage=60"]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.seen += 1
                host = next(line for line in head.lower().splitlines() if line.startswith("host: "))
                body = "" if head.startswith("HEAD") else f"{self.seen} {host}"
                lines = [f"HTTP/1.1 {self.status} X", f"content-length: {len(body)}", *self.headers, "", body]
                writer.write("\r\n".join(lines).encode())
        writer.close()


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[Program]:
    program = Program()
    server = await asyncio.start_unix_server(program.serve, tmp_path / "s000.sock")
    yield program
    server.close()


@pytest.fixture
async def ingress(tmp_path: Path, program: Program, real: None) -> AsyncIterator[Ingress]:
    ingress = Ingress(settings.Ingress("tokyo-1", "tokyo", (ADDRESS,), 3, str(tmp_path), str(tmp_path), cache_mib=4))
    await ingress.start({"a.example.org": A, "b.example.org": A})
    yield ingress
    await ingress.stop(0)


@pytest.fixture
async def client(ingress: Ingress) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://{ADDRESS}", timeout=5) as client:
        ingress.expect_caching("a", b'"cache-control": "s-maxage=60"')
        await ingress.set_routes({"a.example.org": A, "b.example.org": A})
        yield client


async def ask(client: httpx.AsyncClient, path: str = "/", method: str = "GET", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.request(method, path, headers={"host": "a.example.org"} | named)


async def stores(client: httpx.AsyncClient, **headers: str) -> bool:
    """Say whether a second request is answered without the program."""
    first, second = await ask(client, **headers), await ask(client, **headers)
    assert first.status_code == second.status_code
    stored = second.headers.get("cache-status") == HIT
    assert (first.headers.get("cache-status") == MISS) == stored
    assert (first.text == second.text) == stored
    return stored


async def test_a_hit_says_so_and_how_old_it_is(client: httpx.AsyncClient, program: Program) -> None:
    first = await ask(client)
    second = await ask(client)
    assert (first.headers["cache-status"], second.headers["cache-status"]) == (MISS, HIT)
    assert first.text == second.text == "1 host: a.example.org"  # the function has seen the host that was asked for
    assert int(second.headers["age"]) < 5
    assert second.headers["cache-control"] == "s-maxage=60"
    assert (second.headers["x-nearhop-node"], second.headers["x-nearhop-version"]) == ("tokyo-1", "1")
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert second.headers.get_list("x-request-id") == [second.headers["x-request-id"]]


@pytest.mark.parametrize(
    ("kept", "headers"),
    [
        (True, ["cache-control: public, max-age=60"]),
        (True, ["Cache-Control: max-age=0, S-MAXAGE=60"]),
        (True, ["cache-control: s-maxage=60", "vary: Accept-Encoding"]),
        (True, ["cache-control: s-maxage=60, stale-while-revalidate=5"]),
        (False, []),
        (False, ["cache-control: public"]),
        (False, ["cache-control: max-age=60"]),
        (False, ["cache-control: public, max-age=0"]),
        (False, ["cache-control: public, max-age=60, s-maxage=0"]),
        (False, ["cache-control: s-maxage=60, private"]),
        (False, ["cache-control: s-maxage=60, no-store"]),
        (False, ["cache-control: s-maxage=60, no-cache"]),
        (False, ["cache-control: s-maxage=60", "cache-control: private"]),
        (False, ["cache-control: s-maxage=60", "set-cookie: a=b"]),
        (False, ["cache-control: s-maxage=60", "vary: *"]),
        (False, ["cache-control: s-maxage=60", "vary: x-nearhop-country"]),
        (False, ["cache-control: s-maxage=60", "vary: origin"]),
        (False, ["cache-control: s-maxage=60", "vary: accept-encoding, cookie"]),
        (False, ["cache-control: s-maxage=60", "vary: accept-encoding", "vary: cookie"]),
        (False, ["expires: Fri, 01 Jan 2100 00:00:00 GMT"]),
    ],
)
async def test_only_what_shared_caches_may_keep_is_kept(
    client: httpx.AsyncClient, program: Program, kept: bool, headers: list[str]
) -> None:
    program.headers = headers
    assert await stores(client) == kept


@pytest.mark.parametrize("status", [201, 204, 301, 404, 500])
async def test_only_200_is_kept(client: httpx.AsyncClient, program: Program, status: int) -> None:
    program.status = status
    first, second = await ask(client), await ask(client)
    assert "cache-status" not in first.headers
    assert "cache-status" not in second.headers


async def test_hosts_paths_queries_and_variants_are_kept_apart(client: httpx.AsyncClient, program: Program) -> None:
    await ask(client, "/x?y=1")
    assert (await ask(client, "/x?y=2")).headers["cache-status"] == MISS
    assert (await ask(client, "/x?y=1", host="b.example.org")).headers["cache-status"] == MISS
    assert (await ask(client, "/x?y=1", host="A.example.org")).headers["cache-status"] == HIT
    program.headers = ["cache-control: s-maxage=60", "vary: referer"]
    for status in (MISS, HIT):
        assert (await ask(client, "/o", referer="https://o.example.org")).headers["cache-status"] == status
        assert (await ask(client, "/o", referer="https://p.example.org")).headers["cache-status"] == status


async def test_methods(client: httpx.AsyncClient, program: Program) -> None:
    assert "cache-status" not in (await ask(client, method="HEAD")).headers
    assert (await ask(client)).headers["cache-status"] == MISS
    assert (await ask(client, method="HEAD")).headers["cache-status"] == HIT
    posted = await ask(client, method="POST")
    assert "cache-status" not in posted.headers
    # RFC 9111 section 4.4: an unsafe method that succeeds ends what is kept for its URL.
    assert (await ask(client)).headers["cache-status"] == MISS


async def test_conditional_requests_and_those_that_want_no_cache(client: httpx.AsyncClient, program: Program) -> None:
    program.headers = ["cache-control: s-maxage=60", 'etag: "e"']
    await ask(client)
    assert (await ask(client, if_none_match='"e"')).status_code == 304
    seen = program.seen
    await ask(client, cache_control="no-cache")
    assert program.seen == seen + 1


async def test_authorized_answers_are_not_given_to_others(client: httpx.AsyncClient, program: Program) -> None:
    program.headers = ["cache-control: max-age=60"]
    assert not await stores(client, authorization="Bearer a")


async def test_a_function_that_gives_such_answers_is_found_out(ingress: Ingress, program: Program) -> None:
    async with httpx.AsyncClient(base_url=f"http://{ADDRESS}", timeout=5) as client:
        ingress.expect_caching("a", b"return new Response()")
        await ingress.set_routes({"a.example.org": A})
        program.headers = ["cache-control: s-maxage=60, private"]
        await ask(client)
        await ingress.learn_caching()
        program.headers = ["cache-control: s-maxage=60"]
        assert "cache-status" not in (await ask(client)).headers
        assert "cache-status" not in (await ask(client)).headers
        await ingress.learn_caching()
        assert await stores(client)
        assert (await ingress.counters([0]))[0].finished == 4


async def test_a_deploy_and_a_purge_leave_behind_what_was_kept(
    ingress: Ingress, client: httpx.AsyncClient, program: Program
) -> None:
    assert await stores(client)
    for route in (
        replace(A, cache_epoch=1),
        replace(A, cache_epoch=2),
        replace(A, version=2, cache_epoch=2),
        replace(A, version=2, cache_epoch=3, rate_limit=RateLimit(1000, 10)),
    ):
        await ingress.set_routes({"a.example.org": route})
        assert await stores(client)
    await ingress.set_routes({"a.example.org": replace(A, version=2, cache_epoch=3, slots=(0, 0))})
    assert (await ask(client)).headers["cache-status"] == HIT
