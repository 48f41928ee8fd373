"""Several versions of one function on a node, each with a life of its own, with a real node process, HAProxy and Deno."""

import asyncio
import hashlib
import time
from collections.abc import Callable

import httpx
import pytest

from nearhop.v1 import common_pb2
from nearhop.v1 import node_control_pb2 as pb

pytestmark = pytest.mark.acceptance

HELLO = "export default { fetch() { return new Response('v%d') } }"
ROUGH = """export default { fetch(request) {
    const path = new URL(request.url).pathname;
    if (path === '/throw') throw new Error('no');
    if (path === '/loop') for (;;);
    return new Response('rough');
} }"""


async def split(control, *parts: tuple[int, int, str]) -> None:
    """Place "hello" with versions, each with its share and source, the function's own first."""
    before = control.placements.get("hello")
    versions = []
    for number, percent, source in parts:
        body = source.encode()
        digest = hashlib.sha256(body).hexdigest()
        control.bundles[digest] = body
        versions.append(
            pb.PlacedVersion(
                number=number,
                digest=digest,
                size_bytes=len(body),
                dialect=common_pb2.DIALECT_WORKERS,
                percent=percent,
            )
        )
    control.placements["hello"] = pb.Placement(
        function="hello",
        generation=(before.generation if before else 0) + 1,
        hostnames=["hello.example.org"],
        versions=versions,
    )
    await control.push()


async def ask(client: httpx.AsyncClient, node, version: int | None = None, path: str = "/") -> httpx.Response:
    override = {} if version is None else {"x-nearhop-version": str(version)}
    return await client.get(f"{node.url}{path}", headers={"host": "hello.example.org"} | override)


def version(status: pb.PlacementStatus, number: int) -> pb.VersionStatus:
    return next(item for item in status.versions if item.number == number)


async def until(check: Callable[[], bool], within: float = 20) -> None:
    deadline = time.monotonic() + within
    while not check():
        assert time.monotonic() < deadline, f"{check} did not hold"
        await asyncio.sleep(0.02)


async def test_each_version_sleeps_and_is_started_by_who_names_it(
    control, make_node: Callable, client: httpx.AsyncClient
) -> None:
    node = make_node(idle_s=0.5)
    await node.start()
    await split(control, (1, 90, HELLO % 1), (2, 10, HELLO % 2))
    assert (await control.until_active("hello")).active_version == 1

    def running() -> set[int]:
        return {item.version for item in control.reports[-1].sandboxes}

    await until(lambda: not running())
    assert (await ask(client, node, 2)).text == "v2"
    await until(lambda: running() == {2})
    assert (await ask(client, node, 1)).text == "v1"
    assert (await client.get(node.url, headers={"host": "v2--hello.example.org"})).text == "v2"
    # A version that gets everything is served by the sandbox that it has.
    await split(control, (2, 100, HELLO % 2))
    assert (await control.until_active("hello")).active_version == 2
    assert (await ask(client, node, 1)).text == "v2"


async def test_what_one_version_does_is_counted_for_it_and_closes_its_own_door_only(
    control, node, client: httpx.AsyncClient
) -> None:
    await split(control, (1, 50, HELLO % 1), (2, 50, ROUGH))
    await control.until_active("hello")
    for _ in range(3):
        thrown = await ask(client, node, 2, "/throw")
        assert (thrown.status_code, thrown.headers["x-nearhop-reason"]) == (500, "exception")

    def told() -> dict[str, int]:
        status = control.status("hello")
        return dict(version(status, 2).failures) if status is not None else {}

    await until(lambda: told() == {"exception": 3})
    deadline = time.monotonic() + 30
    while not version(control.status("hello"), 2).breaker_open:
        assert time.monotonic() < deadline
        looped = await ask(client, node, 2, "/loop")
        # One that comes before the next sandbox is there ends none.
        assert looped.headers["x-nearhop-reason"] in {"exceeded_cpu", "no_sandbox", "breaker_open"}
    assert (told()["exception"], told()["exceeded_cpu"] >= 3) == (3, True)
    assert not version(control.status("hello"), 1).failures
    assert not version(control.status("hello"), 1).breaker_open
    refused = await ask(client, node, 2)
    assert (refused.status_code, refused.headers["x-nearhop-reason"]) == (503, "breaker_open")
    # Its half of the requests is served by the function's own version meanwhile.
    assert {(await ask(client, node)).text for _ in range(40)} == {"v1"}


async def test_a_version_beside_that_does_not_start_is_refused_and_the_own_serves(
    control, node, client: httpx.AsyncClient
) -> None:
    await split(control, (1, 100, HELLO % 1))
    await control.until_active("hello")
    await split(control, (1, 50, HELLO % 1), (2, 50, "throw new RangeError('no table');\nexport default {}"))
    status = await control.until("hello", pb.PlacementStatus.STATE_REFUSED)
    assert "RangeError: no table" in status.error
    assert {(await ask(client, node)).text for _ in range(40)} == {"v1"}


async def test_an_agent_that_starts_anew_serves_both_from_its_disk(control, node, client: httpx.AsyncClient) -> None:
    await split(control, (1, 50, HELLO % 1), (2, 50, HELLO % 2))
    await control.until_active("hello")
    await control.stop()
    await node.kill()
    await node.start()
    for number in (1, 2):
        assert (await ask(client, node, number)).text == f"v{number}"
    assert {(await ask(client, node)).text for _ in range(40)} == {"v1", "v2"}
