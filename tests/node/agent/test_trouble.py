"""A full disk, a control plane that has no bundle or goes back in time, and a stop while requests are in flight: with a real node process."""

import asyncio
import resource
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from nearhop.v1 import node_control_pb2 as pb

pytestmark = pytest.mark.acceptance

ANSWER = "export default { fetch() { return new Response('v%d') } }"
SLOW = """export default { async fetch(request) {
    if (new URL(request.url).pathname === '/slow') await new Promise((resolve) => setTimeout(resolve, 1500));
    return new Response('finished');
} }"""
HOST = {"host": "hello.example.org"}
FULL_AT = 64 << 10  # no file can grow beyond it: as on a full disk, a write stops in the middle


def fill_disk(node, limit: int = FULL_AT) -> None:
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


async def until(check: Callable[[], bool], what: str, within: float = 15) -> None:
    deadline = time.monotonic() + within
    while not check():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)


def error(control, function: str = "hello") -> str:
    status = control.status(function)
    return status.error if status is not None and status.state == pb.PlacementStatus.STATE_PENDING else ""


async def text(client: httpx.AsyncClient, node) -> str:
    return (await client.get(node.url, headers=HOST)).text


@pytest.fixture
async def serving(control, node) -> None:
    await control.deploy("hello", 1, ANSWER % 1)
    await control.until_active("hello")


async def test_a_bundle_on_a_full_disk(control, node, serving: None, client: httpx.AsyncClient) -> None:
    fill_disk(node)
    await control.deploy("hello", 2, ANSWER % 2 + "\n//" + "x" * (2 * FULL_AT))
    await until(lambda: "cannot be stored: File too large" in error(control), "the error is not in the report")
    assert await text(client, node) == "v1"
    bundles = node.state / "bundles"
    assert [len(file.read_bytes()) for file in bundles.iterdir()] == [len(ANSWER % 1)]
    asked = len(control.requests)
    fill_disk(node, resource.RLIM_INFINITY)
    assert (await control.until_active("hello")).active_version == 2
    assert len(control.requests) > asked
    assert await text(client, node) == "v2"


async def test_a_snapshot_and_a_host_map_on_a_full_disk(
    control, node, serving: None, client: httpx.AsyncClient
) -> None:
    spool = node.state / "snapshot.pb"
    before = spool.read_bytes()
    aliases = [f"{'h' * 40}-{n}.example.org" for n in range(2000)]
    fill_disk(node)
    # The same version: no sandbox starts, which would meet the limit too.
    await control.deploy("hello", 1, ANSWER % 1, aliases=aliases)
    await until(lambda: error(control) == "the ingress cannot be switched: File too large", "no error in the report")
    assert await text(client, node) == "v1"
    assert (await client.get(node.url, headers={"host": aliases[-1]})).status_code == 404
    assert spool.read_bytes() == before
    assert leftovers(node.state) == []
    await control.stop()
    fill_disk(node, resource.RLIM_INFINITY)
    await until_text(client, node, "v1", aliases[-1])
    await until(lambda: spool.read_bytes() != before, "the snapshot is not spooled once there is room")
    assert await node.stop() == 0
    await node.start()
    await until_text(client, node, "v1", aliases[-1])


def leftovers(state: Path) -> list[str]:
    return [file.name for file in state.rglob("*.tmp")]


async def until_text(client: httpx.AsyncClient, node, wanted: str, host: str = "hello.example.org") -> None:
    deadline = time.monotonic() + 15
    while (last := (await client.get(node.url, headers={"host": host})).text) != wanted:
        assert time.monotonic() < deadline, last
        await asyncio.sleep(0.02)


async def test_a_bundle_that_the_control_plane_does_not_have(
    control, node, serving: None, client: httpx.AsyncClient
) -> None:
    control.refuse = "it was collected"
    await control.deploy("hello", 2, ANSWER % 2)
    await until(lambda: error(control).endswith("it was collected"), "the error is not in the report")
    assert await text(client, node) == "v1"
    control.refuse = ""
    assert (await control.until_active("hello")).active_version == 2


async def test_an_older_snapshot_is_ignored(control, node, serving: None, client: httpx.AsyncClient) -> None:
    await control.deploy("hello", 2, ANSWER % 2)
    await control.until_active("hello")
    now = control.revision
    control.placements.clear()
    control.revision = now - 2  # push() makes it one less than what the node has
    await control.push()
    await until(lambda: "an older snapshot was ignored" in node.log.read_text(), "it is not said")
    assert await text(client, node) == "v2"
    assert control.reports[-1].snapshot_revision == now
    assert await node.stop() == 0
    await control.stop()
    await node.start()
    await until_text(client, node, "v2")


async def test_a_stop_lets_requests_finish(control, node, client: httpx.AsyncClient) -> None:
    await control.deploy("hello", 1, SLOW)
    await control.until_active("hello")
    async with asyncio.TaskGroup() as group:
        slow = group.create_task(client.get(f"{node.url}/slow", headers=HOST))
        await until(lambda: in_flight(node) > 0, "the request is not in flight")
        stopped = group.create_task(node.stop())
    assert slow.result().text == "finished"
    assert stopped.result() == 0
    with pytest.raises(httpx.ConnectError):
        await client.get(node.url, headers=HOST)


def in_flight(node) -> int:
    """Count the connections that are established to the ingress, by the kernel's table."""
    host, _, port = node.address.partition(":")
    local = bytes(reversed([int(part) for part in host.split(".")])).hex().upper() + f":{int(port):04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(1 for row in rows if row[1] == local and row[3] == "01")


async def test_the_first_request_after_a_restart_is_held_and_not_failed(
    control, node, client: httpx.AsyncClient
) -> None:
    await control.deploy("hello", 1, ANSWER % 1)
    await control.until_active("hello")
    await control.stop()
    for _ in range(8):
        await node.kill()
        await node.start()
        answer = await client.get(node.url, headers=HOST)
        assert answer.status_code == 200, answer.text
