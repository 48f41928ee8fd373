"""The promises of the platform, each as a user would see it kept, on real processes."""

import asyncio

import grpc
import pytest

from nearhop.v1 import deployments_pb2, deployments_pb2_grpc, nodes_pb2
from tests.acceptance.traffic import Traffic
from tests.harness.cluster import CLIENTS, REGIONS, ZONE, Cluster
from tests.harness.eventually import eventually

pytestmark = pytest.mark.acceptance

HELLO = """
export default {
  fetch(request) {
    const region = request.headers.get("x-nearhop-region");
    return new Response(`VERSION from ${region}`);
  },
};
"""


def hello(version: str) -> str:
    return HELLO.replace("VERSION", version)


async def test_a_deploy_reaches_every_node_and_each_client_is_sent_to_the_nearest(cluster: Cluster) -> None:
    first = await cluster.deploy_source("hello", hello("one"))
    assert first.status == 0, first.stderr
    for node in cluster.nodes.values():
        reply = await cluster.get(node.id, "hello")
        assert (reply.status_code, reply.text) == (200, f"one from {node.region}")

    second = await cluster.deploy_source("hello", hello("two"))
    assert second.status == 0, second.stderr
    for node in cluster.nodes.values():
        # A deploy is over when every node serves the version: no waiting here.
        assert (await cluster.get(node.id, "hello")).text == f"two from {node.region}"

    for region, client in CLIENTS.items():
        reply = await cluster.fetch("hello", client)
        assert reply.text == f"two from {region}", region
        assert reply.headers["x-nearhop-region"] == region


async def test_rollback_brings_the_version_before_back(cluster: Cluster) -> None:
    for word in ("one", "two"):
        assert (await cluster.deploy_source("hello", hello(word))).status == 0
    ran = await cluster.run("rollback", "hello")
    assert ran.status == 0, ran.stderr
    for node in cluster.nodes.values():
        assert (await cluster.get(node.id, "hello")).text == f"one from {node.region}"
    ran = await cluster.run("rollback", "hello", "--to", "2")
    assert ran.status == 0, ran.stderr
    assert (await cluster.fetch("hello", CLIENTS["tokyo"])).text == "two from tokyo"


async def test_clients_of_a_killed_node_get_the_next_nearest(cluster: Cluster) -> None:
    assert (await cluster.deploy_source("hello", hello("one"))).status == 0
    name, client = f"hello.{ZONE}", CLIENTS["sydney"]
    dead = cluster.nodes["sydney-1"]
    assert await cluster.router.resolve(name, subnet=client) == [dead.address]

    await dead.kill()

    async def moved() -> bool:
        return await cluster.router.resolve(name, subnet=client) not in ([dead.address], [])

    await eventually(moved, within=2.0, reason="the dead node stays in the answers")
    (answer,) = await cluster.router.resolve(name, subnet=client)
    # Of the four that are left, Tokyo is the nearest to Sydney: 7,800 km against 11,400 (São Paulo is 13,400 away).
    assert cluster.node_for(answer) == "tokyo-1"
    assert (await cluster.fetch("hello", client)).text == "one from tokyo"
    assert (await cluster.fetch("hello", CLIENTS["london"])).text == "one from london"

    await dead.start()

    async def back() -> bool:
        return await cluster.router.resolve(name, subnet=client) == [dead.address]

    await eventually(back, within=10.0, reason="the node is not taken back")
    assert (await cluster.fetch("hello", client)).text == "one from sydney"


async def test_a_drained_node_leaves_the_answers_and_finishes_its_requests(cluster: Cluster) -> None:
    slow = """export default {
      async fetch(request) {
        await new Promise((done) => setTimeout(done, 2000));
        return new Response("finished");
      },
    };"""
    assert (await cluster.deploy_source("slow", slow)).status == 0
    client = CLIENTS["london"]
    address = cluster.nodes["london-1"].address
    in_flight = asyncio.get_running_loop().create_task(cluster.get("london-1", "slow"))
    await asyncio.sleep(0.3)  # the request must be inside the function before the drain

    ran = await cluster.run("nodes", "drain", "london-1")
    assert ran.status == 0, ran.stderr

    async def out() -> bool:
        return address not in await cluster.router.resolve(f"slow.{ZONE}", subnet=client)

    await eventually(out, within=2.0, reason="the drained node stays in the answers")
    reply = await in_flight
    assert (reply.status_code, reply.text) == (200, "finished")
    healths = {node.id: node.health for node in await cluster.list_nodes()}
    assert healths["london-1"] == nodes_pb2.Node.HEALTH_DRAINING

    assert (await cluster.run("nodes", "uncordon", "london-1")).status == 0

    async def back() -> bool:
        return await cluster.router.resolve(f"slow.{ZONE}", subnet=client) == [address]

    await eventually(back, within=2.0, reason="the node is not taken back")


async def test_a_version_that_throws_on_import_is_refused_and_the_old_one_serves(cluster: Cluster) -> None:
    assert (await cluster.deploy_source("hello", hello("one"))).status == 0
    ran = await cluster.deploy_source(
        "hello", 'throw new Error("no such table: prices");\nexport default { fetch() {} };'
    )
    assert ran.status == 1
    assert "no such table: prices" in ran.stdout + ran.stderr
    for node in cluster.nodes.values():
        assert (await cluster.get(node.id, "hello")).text == f"one from {node.region}"
    status = (await cluster.run("status", "--json")).json
    assert status["functions"][0]["version"] == 1
    assert {node["versions"]["hello"] for node in status["nodes"]} == {1}

    assert (await cluster.deploy_source("hello", hello("three"))).status == 0
    assert (await cluster.fetch("hello", CLIENTS["tokyo"])).text == "three from tokyo"


async def test_an_endless_loop_fails_its_own_request_only(cluster: Cluster) -> None:
    loop = """export default {
      fetch(request) {
        if (new URL(request.url).pathname === "/loop") while (true) {}
        return new Response("fine");
      },
    };"""
    assert (await cluster.deploy_source("loop", loop)).status == 0
    assert (await cluster.deploy_source("hello", hello("one"))).status == 0
    async with Traffic(cluster, "hello", rate=100, nodes=["tokyo-1"]) as traffic:
        for _ in range(3):
            reply = await cluster.get("tokyo-1", "loop", "/loop")
            assert reply.status_code >= 500
            assert reply.headers["x-nearhop-reason"] == "exceeded_cpu"

            async def serves_again() -> bool:
                return (await cluster.get("tokyo-1", "loop", "/")).text == "fine"

            await eventually(serves_again, within=10.0, reason="the function does not come back")
    assert traffic.failures == []
    assert traffic.finished > 20


async def test_500_requests_a_second_during_ten_deploys_lose_nothing(cluster: Cluster) -> None:
    assert (await cluster.deploy_source("hello", hello("v0"))).status == 0
    async with Traffic(cluster, "hello", rate=500) as traffic:
        for number in range(1, 11):
            ran = await cluster.deploy_source("hello", hello(f"v{number}"))
            assert ran.status == 0, ran.stderr
    assert traffic.failures == []
    assert {text.split()[0] for text in traffic.bodies} == {f"v{number}" for number in range(11)}
    # Less than this and the run would prove nothing.
    assert traffic.rate_reached > 250, f"the machine reached {traffic.rate_reached:.0f} requests/s"


async def test_without_control_plane_and_etcd_clients_notice_nothing(cluster: Cluster) -> None:
    assert (await cluster.deploy_source("hello", hello("one"))).status == 0
    async with Traffic(cluster, "hello", rate=50, resolve=True) as traffic:
        await cluster.control_plane.kill()
        ran = await cluster.deploy_source("hello", hello("two"))
        assert ran.status == 4
        assert "cannot be reached" in ran.stderr

        await cluster.control_plane.start()
        await cluster.all_connected()
        await cluster.etcd.kill()
        async with cluster.channel() as channel:
            stub = deployments_pb2_grpc.DeploymentsStub(channel)
            request = deployments_pb2.DeployRequest(request_id="while-down", function="hello", version=1)
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await stub.Deploy(request, timeout=15).read()
        assert refusal.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "etcd" in (refusal.value.details() or "")
        ran = await cluster.deploy_source("hello", hello("two"))
        assert ran.status == 4
        assert "etcd" in ran.stderr
        await cluster.control_plane.kill()
    assert traffic.failures == []

    # Node and router start from what they have on disk.
    for part in (cluster.nodes["virginia-1"], cluster.router):
        await part.kill()
        await part.start()

    async def answered() -> bool:
        return (await cluster.fetch("hello", CLIENTS["virginia"])).text == "one from virginia"

    await eventually(answered, within=10.0, reason="not served from disk")
    async with Traffic(cluster, "hello", rate=50, resolve=True) as offline:
        await asyncio.sleep(1)  # the time under traffic is the test
    assert offline.failures == []

    await cluster.etcd.start()
    await cluster.control_plane.start()
    await cluster.all_connected(within=30)
    assert (await cluster.deploy_source("hello", hello("two"))).status == 0

    async def converged() -> bool:
        # A node whose agent is still coming back does not hold a deploy up: it catches up.
        texts = [(await cluster.fetch("hello", CLIENTS[region])).text for region in REGIONS]
        return texts == [f"two from {region}" for region in REGIONS]

    await eventually(converged, within=20.0, reason="a node does not catch up")
