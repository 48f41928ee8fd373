"""deno-hello on a real cluster: a Deno.serve program runs unedited."""

from pathlib import Path

import pytest

from tests.harness.cluster import Cluster

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="session")]


async def test_every_node_serves_the_program(shared_cluster: Cluster) -> None:
    await shared_cluster.deploy(Path(__file__).parent)
    for node in shared_cluster.nodes:
        reply = await shared_cluster.get(node, "deno-hello", "/a/b?c=d")
        assert reply.status_code == 200
        assert reply.text == "Hello from Deno.serve, you asked for /a/b\n"
