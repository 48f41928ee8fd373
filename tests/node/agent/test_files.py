"""Static files alone and beside a program, with a real node process: fetched, switched to, served after a restart."""

import hashlib
from collections.abc import Callable

import httpx
import pytest

from nearhop.v1 import common_pb2
from nearhop.v1 import node_control_pb2 as pb
from tests.node.assets.conftest import make_pack

pytestmark = pytest.mark.acceptance

PROGRAM = """export default { async fetch(request, env) {
    const path = new URL(request.url).pathname;
    if (path === '/bound') return env.ASSETS.fetch('http://x/style.css');
    return new Response(`program ${path}`);
} }"""
HOST = {"host": "site.example.org"}


def put(control, body: bytes) -> tuple[str, int]:
    digest = hashlib.sha256(body).hexdigest()
    control.bundles[digest] = body
    return digest, len(body)


def pack(control, text: str) -> tuple[str, int]:
    files = {"/index.html": f"<h1>{text}</h1>".encode(), "/style.css": text.encode(), "/api/data.json": b"{}"}
    return put(control, make_pack(files))


async def place(control, number: int, version: pb.PlacedVersion) -> None:
    version.number, version.percent = number, 100
    control.placements["site"] = pb.Placement(
        function="site", generation=number, hostnames=["site.example.org"], versions=[version]
    )
    await control.push()
    await control.until_active("site", within=30)


def files_alone(control, text: str) -> pb.PlacedVersion:
    digest, size = pack(control, text)
    manifest = common_pb2.Manifest(assets=common_pb2.Assets(digest=digest, size_bytes=size))
    return pb.PlacedVersion(digest=digest, size_bytes=size, dialect=common_pb2.DIALECT_STATIC, manifest=manifest)


def both(control, text: str, **assets: object) -> pb.PlacedVersion:
    digest, size = pack(control, text)
    module, length = put(control, PROGRAM.encode())
    manifest = common_pb2.Manifest(assets=common_pb2.Assets(digest=digest, size_bytes=size, binding="ASSETS", **assets))
    return pb.PlacedVersion(digest=module, size_bytes=length, dialect=common_pb2.DIALECT_WORKERS, manifest=manifest)


async def test_files_alone_need_no_sandbox(control, node, client: httpx.AsyncClient) -> None:
    await place(control, 1, files_alone(control, "one"))
    answer = await client.get(node.url, headers=HOST)
    assert (answer.status_code, answer.text, answer.headers["x-nearhop-version"]) == (200, "<h1>one</h1>", "1")
    again = await client.get(node.url, headers=HOST | {"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    assert (await client.get(f"{node.url}/missing", headers=HOST)).status_code == 404
    await place(control, 2, files_alone(control, "two"))
    assert (await client.get(node.url, headers=HOST)).text == "<h1>two</h1>"
    assert not control.reports[-1].sandboxes


async def test_files_beside_a_program(control, node, client: httpx.AsyncClient) -> None:
    await place(control, 1, both(control, "one", program_first_paths=["/api/*"]))

    async def text(path: str) -> str:
        return (await client.get(f"{node.url}{path}", headers=HOST)).text

    assert await text("/") == "<h1>one</h1>"
    assert await text("/style.css") == "one"
    assert await text("/other") == "program /other"
    assert await text("/api/data.json") == "program /api/data.json"
    assert await text("/bound") == "one"
    await place(control, 2, both(control, "two", program_first=True))
    assert await text("/style.css") == "program /style.css"
    assert await text("/bound") == "two"


async def test_files_are_served_from_the_spool(control, make_node: Callable, client: httpx.AsyncClient) -> None:
    node = make_node("site")
    await node.start()
    await place(control, 1, both(control, "one"))
    await control.stop()
    await node.stop()
    await node.start()
    for _ in range(200):
        answer = await client.get(f"{node.url}/style.css", headers=HOST)
        if answer.status_code == 200 and answer.text == "one":
            break
    assert answer.text == "one"
    assert (await client.get(f"{node.url}/other", headers=HOST)).text == "program /other"
