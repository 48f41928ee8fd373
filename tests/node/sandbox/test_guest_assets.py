"""Guests with static files beside them: env.ASSETS over the node's real file server."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from nearhop import engines
from node.assets.process import SOCKET, AssetServer
from node.assets.store import AssetStore
from tests.harness.eventually import eventually
from tests.node.assets.conftest import make_pack
from tests.node.sandbox.guests import Boot, Booted, worker


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[tuple[AssetServer, str, str]]:

    store = AssetStore(tmp_path / "assets")
    store.open()
    digests = []
    for word in (b"mine", b"another tenant's"):
        pack = make_pack({"/index.html": word, "/a.txt": word})
        digests.append(hashlib.sha256(pack).hexdigest())
        store.write(digests[-1], pack)
    server = AssetServer([tmp_path / SOCKET], store, engines.find("deno").path, tmp_path / "cache")
    task = asyncio.get_running_loop().create_task(server.run())

    async def ready() -> bool:
        return server.ready

    try:
        await eventually(ready, within=15, reason="the server of static files is not ready")
        yield server, digests[0], digests[1]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def booted(boot: Boot, server: AssetServer, digest: str, source: str, dialect: str = "workers") -> Booted:
    manifest: dict[str, Any] = {"assets": {"digest": digest, "binding": "ASSETS"}}
    return await boot(
        source, dialect, services=list(server.sockets), sockets={"assets": str(server.sockets[0])}, manifest=manifest
    )


async def test_the_binding(boot: Boot, files: tuple[AssetServer, str, str]) -> None:
    server, mine, other = files
    guest = await booted(
        boot,
        server,
        mine,
        worker(
            f"""
            const url = new URL(request.url);
            if (url.pathname === "/steal") return env.ASSETS.fetch("http://x/a.txt", {{ headers: {{ "x-nearhop-assets": "{other}" }} }});
            if (url.pathname === "/post") return env.ASSETS.fetch(new Request("http://x/a.txt", {{ method: "POST" }}));
            const response = await env.ASSETS.fetch(request);
            return new Response(response.body, {{ status: response.status, headers: {{ ...Object.fromEntries(response.headers), "x-mine": "1" }} }});
            """
        ),
    )
    found = await guest.get("/a.txt")
    assert (found.status_code, found.text, found.headers["x-mine"]) == (200, "mine", "1")
    assert (await guest.get("/a.txt", **{"if-none-match": found.headers["etag"]})).status_code == 304
    part = await guest.get("/a.txt", range="bytes=1-2")
    assert (part.status_code, part.text) == (206, "in")
    assert (await guest.get("/none.txt")).status_code == 404
    assert (await guest.get("/steal")).text == "mine"
    assert (await guest.get("/post")).status_code == 405


async def test_pass_through_reaches_the_files(boot: Boot, files: tuple[AssetServer, str, str]) -> None:
    server, mine, _ = files
    source = worker("ctx.passThroughOnException(); throw new Error('broken')")
    guest = await booted(boot, server, mine, source)
    assert (await guest.get("/a.txt")).text == "mine"
    assert (await guest.send("POST", "/a.txt")).status_code == 500
    await guest.logged("broken")


async def test_middleware_goes_on_to_the_files(boot: Boot, files: tuple[AssetServer, str, str]) -> None:
    server, mine, _ = files
    source = (
        "export const middleware = () => new Response(null, { headers: { 'x-middleware-next': '1', 'x-seen': '1' } })"
    )
    guest = await booted(boot, server, mine, source, "vercel")
    reply = await guest.get("/a.txt")
    assert (reply.text, reply.headers["x-seen"]) == ("mine", "1")
