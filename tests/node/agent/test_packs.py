"""Static files beside a program and alone, on a real node: HAProxy, the server of files, and the program's own way to them."""

import hashlib
from collections.abc import Sequence

import httpx
import pytest

from nearhop.v1 import common_pb2
from nearhop.v1 import node_control_pb2 as pb
from tests.harness.eventually import eventually as until
from tests.node.assets.conftest import site
from tests.node.conftest import Control, Node, eventually

pytestmark = pytest.mark.acceptance

PROGRAM = """export default { async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname.startsWith('/by-program')) return env.FILES.fetch(new URL('/about', url));
    return new Response('program ' + url.pathname);
} }"""


async def deploy(
    control: Control,
    pack: bytes,
    *,
    number: int = 1,
    dialect: int = common_pb2.DIALECT_WORKERS,
    first: Sequence[str] = (),
    program_first: bool = False,
) -> str:
    """Deploy *pack* beside the program as the function `site`, and return the pack's digest."""
    digest = hashlib.sha256(pack).hexdigest()
    control.bundles[digest] = pack
    await control.deploy("site", number, PROGRAM, dialect=dialect)
    [version] = control.placements["site"].versions
    assets = common_pb2.Assets(
        digest=digest,
        size_bytes=len(pack),
        binding="FILES",
        program_first_paths=first,
        program_first=program_first,
    )
    version.manifest.assets.CopyFrom(assets)
    control.placements["site"].generation += 1
    await control.push()
    return digest


async def get(client: httpx.AsyncClient, node: Node, path: str, **headers: str) -> httpx.Response:
    return await client.get(f"{node.url}{path}", headers={"host": "site.example.org", **headers})


async def test_files_answer_before_the_program(control: Control, node: Node, client: httpx.AsyncClient) -> None:
    await deploy(
        control,
        site("/index.html", "/about.html", "/ü.bin", redirects=[{"from": "/old", "to": "/about", "status": 301}]),
    )
    await control.until_active("site")
    assert (await get(client, node, "/")).text == "/index.html"
    assert (await get(client, node, "/about")).text == "/about.html"
    assert (await get(client, node, "/%C3%BC.bin")).text == "/ü.bin"
    assert (await get(client, node, "/old")).headers["location"] == "/about"
    assert (await get(client, node, "/else")).text == "program /else"
    assert (await get(client, node, "/by-program")).text == "/about.html"
    tag = (await get(client, node, "/about")).headers["etag"]
    assert (await get(client, node, "/about", **{"if-none-match": tag})).status_code == 304


async def test_the_program_may_be_asked_first(control: Control, node: Node, client: httpx.AsyncClient) -> None:
    await deploy(control, site("/index.html", "/api/a.bin", "/api/b.bin"), first=["/api/*", "!/api/b.bin"])
    await control.until_active("site")
    assert (await get(client, node, "/")).text == "/index.html"
    assert (await get(client, node, "/api/a.bin")).text == "program /api/a.bin"
    assert (await get(client, node, "/api/b.bin")).text == "/api/b.bin"
    await deploy(control, site("/index.html"), number=2, program_first=True)
    await control.until_active("site")
    assert (await get(client, node, "/")).text == "program /"


async def test_a_site_has_no_sandbox(control: Control, node: Node, client: httpx.AsyncClient) -> None:
    pack = site("/index.html", "/404.html", not_found_handling="404-page")
    digest = await deploy(control, pack, dialect=common_pb2.DIALECT_STATIC)
    await control.until_active("site")
    assert (await get(client, node, "/")).text == "/index.html"
    missing = await get(client, node, "/nope")
    assert (missing.status_code, missing.text) == (404, "/404.html")
    assert (await client.post(f"{node.url}/", headers={"host": "site.example.org"})).status_code == 405
    assert (node.state / "assets" / digest / "contents").exists()


async def test_a_new_version_brings_its_files_and_the_old_ones_go(
    control: Control, node: Node, client: httpx.AsyncClient
) -> None:
    before = await deploy(control, site("/a.bin"))
    await control.until_active("site")
    after = await deploy(control, site("/a.bin", "/b.bin"), number=2)
    await control.until_active("site")
    assert (await get(client, node, "/b.bin")).text == "/b.bin"
    assert {before, after} >= {path.name for path in (node.state / "assets").iterdir()} >= {after}


async def test_a_damaged_pack_is_refused_and_the_version_before_goes_on(
    control: Control, node: Node, client: httpx.AsyncClient
) -> None:
    await deploy(control, site("/a.bin"))
    await control.until_active("site")
    await deploy(control, b"PK no pack", number=2)

    def told() -> bool:
        status = control.status("site")
        return status is not None and "is not a pack" in status.error

    await eventually(told)
    status = control.status("site")
    assert status is not None
    assert status.state == pb.PlacementStatus.STATE_PENDING
    assert (await get(client, node, "/a.bin")).text == "/a.bin"


async def test_files_are_there_again_after_a_restart_without_a_control_plane(
    control: Control, node: Node, client: httpx.AsyncClient
) -> None:
    await deploy(control, site("/a.bin"))
    await control.until_active("site")
    await control.stop()
    await node.kill()
    await node.start()

    async def ask() -> str:
        return (await get(client, node, "/a.bin")).text

    async def served() -> bool:
        return await ask() == "/a.bin"

    await until(served, within=10)
