"""Where requests go, and which limits hold on the way: seen through a real HAProxy by listeners that name themselves."""

import asyncio
import collections
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from nearhop.spec import RateLimit
from node.haproxy import settings
from node.haproxy.process import Ingress
from node.plan.records import Route

ADDRESS = f"127.31.{os.getpid() % 200 + 20}.2:7481"
A, B = Route("a", 1, 0, 30_000), Route("b", 7, 1, 30_000)


class Listener:
    """Answers each request with its own name, the head that it got, and the number of bytes in the body; /hang waits for *go*."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heads: list[str] = []
        self.go = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                for line in head.lower().splitlines():
                    if line.startswith("content-length: "):
                        await reader.readexactly(int(line.partition(": ")[2]))
                if head.startswith("GET /hang"):
                    await self.go.wait()
                writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(self.name)}\r\n\r\n{self.name}".encode())
        writer.close()


Serve = Callable[[dict[str, Route]], "asyncio.Future[None]"]


@pytest.fixture
async def listeners(tmp_path: Path) -> AsyncIterator[dict[str, Listener]]:
    async with contextlib.AsyncExitStack() as stack:
        found = {}
        for name in ("s000", "s001", "s002", "activator", "assets"):
            found[name] = Listener(name)
            server = await asyncio.start_unix_server(found[name].serve, tmp_path / f"{name}.sock")
            stack.callback(server.close)
        yield found
        for listener in found.values():
            listener.go.set()


@pytest.fixture
async def ingress(tmp_path: Path, listeners: dict[str, Listener], real: None) -> AsyncIterator[Ingress]:
    ingress = Ingress(settings.Ingress("tokyo-1", "tokyo", (ADDRESS,), 3, str(tmp_path), str(tmp_path), cache_mib=4))
    await ingress.start({})
    yield ingress
    for listener in listeners.values():
        listener.go.set()
    await ingress.stop(0)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://{ADDRESS}", timeout=5) as client:
        yield client


async def where(client: httpx.AsyncClient, host: str, path: str = "/", **headers: str) -> str:
    """Return who answered: a listener's name, or the reason why none did."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await client.get(path, headers={"host": host} | named)
    return answer.headers.get("x-nearhop-reason") or answer.text


@pytest.mark.parametrize(
    "spelling", ["a.example.org", "A.example.ORG", "a.example.org.", "a.example.org:7481", "A.EXAMPLE.org.:80"]
)
async def test_a_hostname_has_several_spellings(ingress: Ingress, client: httpx.AsyncClient, spelling: str) -> None:
    await ingress.set_routes({"a.example.org": A})
    assert await where(client, spelling) == "s000"


@pytest.mark.parametrize(
    "host", ["b.example.org, a.example.org", "a.example.org:x", "a.example.org:80:80", "", "[::1]", "a b"]
)
async def test_what_is_no_hostname_is_refused(ingress: Ingress, client: httpx.AsyncClient, host: str) -> None:
    await ingress.set_routes({"a.example.org": A})
    answer = await client.get("/", headers={"host": host})
    assert answer.status_code == 400
    assert "s000" not in answer.text


async def test_the_longest_path_of_whole_segments_wins(ingress: Ingress, client: httpx.AsyncClient) -> None:
    deep = Route("c", 1, 2, 30_000)
    await ingress.set_routes(
        {"x.example.org": A, "x.example.org/api": B, "x.example.org/api/deep/": deep, "y.example.org/api": B}
    )
    told = {
        path: await where(client, "x.example.org", path)
        for path in ("/", "/api", "/api/", "/api/x?y=/api/deep/", "/apix", "/API")
    }
    assert told == {
        "/": "s000",
        "/api": "s001",
        "/api/": "s001",
        "/api/x?y=/api/deep/": "s001",
        "/apix": "s000",
        "/API": "s000",
    }
    assert await where(client, "X.example.org:80", "/api/deep/er") == "s002"
    assert await where(client, "y.example.org", "/api/x") == "s001"
    assert await where(client, "y.example.org", "/") == "no_such_host"


async def test_shares_divide_the_requests(ingress: Ingress, client: httpx.AsyncClient) -> None:
    canary = Route("a", 2, 1, 30_000)
    preview = Route("a", 3, 2, 30_000)
    await ingress.set_routes({"a.example.org": replace(A, shares=((70, A), (30, canary), (0, preview)))})
    counted = collections.Counter([await where(client, "a.example.org") for _ in range(200)])
    assert counted.keys() == {"s000", "s001"}
    assert 20 < counted["s001"] < 110  # 60 expected
    for version, slot in ((1, "s000"), (2, "s001"), (3, "s002")):
        assert await where(client, "a.example.org", x_nearhop_version=str(version)) == slot
    assert await where(client, "a.example.org", x_nearhop_version="4") in {"s000", "s001"}
    seen = {}
    for who in map(str, range(40)):
        seen[who] = {await where(client, "a.example.org", x_nearhop_version_key=who) for _ in range(3)}
    assert {len(slots) for slots in seen.values()} == {1}
    assert len(set.union(*seen.values())) == 2
    assert await where(client, "a.example.org", cookie="b=c; nearhop-version-key=7") in seen["7"]
    # Whoever has the new version keeps it while its share grows.
    await ingress.set_routes({"a.example.org": replace(A, shares=((40, A), (60, canary)))})
    for who, slots in seen.items():
        if slots == {"s001"}:
            assert await where(client, "a.example.org", x_nearhop_version_key=who) == "s001"


async def test_a_version_has_a_host_of_its_own(ingress: Ingress, client: httpx.AsyncClient) -> None:
    canary = Route("a", 2, 1, 30_000)
    await ingress.set_routes({"a.nearhop.test": replace(A, shares=((100, A), (0, canary))), "b.nearhop.test": B})
    told = [await where(client, f"{name}.nearhop.test") for name in ("v1--a", "v2--a", "v3--a", "v7--b", "v1--b")]
    assert told == ["s000", "s001", "no_such_host", "s001", "no_such_host"]
    assert {await where(client, "v2--a.nearhop.test", x_nearhop_version="1") for _ in range(5)} == {"s001"}


async def test_any_of_several_sandboxes_may_answer(ingress: Ingress, client: httpx.AsyncClient) -> None:
    await ingress.set_routes(
        {"a.example.org": replace(A, slots=(0, 1, 2)), "x.example.org/api": replace(B, slots=(1, 2))}
    )
    assert {await where(client, "a.example.org") for _ in range(60)} == {"s000", "s001", "s002"}
    assert {await where(client, "A.example.org:80") for _ in range(60)} == {"s000", "s001", "s002"}
    assert {await where(client, "x.example.org", "/api/x") for _ in range(60)} == {"s001", "s002"}


@pytest.mark.parametrize("caching", [b"", b"s-maxage"])
async def test_several_sandboxes_share_what_may_be_in_flight(
    ingress: Ingress, client: httpx.AsyncClient, listeners: dict[str, Listener], caching: bytes
) -> None:
    ingress.expect_caching("a", caching)
    await ingress.set_routes({"a.example.org": replace(A, slots=(0, 1, 2, 0, 1, 2))})
    async with (
        httpx.AsyncClient(base_url=f"http://{ADDRESS}", timeout=20, limits=httpx.Limits()) as many,
        asyncio.TaskGroup() as group,
    ):
        waiting = [group.create_task(where(many, "a.example.org", "/hang")) for _ in range(420)]
        async with asyncio.timeout(15):
            while sum(task.done() for task in waiting) < 100:
                await asyncio.sleep(0.01)
        for listener in listeners.values():
            listener.go.set()
    counted = collections.Counter(task.result() for task in waiting)
    assert counted["exceeded_concurrency"] == 420 - 3 * 100
    assert [counted[name] for name in ("s000", "s001", "s002")] == [100] * 3


async def test_who_has_no_sandbox_is_started_or_refused(
    ingress: Ingress, client: httpx.AsyncClient, listeners: dict[str, Listener]
) -> None:
    await ingress.set_routes(
        {
            "a.example.org": Route("a", 4, None, 900, startable=True),
            "b.example.org": Route("b", 4, None, 900),
            "c.example.org": Route("c", 4, 0, 900, refusal="breaker_open"),
        }
    )
    assert await where(client, "a.example.org") == "activator"
    assert "x-nearhop-function: a\r\nx-nearhop-version: 4\r\n" in listeners["activator"].heads[0]
    assert await where(client, "b.example.org") == "no_sandbox"
    refused = await client.get("/", headers={"host": "c.example.org"})
    assert (refused.status_code, refused.headers["x-nearhop-reason"]) == (503, "breaker_open")
    assert refused.headers["retry-after"] == "1"
    assert refused.text.startswith("breaker_open: ")


async def test_files_answer_before_the_program(
    ingress: Ingress, client: httpx.AsyncClient, listeners: dict[str, Listener]
) -> None:
    await ingress.set_assets({"d1-12": ["/", "/logo.svg", "/%C3%A4.html"], "d2": ["/else"]})
    await ingress.set_routes(
        {
            "a.example.org": replace(A, assets="d1-12"),
            "s.example.org": Route("s", 2, None, 900, assets="d1-12", static=True),
        }
    )
    told = [
        await where(client, "a.example.org", path) for path in ("/", "/logo.svg?x", "/%C3%A4.html", "/else", "/api")
    ]
    assert told == ["assets", "assets", "assets", "s000", "s000"]
    assert "x-nearhop-assets: d1\r\n" in listeners["assets"].heads[0]
    assert await where(client, "s.example.org", "/nothing") == "assets"
    assert (await client.get("/", headers={"host": "s.example.org"})).headers["x-nearhop-version"] == "2"


async def test_headers_of_other_platforms_are_not_taken_from_clients(
    ingress: Ingress, client: httpx.AsyncClient, listeners: dict[str, Listener]
) -> None:
    await ingress.set_routes({"a.example.org": A})
    spoofed = {
        "cf-connecting-ip": "1.1.1.1", "x-vercel-ip-country": "KP", "x-forwarded-host": "evil", "forwarded": "for=1.1.1.1",
        "x-real-ip": "1.1.1.1", "true-client-ip": "1.1.1.1", "x-nearhop-assets": "d", "x-request-id": "mine", "x-own": "kept",
    }  # fmt: skip
    await client.get("/", headers={"host": "a.example.org"} | spoofed)
    head = listeners["s000"].heads[0]
    own = ADDRESS.rpartition(":")[0].rpartition(".")[0]
    assert "x-own: kept\r\n" in head
    assert "x-real-ip: 127.0.0.1\r\n" in head or f"x-real-ip: {own}" in head
    for text in ("1.1.1.1", "KP", "evil", "mine", "x-nearhop-assets"):
        assert text not in head


async def test_each_function_has_its_own_greatest_body(ingress: Ingress, client: httpx.AsyncClient) -> None:
    await ingress.set_routes({"a.example.org": A, "small.example.org": replace(B, request_body_bytes=1000)})

    async def post(host: str, size: int) -> str:
        reader, writer = await asyncio.open_connection(*ADDRESS.rsplit(":", 1))
        writer.write(
            f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\n\r\n".encode() + bytes(min(size, 2000))
        )
        answer = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.close()
        return answer.split()[1] + (" exceeded_body" if "x-nearhop-reason: exceeded_body\r\n" in answer else "")

    assert await post("small.example.org", 1000) == "200"
    assert await post("small.example.org", 1001) == "413 exceeded_body"
    assert await post("a.example.org", 1001) == "200"
    assert await post("a.example.org", (10 << 20) + 1) == "413 exceeded_body"


async def test_long_urls_and_large_headers_are_refused(ingress: Ingress, client: httpx.AsyncClient) -> None:
    await ingress.set_routes({"a.example.org": A})
    answer = await client.get("/" + "a" * 8192, headers={"host": "a.example.org", "accept": "application/json"})
    assert (answer.status_code, answer.json()["reason"]) == (414, "url_too_long")
    assert await where(client, "a.example.org", "/" + "a" * 8000) == "s000"
    assert (await client.get("/", headers={"host": "a.example.org", "x": "a" * 20_000})).status_code in {400, 431}
    many = [("host", "a.example.org"), *((f"x-{n}", "1") for n in range(150))]
    assert (await client.get("/", headers=many)).status_code in {400, 431}


async def test_requests_in_flight_are_bounded(
    ingress: Ingress, client: httpx.AsyncClient, listeners: dict[str, Listener]
) -> None:
    await ingress.set_routes({"a.example.org": replace(A, concurrency=2, slots=(0, 1))})
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(where(client, "a.example.org", "/hang")) for _ in range(2)]
        async with asyncio.timeout(3):
            while sum(len(listener.heads) for listener in listeners.values()) < 2:
                await asyncio.sleep(0.01)
        assert await where(client, "a.example.org") == "exceeded_concurrency"
        for listener in listeners.values():
            listener.go.set()
    assert {task.result() for task in waiting} <= {"s000", "s001"}
    assert await where(client, "a.example.org") in {"s000", "s001"}


async def test_one_client_may_send_so_many_requests(ingress: Ingress, client: httpx.AsyncClient) -> None:
    await ingress.set_routes({"a.example.org": replace(A, rate_limit=RateLimit(3, 3600)), "b.example.org": B})
    assert [await where(client, "a.example.org") for _ in range(4)] == ["s000"] * 3 + ["rate_limited"]
    answer = await client.get("/", headers={"host": "a.example.org"})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 3600
    assert await where(client, "b.example.org") == "s001"
    assert await where(client, "c.example.org") == "no_such_host"
    assert await where(client, "b.example.org", "/" + "x" * 9000) == "url_too_long"
    assert await ingress.refusals() == {("a", "rate_limited"): 2, ("", "no_such_host"): 1, ("b", "url_too_long"): 1}
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(local_address="127.0.0.77")) as other:
        assert (await other.get(f"http://{ADDRESS}/", headers={"host": "a.example.org"})).status_code == 200


@pytest.mark.acceptance
async def test_no_request_fails_while_routes_change(
    ingress: Ingress, client: httpx.AsyncClient, listeners: dict[str, Listener]
) -> None:
    await ingress.set_routes({"a.example.org": A})
    answers: collections.Counter[str] = collections.Counter()
    done = asyncio.Event()

    async def ask() -> None:
        while not done.is_set():
            answers[await where(client, "a.example.org")] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(ask())
        for number in range(60):  # entries in place, whole maps, shares, and back
            others = {f"h{n}.example.org": A for n in range(number % 7 * 100)}
            slots = ((0,), (0, 1), (1,), (1, 2), (2,))[number % 5]
            route = replace(A, version=number + 1, slot=slots[0], slots=slots, cache_epoch=number % 2)
            await ingress.set_routes({**others, "a.example.org": route})
            await ingress.set_assets({"d": [f"/{n}" for n in range(number * 10)]})
        done.set()
    assert answers.keys() <= {"s000", "s001", "s002"}
    assert len(answers) == 3
