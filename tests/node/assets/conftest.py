"""Packs and a running server of them."""

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from nearhop import engines
from node.assets.process import SOCKET, AssetServer
from node.assets.store import AssetStore
from tests.harness.eventually import eventually

Ask = Callable[..., Awaitable[httpx.Response]]


def content_type(path: str) -> str:
    return "text/html; charset=utf-8" if path.endswith(".html") else "application/octet-stream"


def make_pack(
    files: dict[str, bytes], *, variants: dict[str, dict[str, bytes]] | None = None, **settings: Any
) -> bytes:
    """A pack of *files*; a file's text is its path where none is given."""
    contents: dict[str, bytes] = {}

    def content(body: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(body).hexdigest()
        contents[digest] = body
        return {"sha256": digest, "size": len(body)}

    index = {
        "format": 1,
        "html_handling": "auto-trailing-slash",
        "not_found_handling": "none",
        "headers": [],
        "redirects": [],
        "files": [
            {"path": path, "type": content_type(path), **content(body)}
            | {coding: content(made) for coding, made in (variants or {}).get(path, {}).items()}
            for path, body in files.items()
        ],
    } | settings
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        archive.writestr("index.json", json.dumps(index))
        for digest, body in contents.items():
            archive.writestr(digest, body)
    return output.getvalue()


def site(*paths: str, **settings: Any) -> bytes:
    return make_pack({path: path.encode() for path in paths}, **settings)


@pytest.fixture
def store(tmp_path: Path) -> AssetStore:
    store = AssetStore(tmp_path / "assets")
    store.open()
    return store


def put(store: AssetStore, pack: bytes) -> str:
    digest = hashlib.sha256(pack).hexdigest()
    store.write(digest, pack)
    return digest


@pytest.fixture
async def server(store: AssetStore, tmp_path: Path, real: None) -> AsyncIterator[AssetServer]:
    server = AssetServer([tmp_path / SOCKET], store, engines.find("deno").path, tmp_path / "cache")
    task = asyncio.get_running_loop().create_task(server.run())

    async def ready() -> bool:
        return server.ready

    try:
        await eventually(ready, within=15, reason="the server of static files is not ready")
        yield server
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def ask(server: AssetServer) -> AsyncIterator[Ask]:
    """Ask the server for a path of a pack."""
    transport = httpx.AsyncHTTPTransport(uds=str(server.sockets[0]))
    async with httpx.AsyncClient(transport=transport, timeout=10) as client:

        async def ask(digest: str, path: str, method: str = "GET", **headers: str) -> httpx.Response:
            sent = {"x-nearhop-assets": digest, "accept-encoding": "identity", "host": "www.example.org"}
            sent |= {name.replace("_", "-"): value for name, value in headers.items()}
            url = httpx.URL("http://x").copy_with(raw_path=path.encode())
            return await client.request(method, url, headers=sent)

        yield ask
