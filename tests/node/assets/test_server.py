"""The server of static files, as it runs on a node: a Deno process on a unix socket."""

import asyncio
import gzip
import os
import signal
from pathlib import Path

import pytest

from node.assets.process import AssetServer
from node.assets.store import AssetStore
from tests.harness.eventually import eventually
from tests.node.assets.conftest import Ask, make_pack, put, site

PAGE = b"<!doctype html><title>x</title>" + b"<p>words that are often there</p>" * 100
GZIPPED = gzip.compress(PAGE, mtime=0)
BROTLI = b"stands for the same page in brotli"


@pytest.mark.parametrize(
    ("html", "path", "status", "where"),
    [
        ("auto-trailing-slash", "/", 200, "/index.html"),
        ("auto-trailing-slash", "/index.html", 307, "/"),
        ("auto-trailing-slash", "/about", 200, "/about.html"),
        ("auto-trailing-slash", "/about/", 307, "/about"),
        ("auto-trailing-slash", "/blog?x=1", 307, "/blog/?x=1"),
        ("auto-trailing-slash", "/blog/", 200, "/blog/index.html"),
        ("auto-trailing-slash", "//blog/", 307, "/blog/"),
        ("auto-trailing-slash", "/a%62out", 307, "/about"),
        ("auto-trailing-slash", "/x@y.bin", 307, "/x%40y.bin"),
        ("auto-trailing-slash", "/x%40y.bin", 200, "/x@y.bin"),
        ("auto-trailing-slash", "/nope", 404, ""),
        ("auto-trailing-slash", "/../../etc/passwd", 404, ""),
        ("auto-trailing-slash", "/%2e%2e/contents", 404, ""),
        ("auto-trailing-slash", "/__proto__", 404, ""),
        ("force-trailing-slash", "/about", 307, "/about/"),
        ("force-trailing-slash", "/about/", 200, "/about.html"),
        ("drop-trailing-slash", "/blog/", 307, "/blog"),
        ("drop-trailing-slash", "/blog", 200, "/blog/index.html"),
        ("none", "/about", 404, ""),
        ("none", "/about.html", 200, "/about.html"),
    ],
)
async def test_paths(store: AssetStore, ask: Ask, html: str, path: str, status: int, where: str) -> None:
    digest = put(store, site("/index.html", "/about.html", "/blog/index.html", "/x@y.bin", html_handling=html))
    reply = await ask(digest, path)
    assert reply.status_code == status
    assert (reply.headers.get("location") if status == 307 else reply.text) == where


async def test_a_file_comes_with_what_clients_need(store: AssetStore, ask: Ask) -> None:
    reply = await ask(put(store, site("/a.html")), "/a")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["cache-control"] == "public, max-age=0, must-revalidate"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["content-length"] == "7"
    assert "vary" not in reply.headers


async def test_head_and_other_methods(store: AssetStore, ask: Ask) -> None:
    digest = put(store, make_pack({"/page.html": PAGE}))
    head = await ask(digest, "/page", "HEAD")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(PAGE)), b"")
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        reply = await ask(digest, "/page", method)
        assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD")
        assert (await ask(digest, "/nope", method)).status_code == 404


@pytest.mark.parametrize(
    ("accept", "coding", "body"),
    [
        ("gzip, deflate, br, zstd", "br", BROTLI),
        ("gzip", "gzip", GZIPPED),
        ("x-gzip", "gzip", GZIPPED),
        ("br;q=0.5, gzip", "gzip", GZIPPED),
        ("br;q=0, gzip;q=0.1", "gzip", GZIPPED),
        ("br;q=nonsense", None, PAGE),
        ("*", "br", BROTLI),
        ("identity", None, PAGE),
        ("gzip;q=0.5, identity", None, PAGE),
        ("zstd", None, PAGE),
        ("", None, PAGE),
    ],
)
async def test_precompressed(
    store: AssetStore, server: AssetServer, accept: str, coding: str | None, body: bytes
) -> None:
    digest = put(store, make_pack({"/p.html": PAGE}, variants={"/p.html": {"br": BROTLI, "gzip": GZIPPED}}))
    async with asyncio.timeout(10):
        reply = await raw(server, digest, "/p", accept)
    assert reply[0].get("content-encoding") == coding
    assert reply[0]["vary"] == "accept-encoding"
    assert reply[0]["content-length"] == str(len(body))
    assert reply[1] == body


async def raw(server: AssetServer, digest: str, path: str, accept: str) -> tuple[dict[str, str], bytes]:
    """The reply's headers and its bytes as they came, which a client library would decode."""
    reader, writer = await asyncio.open_unix_connection(server.sockets[0])
    lines = ("host: www.example.org", f"x-nearhop-assets: {digest}", f"accept-encoding: {accept}", "connection: close")
    writer.write("\r\n".join((f"GET {path} HTTP/1.1", *lines, "", "")).encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    pairs = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
    return {name.lower(): value for name, _, value in pairs}, body


async def test_the_engine_compresses_nothing_by_itself(store: AssetStore, server: AssetServer) -> None:
    headers, body = await raw(server, put(store, make_pack({"/p.html": PAGE})), "/p", "gzip, br")
    assert "content-encoding" not in headers
    assert headers["etag"].startswith('"')
    assert body == PAGE


async def test_conditional_requests(store: AssetStore, ask: Ask) -> None:
    digest = put(store, make_pack({"/p.html": PAGE}, variants={"/p.html": {"gzip": GZIPPED}}))
    tag = (await ask(digest, "/p")).headers["etag"]
    for header in (tag, f"W/{tag}", "*", f'"x", {tag}'):
        reply = await ask(digest, "/p", if_none_match=header)
        assert (reply.status_code, reply.content, reply.headers["etag"]) == (304, b"", tag)
        assert reply.headers["cache-control"]
    assert (await ask(digest, "/p", if_none_match='"x"')).status_code == 200
    assert (await ask(digest, "/p", if_match='"x"')).status_code == 412
    assert (await ask(digest, "/p", if_match=tag)).status_code == 200
    other = (await ask(digest, "/p", accept_encoding="gzip")).headers["etag"]
    assert other != tag
    assert (await ask(digest, "/p", accept_encoding="gzip", if_none_match=tag)).status_code == 200


async def test_the_same_content_has_the_same_tag_in_every_pack(store: AssetStore, ask: Ask) -> None:
    one, two = put(store, make_pack({"/a.html": PAGE})), put(store, make_pack({"/a.html": PAGE, "/b.html": b"b"}))
    assert (await ask(one, "/a")).headers["etag"] == (await ask(two, "/a")).headers["etag"]


@pytest.mark.parametrize(
    ("header", "status", "part"),
    [
        ("bytes=0-3", 206, (0, 4)),
        ("bytes=4-", 206, (4, 300_000)),
        ("bytes=-5", 206, (299_995, 300_000)),
        ("bytes=-900000", 206, (0, 300_000)),
        ("bytes=299999-400000", 206, (299_999, 300_000)),
        ("bytes=300000-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=5-3", 200, None),
        ("bytes=0-1,5-6", 200, None),
        ("bytes=-", 200, None),
        ("lines=0-3", 200, None),
        ("bytes=99999999999999999999-", 200, None),
    ],
)
async def test_ranges(store: AssetStore, ask: Ask, header: str, status: int, part: tuple[int, int] | None) -> None:
    body = os.urandom(300_000)
    reply = await ask(put(store, make_pack({"/a.bin": body})), "/a.bin", range=header, accept_encoding="gzip")
    assert reply.status_code == status
    if part is not None:
        assert reply.content == body[slice(*part)]
        assert reply.headers["content-range"] == f"bytes {part[0]}-{part[1] - 1}/300000"
    elif status == 416:
        assert reply.headers["content-range"] == "bytes */300000"
    else:
        assert reply.content == body


async def test_if_range(store: AssetStore, ask: Ask) -> None:
    digest = put(store, make_pack({"/a.bin": b"0123456789"}))
    tag = (await ask(digest, "/a.bin")).headers["etag"]
    assert (await ask(digest, "/a.bin", range="bytes=0-3", if_range=tag)).content == b"0123"
    for other in ('"x"', f"W/{tag}", "Mon, 23 Nov 2026 00:00:00 GMT"):
        reply = await ask(digest, "/a.bin", range="bytes=0-3", if_range=other)
        assert (reply.status_code, reply.content) == (200, b"0123456789")


async def test_a_great_file_is_streamed_whole(store: AssetStore, ask: Ask) -> None:
    body = os.urandom(3_000_000)
    digest = put(store, make_pack({"/a.bin": body, "/empty.bin": b""}))
    assert (await ask(digest, "/a.bin")).content == body
    assert (await ask(digest, "/empty.bin")).content == b""


async def test_a_page_for_what_is_not_there(store: AssetStore, ask: Ask) -> None:
    paths = ("/index.html", "/404.html", "/blog/404.html")
    digest = put(store, site(*paths, not_found_handling="404-page"))
    for path, page in (("/nope", "/404.html"), ("/blog/a/b", "/blog/404.html"), ("/shop/x", "/404.html")):
        reply = await ask(digest, path)
        assert (reply.status_code, reply.text) == (404, page)
    single = put(store, site(*paths, not_found_handling="single-page-application"))
    reply = await ask(single, "/app/settings")
    assert (reply.status_code, reply.text) == (200, "/index.html")
    assert (await ask(single, "/app", "POST")).status_code == 405
    nothing = put(store, site("/a.bin", not_found_handling="404-page"))
    assert (await ask(nothing, "/x")).status_code == 404


RULES = [
    {"from": "/old", "to": "/new", "status": 301},
    {"from": "/search", "to": "/find?q=1#top", "status": 302},
    {"from": "/out", "to": "https://example.org/x", "status": 308},
    {"from": "/see", "to": "/new", "status": 303},
    {"from": "/users/*", "to": "/profile", "status": 200},
    {"from": "/blog/:year/:slug", "to": "/posts/:slug-:year", "status": 307},
    {"from": "/docs/*", "to": "/:splat", "status": 302},
    {"from": "/img-:name.png", "to": "https://cdn.example.org/:name.webp", "status": 302},
    {"from": "/a*z/:end", "to": "/:end/:splat", "status": 302},
]


@pytest.mark.parametrize(
    ("path", "status", "where"),
    [
        ("/old", 301, "/new"),
        ("/old?x=1", 301, "/new?x=1"),
        ("/search?x=1", 302, "/find?q=1#top"),
        ("/out?x=1", 308, "https://example.org/x?x=1"),
        ("/see", 303, "/new"),
        ("/users/1/2", 200, "/profile.html"),
        ("/blog/2024/hello", 307, "/posts/hello-2024"),
        ("/blog/2024/hello/x", 404, ""),
        ("/docs/a/b", 302, "/a/b"),
        ("/docs//evil.example/x", 302, "/evil.example/x"),
        ("/docs/%2f%2fevil.example", 302, "/%2f%2fevil.example"),
        ("/img-cat.png", 302, "https://cdn.example.org/cat.webp"),
        ("/img-.png", 404, ""),
        ("/a/b/z/q", 302, "/q//b/"),
        ("/az/q", 302, "/q/"),
    ],
)
async def test_redirects(store: AssetStore, ask: Ask, path: str, status: int, where: str) -> None:
    reply = await ask(put(store, site("/profile.html", redirects=RULES)), path)
    assert reply.status_code == status
    assert reply.headers.get("location", reply.text) == where


async def test_headers(store: AssetStore, ask: Ask) -> None:
    rules = [
        {"path": "/*", "set": [["x-frame-options", "DENY"], ["link", "</a>"]], "unset": []},
        {"path": "/static/:name.bin", "set": [["cache-control", "max-age=9"], ["link", "</:name>"]], "unset": []},
        {"path": "/static/*", "set": [], "unset": ["x-frame-options"]},
        {"path": "https://:sub.example.org/*", "set": [["x-sub", ":sub"]], "unset": []},
        {"path": "https://example.net/*", "set": [["x-net", "1"]], "unset": []},
    ]
    digest = put(store, site("/static/a.bin", "/b.html", headers=rules))
    reply = await ask(digest, "/static/a.bin")
    assert reply.headers["cache-control"] == "max-age=9"
    assert reply.headers["link"] == "</a>, </a>"
    assert "x-frame-options" not in reply.headers
    assert (reply.headers["x-sub"], reply.headers.get("x-net")) == ("www", None)
    for path in ("/b", "/b.html", "/nope"):
        assert (await ask(digest, path)).headers["x-frame-options"] == "DENY"
    assert "x-sub" not in (await ask(digest, "/b", host="example.org")).headers


async def test_a_pattern_takes_no_longer_for_a_long_path(store: AssetStore, ask: Ask) -> None:
    rules = [{"from": f"/{n}/:a/:b/:c/*/x:d", "to": "/:a", "status": 302} for n in range(100)]
    digest = put(store, site("/a.bin", redirects=rules))
    async with asyncio.timeout(3):
        for _ in range(20):
            assert (await ask(digest, "/1" + "/-" * 3000)).status_code == 404


async def test_a_pack_that_is_not_there(store: AssetStore, ask: Ask) -> None:
    assert (await ask("0" * 64, "/")).status_code == 503
    for odd in ("", "../x", "A" * 64):
        assert (await ask(odd, "/")).status_code == 400
    digest = put(store, site("/index.html"))
    assert (await ask(digest, "/")).status_code == 200


async def test_it_is_started_again_when_it_ends(store: AssetStore, server: AssetServer, ask: Ask) -> None:
    digest = put(store, site("/index.html"))
    assert server._process is not None
    before = server._process.pid
    os.kill(before, signal.SIGKILL)

    async def again() -> bool:
        return server.ready and server._process is not None and server._process.pid != before

    await eventually(again, within=10, reason="it was not started again")
    assert (await ask(digest, "/")).status_code == 200
    assert server.restarts == 1


async def test_it_may_do_nothing_but_read_packs(server: AssetServer, tmp_path: Path) -> None:
    flags = [str(part) for part in server.command()]
    assert not [flag for flag in flags if flag.startswith(("--allow-run", "--allow-env", "-A"))]
    assert [flag for flag in flags if flag.startswith("--allow")] == [
        f"--allow-read={tmp_path / 'assets'},{tmp_path / 'assets.sock'}",
        f"--allow-write={tmp_path / 'assets.sock'}",
        f"--allow-net=unix:{tmp_path / 'assets.sock'}",
    ]
