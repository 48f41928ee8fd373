"""What vercel.json says, followed by real guests: rules round functions and files, conditions of middleware, paths that are called by schedule."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from nearhop import engines
from node.assets.process import SOCKET, AssetServer
from node.assets.store import AssetStore
from tests.harness.eventually import eventually
from tests.node.assets.conftest import make_pack
from tests.node.sandbox.guests import CONTROL, Boot, Booted
from tests.node.sandbox.outside import Outside

FILES = {"/index.html": b"app", "/a.txt": b"text", "/docs/one.html": b"one"}
FUNCTIONS = """
const shown = (name) => (request) => {
  const { pathname, search } = new URL(request.url);
  return new Response(`${name} ${pathname}${search}`, { headers: { "x-own": "function", "x-both": "function" } });
};
export const hello = { GET: shown("hello"), POST: async (request) => new Response("posted " + await request.text()) };
export const user = { default: shown("user") };
export const nothing = { default: () => undefined };
"""
ROUTES = [
    {"path": "/api/hello", "export": "hello"},
    {"path": "/api/users/[id]", "export": "user"},
    {"path": "/api/nothing", "export": "nothing"},
]


def said(source: str = FUNCTIONS, crons: list[dict[str, str]] | None = None, **rules: list[dict[str, Any]]) -> str:
    routing = {"redirects": [], "headers": [], "rewrites": []} | rules
    return f"{source}\nexport const vercelJson = {json.dumps({'routing': routing, 'crons': crons or []})};"


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """The digest of a pack, and the socket of the server that shows it."""
    store = AssetStore(tmp_path / "assets")
    store.open()
    pack = make_pack(FILES)
    digest = hashlib.sha256(pack).hexdigest()
    store.write(digest, pack)
    server = AssetServer([tmp_path / SOCKET], store, engines.find("deno").path, tmp_path / "cache")
    task = asyncio.get_running_loop().create_task(server.run())

    async def ready() -> bool:
        return server.ready

    try:
        await eventually(ready, within=15, reason="the server of static files is not ready")
        yield digest, server.sockets[0]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def beside(boot: Boot, files: tuple[str, Path], source: str, **manifest: Any) -> Booted:
    digest, socket = files
    manifest = {"edge_routes": ROUTES, "assets": {"digest": digest}} | manifest
    guest = await boot(source, "vercel", services=[socket], sockets={"assets": str(socket)}, manifest=manifest)
    assert guest.error == ""
    return guest


async def test_rules_before_and_after_functions_and_files(boot: Boot, files: tuple[str, Path]) -> None:
    rewrites = [
        {"source": "/greet/:name", "destination": "/api/hello"},
        {"source": "/u/:id", "destination": "/api/users/:id"},
        {"source": "/api/hello", "destination": "/a.txt"},
        {"source": "/first", "destination": "/second"},
        {"source": "/second", "destination": "/a.txt"},
        {"source": "/nobody", "destination": "/api/nothing"},
        {"source": "/((?!api/).*)", "destination": "/index.html"},
    ]
    headers = [
        {"source": "/(.*)", "headers": [{"key": "x-both", "value": "rule"}]},
        {
            "source": "/:file.txt",
            "headers": [{"key": "cache-control", "value": "max-age=9"}, {"key": "x-file", "value": ":file"}],
        },
    ]
    redirects = [{"source": "/api/old", "destination": "/api/hello?a=1", "status": 308}]
    guest = await beside(boot, files, said(rewrites=rewrites, headers=headers, redirects=redirects))

    moved = await guest.get("/api/old?a=2&b=3")
    assert (moved.status_code, moved.headers["location"]) == (308, "/api/hello?a=1&b=3")
    assert "x-both" not in moved.headers
    # A function keeps its own headers, and is told what the client asked for.
    hello = await guest.get("/api/hello")
    assert (hello.text, hello.headers["x-both"]) == ("hello /api/hello", "function")
    assert (await guest.get("/greet/Ada?x=1")).text == "hello /greet/Ada?x=1&name=Ada"
    assert (await guest.send("POST", "/greet/Ada", content=b"body")).text == "posted body"
    assert (await guest.get("/u/7")).text == "user /u/7?id=7"
    # A file's headers give way.
    text = await guest.get("/a.txt")
    assert [text.text, *(text.headers[name] for name in ("cache-control", "x-file", "x-both"))] == [
        "text",
        "max-age=9",
        "a",
        "rule",
    ]
    assert (await guest.get("/first")).text == "text"
    assert (await guest.get("/any/where")).text == "app"
    assert (await guest.get("/docs/one")).text == "one"
    assert (await guest.get("/api/users/8")).text == "user /api/users/8?id=8"
    assert (await guest.get("/api/absent")).status_code == 404
    assert (await guest.get("/nobody")).status_code == 500


async def test_rules_round_middleware(boot: Boot, files: tuple[str, Path]) -> None:
    gate = """
    export function middleware(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/closed") return new Response("closed", { status: 403, headers: { "x-own": "gate" } });
      if (pathname === "/moved") return new Response("never");
      return new Response(null, { headers: { "x-middleware-next": "1", "x-gate": "passed" } });
    }
    """
    rules = {
        "redirects": [{"source": "/moved", "destination": "/a.txt", "status": 307}],
        "headers": [
            {
                "source": "/(.*)",
                "headers": [{"key": "cache-control", "value": "max-age=5"}, {"key": "x-own", "value": "rule"}],
            }
        ],
        "rewrites": [{"source": "/text", "destination": "/a.txt"}],
    }
    guest = await beside(boot, files, said(gate + FUNCTIONS, **rules))
    assert (await guest.get("/moved")).status_code == 307
    closed = await guest.get("/closed")
    assert (closed.status_code, closed.headers["x-own"], closed.headers["cache-control"]) == (403, "gate", "max-age=5")
    for path in ("/a.txt", "/text"):
        text = await guest.get(path)
        assert (text.text, text.headers["x-gate"], text.headers["cache-control"]) == ("text", "passed", "max-age=5")
    assert (await guest.get("/api/hello")).headers["x-own"] == "function"
    head = await guest.send("HEAD", "/text")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "4")


async def test_rules_of_files_alone(boot: Boot, files: tuple[str, Path]) -> None:
    source = said("", rewrites=[{"source": "/(.*)", "destination": "/index.html"}])
    guest = await beside(boot, files, source, edge_routes=[])
    assert [(await guest.get(path)).text for path in ("/", "/deep/link", "/a.txt")] == ["app", "app", "text"]
    assert (await guest.get("/", **{"if-none-match": (await guest.get("/x")).headers["etag"]})).status_code == 304


async def test_a_rewrite_to_another_host_goes_out(boot: Boot, origin: Outside) -> None:
    rules = [{"source": "/proxy/:path*", "destination": f"{origin.url}:path*?to=1"}]
    guest = await boot(said("", rewrites=rules), "vercel", manifest={}, limits={"subrequests": 2}, **origin.reached)
    assert (await guest.send("POST", "/proxy/a/b?c=2", content=b"12345")).text == "5"
    assert (await guest.get("/proxy/no")).status_code == 403
    assert (await guest.get("/proxy/x")).status_code == 200  # each request has its own count
    refused = said("", rewrites=[{"source": "/(.*)", "destination": "http://127.91.6.2:8099/"}])
    denied = await boot(refused, "vercel", **origin.reached)
    assert (await denied.get()).status_code == 500
    await denied.logged("egress_address")


async def test_a_rule_that_is_none_is_told_at_the_start(boot: Boot) -> None:
    for source, error in {
        "/a(": "has an open parenthesis",
        "/a((b))": "has a group within a group",
        "/:": "has a : without a name",
        "/a{b": "has an open brace",
        "/a*": "has a * that belongs to nothing",
        "/([)": "Invalid regular expression",
    }.items():
        guest = await boot(said(redirects=[{"source": source, "destination": "/", "status": 308}]), "vercel")
        assert error in guest.error


async def test_middleware_whose_matcher_has_conditions(boot: Boot) -> None:
    source = """
    export const config = { matcher: [
      { source: "/api/:path*", missing: [{ type: "header", key: "next-router-prefetch" }, { type: "cookie", key: "skip", value: "ye?s" }] },
      { source: "/by", has: [{ type: "query", key: "a", value: "\\\\d+" }, { type: "host", value: "(?<sub>.*)\\\\.example\\\\.org" }] },
      "/plain",
    ] };
    export const middleware = () => new Response("in");
    """
    guest = await boot(source, "vercel")
    assert guest.error == ""

    async def runs(path: str, **headers: str) -> bool:
        return (await guest.get(path, **headers)).text == "in"

    assert await runs("/api/a")
    assert await runs("/api/a", cookie="a=1; skip=no")
    assert not await runs("/api/a", cookie="a=1; skip=yes")
    assert not await runs("/api/a", **{"next-router-prefetch": "1"})
    assert await runs("/by?a=1")
    assert not await runs("/by?a=x")
    assert not await runs("/by?a=1", host="example.com")
    assert await runs("/plain")
    assert not await runs("/other")
    wrong = await boot(
        "export const config = { matcher: { source: '/', has: [{ type: 'ip' }] } }; export const middleware = 1",
        "vercel",
    )
    assert wrong.error != ""


CALLED = """
const seen = [];
export const tell = { GET: () => Response.json(seen) };
export const daily = { GET(request) {
  const h = (name) => request.headers.get(name);
  if (h("authorization") !== `Bearer ${process.env.CRON_SECRET}`) return new Response("no", { status: 401 });
  seen.push([request.method, new URL(request.url).pathname, h("user-agent"), h("x-vercel-cron-schedule"), h("x-vercel-ip-country")]);
  return Response.json({ ok: true });
} };
export const bad = { default: () => { throw new Error("no midnight") } };
"""
CALLS = [
    {"schedule": "0 5 * * *", "path": "/api/daily"},
    {"schedule": "0 5 * * *", "path": "/api/daily?again"},
    {"schedule": "0 0 * * *", "path": "/api/bad"},
    {"schedule": "1 0 * * *", "path": "/api/absent"},
]


@pytest.mark.parametrize("secret", ["open sesame", ""])
async def test_paths_are_called_by_schedule(boot: Boot, secret: str) -> None:
    guest = await boot(
        said(CALLED, CALLS),
        "vercel",
        control=CONTROL,
        function="shop",
        env={"CRON_SECRET": secret} if secret else {},
        manifest={"edge_routes": [{"path": f"/api/{name}", "export": name} for name in ("tell", "daily", "bad")]},
    )

    async def call(cron: str) -> tuple[int, str]:
        headers = {"x-nearhop-control": CONTROL, "x-nearhop-scheduled": json.dumps({"cron": cron, "scheduled_at": 1})}
        answer = await guest.send("POST", "/", headers=headers)
        return answer.status_code, answer.text.split("\n")[0]

    if not secret:
        assert await call("0 5 * * *") == (500, "Error: GET /api/daily was answered with 401")
        return
    assert await call("0 5 * * *") == (200, "")
    one = ["GET", "/api/daily", "vercel-cron/1.0", "0 5 * * *", None]
    assert (await guest.get("/api/tell")).json() == [one, one]
    assert await call("0 0 * * *") == (500, "Error: no midnight")
    assert await call("1 0 * * *") == (500, "Error: GET /api/absent was answered with 404")
    assert await call("9 9 * * *") == (500, "Error: no cron of vercel.json has the schedule 9 9 * * *")
