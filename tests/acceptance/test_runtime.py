"""What programs get beside their requests, on a fleet of real processes: vars, secrets, crons, logs."""

import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from controlplane.model import CronMarks
from controlplane.store import codec
from controlplane.store.client import Put, Unchanged
from controlplane.store.keys import Key, Kind
from nearhop import tls
from nearhop.v1 import functions_pb2, functions_pb2_grpc
from tests.harness.cluster import Cluster, ControlPlane
from tests.harness.eventually import eventually

pytestmark = pytest.mark.acceptance

EVERY = "* * * * *"
VALUE = "hunter2-a-very-secret-value"
SETTINGS = f"""
name = "hello"
main = "worker.js"
compatibility_date = "2026-01-31"
[vars]
GREETING = "hello"
[triggers]
crons = ["{EVERY}"]
"""
PROGRAM = """
export default {
  fetch(request, env) { return Response.json(env); },
  scheduled(controller) { console.log(`tick ${controller.scheduledTime}`); },
};
"""


@pytest.fixture
async def fleet(tmp_path: Path, geo_cache: Path) -> AsyncIterator[Cluster]:
    async with Cluster(("tokyo", "london"), folder=tmp_path, cache=geo_cache, control_planes=2) as cluster:
        (tmp_path / "hello").mkdir()
        (tmp_path / "hello" / "wrangler.toml").write_text(SETTINGS)
        (tmp_path / "hello" / "worker.js").write_text(PROGRAM)
        await cluster.deploy(tmp_path / "hello")
        yield cluster


async def put_secret(cluster: Cluster, value: str) -> None:
    request = functions_pb2.PutSecretRequest(request_id=uuid.uuid4().hex, function="hello", name="TOKEN", value=value)
    async with cluster.channel() as channel:
        await functions_pb2_grpc.FunctionsStub(channel).PutSecret(request, timeout=10)


async def env(cluster: Cluster, node: str) -> Any:
    return (await cluster.get(node, "hello")).json()


def spilled(folder: Path, text: str) -> list[str]:
    """Return the files below *folder*, etcd's among them, that hold *text*."""
    return [str(file) for file in folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


async def test_a_secret_reaches_the_programs_on_every_node_and_no_disk(fleet: Cluster) -> None:
    assert await env(fleet, "tokyo-1") == {"GREETING": "hello"}
    await put_secret(fleet, VALUE)

    async def everywhere(value: str = VALUE) -> bool:
        answers = [await env(fleet, node) for node in fleet.nodes]
        return all(answer == {"GREETING": "hello", "TOKEN": value} for answer in answers)

    await eventually(everywhere, within=15)
    assert spilled(fleet.folder, VALUE) == []
    # A node that starts without a control plane has it all the same.
    for plane in fleet.control_planes:
        await plane.kill()
    await fleet.nodes["tokyo-1"].kill()
    await fleet.nodes["tokyo-1"].start()
    await eventually(everywhere, within=15)


async def leads(plane: ControlPlane) -> bool:
    async with tls.channel(plane.address, authorities=plane.ca.read_bytes()) as channel:
        try:
            reply = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service="nearhop.leads.crons"), timeout=2
            )
        except grpc.aio.AioRpcError:
            return False
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


async def test_a_cron_is_called_once_over_the_fleet_also_when_its_leader_is_killed(fleet: Cluster) -> None:
    store, path = fleet.store(), str(Key(Kind.CRONS, "hello"))

    async def marked() -> bool:
        return await store.get(path) is not None

    await eventually(marked, within=15)
    [leader] = [plane for plane in fleet.control_planes if await leads(plane)]
    # As if nobody had led for three minutes; and whoever leads now is killed in the midst of making good for it.
    item = await store.get(path)
    assert item is not None
    since = time.time() // 60 * 60 - 181
    marks = CronMarks("hello", {EVERY: since})
    await store.commit([Unchanged(path, item.revision)], [Put(path, codec.encode(marks))])
    await leader.kill()
    await store.close()
    due = [int(since + 1 + 60 * count) * 1000 for count in range(4)]
    fleet.control_planes.remove(leader)
    fleet.control_plane = fleet.control_planes[0]

    async def ticks() -> Counter[int]:
        ran = await fleet.run("logs", "hello", "--json")
        assert ran.status == 0, ran.stderr
        said = [json.loads(line)["message"] for line in ran.stdout.splitlines()]
        return Counter(int(text.removeprefix("tick ")) for text in said if text.startswith("tick "))

    async def called() -> bool:
        return set(due) <= set(await ticks())

    await eventually(called, within=40)
    await asyncio.sleep(2)  # long enough for a second call to show
    counted = await ticks()
    assert set(counted.values()) == {1}, counted


CACHED = """
export default {
  fetch() { return new Response(crypto.randomUUID(), { headers: { "cache-control": "public, s-maxage=3600" } }); },
};
"""


async def test_a_purge_is_over_when_its_call_is_answered(fleet: Cluster) -> None:
    assert (await fleet.deploy_source("cached", CACHED)).status == 0

    async def bodies() -> list[str]:
        return [(await fleet.get(node, "cached")).text for node in fleet.nodes]

    before = await bodies()
    assert await bodies() == before  # each node's cache answers
    for _ in range(5):
        ran = await fleet.run("functions", "purge", "cached")
        assert ran.status == 0, ran.stderr
        after = await bodies()
        assert not set(after) & set(before)
        assert await bodies() == after
        before = after
