"""A thousand requests a second for a minute during a hundred deploys: how many fail, and how many meet a version that is not ready yet."""

import asyncio
import tempfile
import time
import uuid
from pathlib import Path

from benchmarks.deploys import deploy
from nearhop.v1 import functions_pb2, functions_pb2_grpc
from node.agent import paths
from node.haproxy.runtime import Runtime
from tests.harness.cluster import INGRESS_PORT, ZONE, Cluster, NodeProcess
from tests.harness.rate import Rate

RATE = 1000
SECONDS = 60
DEPLOYS = 100


async def run() -> None:
    """Print what became of the requests."""
    with tempfile.TemporaryDirectory(prefix="nearhop-bench-") as folder:
        async with Cluster(["tokyo"], folder=Path(folder)) as cluster, cluster.channel() as channel:
            functions = functions_pb2_grpc.FunctionsStub(channel)
            await functions.CreateFunction(
                functions_pb2.CreateFunctionRequest(request_id=str(uuid.uuid4()), name="hello")
            )
            await deploy(channel, 0)
            node = cluster.nodes["tokyo-1"]
            began = time.monotonic()
            async with Rate(node.address, INGRESS_PORT, f"hello.{ZONE}", rate=RATE) as traffic:
                for number in range(1, DEPLOYS + 1):
                    await asyncio.sleep(max(0.0, began + number * SECONDS / DEPLOYS - time.monotonic()))
                    await deploy(channel, number)
                await asyncio.sleep(max(0.0, began + SECONDS - time.monotonic()))
            result, held = traffic.result, await held_requests(node)
    print(
        f"{result['sent']} requests in {result['seconds']:.0f} s during {DEPLOYS} deploys: {result['failed']} failed, {held} were held for a "
        f"sandbox; {len(result['bodies'])} versions answered; p50 {result['p50_ms']:.1f} ms, p99 {result['p99_ms']:.1f} ms"
    )
    for failure in result["failures"]:
        print(f"  {failure}")


async def held_requests(node: NodeProcess) -> int:
    """Count the requests that HAProxy has sent to the activator: they found no sandbox."""
    answer = await Runtime(paths.run_dir(node.state_dir) / "haproxy.sock").ask("show stat activator 4 -1")
    header, row, *_ = answer.splitlines()
    return int(dict(zip(header[2:].split(","), row.split(","), strict=False))["stot"])
