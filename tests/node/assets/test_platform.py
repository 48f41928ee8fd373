"""The same folder, served by us and by Workers' own static assets: every answer is the same."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from controlplane.bundle import assets
from controlplane.bundle.settings import AssetSettings
from nearhop import children
from node.assets.store import AssetStore
from tests.dialects import platforms
from tests.node.assets.conftest import Ask, put

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

FILES = (
    "index.html", "about.html", "blog/index.html", "both.html", "both/index.html", "bin", "bin.html", "blog/404.html", "404.html", "a@b.txt",
    "ü.css", "a b.js", "data.json", "x/index",
)  # fmt: skip
REDIRECTS = """
/old /new 301
/see /about?x=1#top 303
/out https://example.org/x 308
/docs/* /:splat 302
/posts/:year/:name /:name-:year 307
/app/* /about 200
/about-us https://example.org/about
"""
HEADERS = """
/*
  X-All: 1
  Link: </style.css>
/blog/*
  Link: </blog.css>
  ! X-All
/:page
  X-Page: :page
"""
PATHS = (
    "/", "/index", "/index.html", "/about", "/about/", "/about.html", "/about/index", "/blog", "/blog/", "/blog.html", "/blog/index.html",
    "/blog/nope", "/both", "/both/", "/both.html", "/both/index.html", "/bin", "/bin/", "/bin.html", "/a@b.txt", "/a%40b.txt", "/%C3%BC.css",
    "/a%20b.js", "/a%62out", "//about", "//blog//", "/x/index", "/nope", "/nope/nope?x=1", "/data.json", "/old", "/old?x=1", "/see", "/out?y=2",
    "/docs/a/b", "/docs/", "/docs//example.net/x", "/posts/2024/hello", "/posts/2024/", "/app/x/y", "/app", "/about-us", "/404", "/404.html",
    "/_headers", "/_redirects",
)  # fmt: skip
COMBINATIONS = [
    ("auto-trailing-slash", "404-page"),
    ("force-trailing-slash", "none"),
    ("drop-trailing-slash", "single-page-application"),
    ("none", "404-page"),
]


@contextlib.asynccontextmanager
async def platform(packages: Path, folder: Path, html: str, missing: str) -> AsyncIterator[str]:
    program = Path(__file__).with_name("platform.mjs")
    process = await children.spawn(
        ["node", program, packages, folder, html, missing],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            line = (await process.stdout.readline()).decode().strip()
        assert line.startswith("http"), "Miniflare does not start"
        yield line.rstrip("/")
    finally:
        await children.stop(process, grace_s=1)


def told(reply: httpx.Response) -> dict[str, str | int | None]:
    names = ("location", "x-all", "x-page", "link", "cache-control")
    kind = (reply.headers.get("content-type") or "").partition(";")[0] if reply.status_code in (200, 404) else ""
    kind = kind.removeprefix("application/octet-stream")  # what ours says of a file of which theirs says nothing
    return {"status": reply.status_code, "text": reply.text, "type": kind, **{name: reply.headers.get(name) for name in names}}  # fmt: skip


@pytest.mark.parametrize(("html", "missing"), COMBINATIONS)
async def test_the_answers_are_the_platforms(
    store: AssetStore, ask: Ask, tmp_path: Path, html: str, missing: str
) -> None:
    try:
        packages = await platforms.install()
    except platforms.Missing as error:
        pytest.skip(str(error))
    folder = tmp_path / "site"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"/{name}")
    (folder / "_redirects").write_text(REDIRECTS)
    (folder / "_headers").write_text(HEADERS)
    made = assets.pack(folder, AssetSettings(".", html_handling=html, not_found_handling=missing))
    digest = put(store, made.data)
    different = []
    async with platform(packages, folder, html, missing) as address, httpx.AsyncClient(timeout=20) as client:
        for method, path in [*(("GET", path) for path in PATHS), ("POST", "/about"), ("HEAD", "/data.json"), ("PUT", "/x")]:  # fmt: skip
            theirs = told(await client.request(method, httpx.URL(address).copy_with(raw_path=path.encode())))
            ours = told(await ask(digest, path, method))
            if ours != theirs:
                different.append({"asked": f"{method} {path}", "ours": ours, "theirs": theirs})
    assert different == []
