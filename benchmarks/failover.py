"""How long a router goes on answering with a node after that node's end: kill -9, SIGSTOP, a blackhole, a slow node, and a drain.

From the fault to the last wrong answer of the router itself; resolvers add what is left of the answer's TTL. NEARHOP_TRIES says how many of each.
"""

import itertools
import math
import os
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from nearhop.v1 import nodes_pb2, nodes_pb2_grpc
from tests.harness.cluster import CLIENTS, ZONE, Cluster
from tests.harness.eventually import eventually
from tests.harness.outage import FAULTS, Outage, can_blackhole

TRIES = int(os.environ.get("NEARHOP_TRIES", "10"))
NODES = 20
_SECOND = 93  # of the loopback network that the nodes are on


async def run() -> None:
    """Print p50 and p99 of each fault and of a drain."""
    with tempfile.TemporaryDirectory(prefix="nearhop-bench-") as folder:
        async with Outage(Path(folder), NODES, _SECOND) as outage:
            victims = itertools.cycle(
                outage.nodes
            )  # in turn: one that falls again and again is taken back later each time
            for fault in FAULTS:
                if fault == "blackhole" and not can_blackhole():
                    print(f"{fault:10} not measured: this user may not change nftables")
                    continue
                taken = []
                for victim in itertools.islice(victims, TRIES):
                    tried = await outage.fail(fault, victim)
                    assert tried.successor != victim.address, tried
                    taken.append(tried.seconds)
                _print(fault, taken)
    with tempfile.TemporaryDirectory(prefix="nearhop-bench-") as folder:
        async with Cluster(["tokyo", "london"], folder=Path(folder)) as cluster:
            _print("drain", await _drains(cluster))


async def _drains(cluster: Cluster) -> list[float]:
    ran = await cluster.deploy_source("hello", 'export default { fetch() { return new Response("hello"); } };\n')
    assert ran.status == 0, ran.stderr
    name, client, address = f"hello.{ZONE}", CLIENTS["tokyo"], cluster.nodes["tokyo-1"].address

    async def answered(there: bool) -> bool:
        return (address in await cluster.router.resolve(name, subnet=client)) is there

    taken = []
    async with cluster.channel() as channel:
        nodes = nodes_pb2_grpc.NodesStub(channel)
        for _ in range(TRIES):
            await eventually(lambda: answered(True), within=10)
            begin = time.monotonic()
            await nodes.DrainNode(nodes_pb2.DrainNodeRequest(request_id=uuid.uuid4().hex, id="tokyo-1"))
            await eventually(lambda: answered(False), within=10)
            taken.append(time.monotonic() - begin)
            await nodes.UncordonNode(nodes_pb2.UncordonNodeRequest(request_id=uuid.uuid4().hex, id="tokyo-1"))
    return taken


def _print(fault: str, taken: Sequence[float]) -> None:
    ordered = sorted(taken)
    p50, p99 = (ordered[math.ceil(len(ordered) * percent / 100) - 1] * 1000 for percent in (50, 99))
    print(f"{fault:10} {len(ordered)} tries: p50 {p50:5.0f} ms, p99 {p99:5.0f} ms to the last wrong answer", flush=True)
