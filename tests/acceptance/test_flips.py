"""A thousand requests a second while versions change: none fails, and none meets a version that is not ready yet."""

import asyncio
from pathlib import Path

import pytest

from node.agent import paths
from node.haproxy.runtime import Runtime
from tests.harness.cluster import INGRESS_PORT, ZONE, Cluster, NodeProcess
from tests.harness.rate import Rate

pytestmark = pytest.mark.acceptance

RATE = 1000
DEPLOYS = 15
PROGRAM = 'export default { fetch() { return new Response("v%d"); } };\n'


async def held_requests(node: NodeProcess) -> int:
    """Count the requests that waited for a sandbox: those that HAProxy has sent to the activator."""
    answer = await Runtime(paths.run_dir(node.state_dir) / "haproxy.sock").ask("show stat activator 4 -1")
    header, row, *_ = answer.splitlines()
    return int(dict(zip(header[2:].split(","), row.split(","), strict=False))["stot"])


@pytest.mark.timeout(240)
async def test_a_thousand_requests_a_second_during_deploys(tmp_path: Path) -> None:
    async with Cluster(["tokyo"], folder=tmp_path) as cluster:
        assert (await cluster.deploy_source("hello", PROGRAM % 0)).status == 0
        node = cluster.nodes["tokyo-1"]
        assert await held_requests(node) == 0
        async with Rate(node.address, INGRESS_PORT, f"hello.{ZONE}", rate=RATE) as traffic:
            await asyncio.sleep(1)  # of traffic before the first
            for number in range(1, DEPLOYS + 1):
                ran = await cluster.deploy_source("hello", PROGRAM % number)
                assert ran.status == 0, ran.stderr
        result = traffic.result
        assert (result["failed"], result["failures"]) == (0, [])
        assert result["bodies"].keys() == {f"v{number}" for number in range(DEPLOYS + 1)}
        assert await held_requests(node) == 0
        # Less than this and the run would prove nothing.
        assert result["sent"] > 0.9 * RATE * result["seconds"]
        assert result["finished"] == result["sent"]
