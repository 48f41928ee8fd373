"""The router's CPU time per query: one hot name from one subnet, and as many different ECS subnets as queries."""

import asyncio
import random
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import dns.edns
import dns.message

from benchmarks.figures import cpu_seconds, table
from tests.harness.cluster import ZONE, Cluster

ROUNDS = 5
QUERIES = 20_000
WINDOW = 64  # in flight, so that no socket buffer overflows


async def run() -> None:
    """Print queries per second and server CPU per query for both kinds of query."""
    with tempfile.TemporaryDirectory(prefix="nearhop-bench-") as folder:
        async with Cluster(["tokyo", "london", "virginia"], folder=Path(folder)) as cluster:
            ran = await cluster.deploy_source(
                "hello", 'export default { fetch() { return new Response("hello"); } };\n'
            )
            assert ran.status == 0, ran.stderr
            randomness = random.Random(4096)
            kinds = {"one hot subnet": [_query("133.11.0.0")] * QUERIES}
            rounds: dict[str, list[dict[str, float]]] = {"one hot subnet": [], "every subnet new": []}
            for _ in range(ROUNDS):
                kinds["every subnet new"] = [_query(_public(randomness)) for _ in range(QUERIES)]
                for name, queries in kinds.items():
                    rounds[name].append(await asyncio.to_thread(_measure, cluster, queries))
    table(rounds, base="one hot subnet")


def _query(network: str) -> bytes:
    options = [dns.edns.ECSOption(network, 24)]
    return dns.message.make_query(f"hello.{ZONE}", "A", use_edns=0, options=options, id=0).to_wire()


def _public(randomness: random.Random) -> str:
    return f"{randomness.randint(11, 99)}.{randomness.randint(0, 255)}.{randomness.randint(0, 255)}.0"


def _measure(cluster: Cluster, queries: Sequence[bytes]) -> dict[str, float]:
    before = cpu_seconds(cluster.router.pid)
    begin = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        client.connect(cluster.router.dns)
        for start in range(0, len(queries), WINDOW):
            window = queries[start : start + WINDOW]
            for query in window:
                client.send(query)
            for _ in window:
                client.recv(4096)
    return {
        "queries/s": len(queries) / (time.monotonic() - begin),
        "server CPU µs/query": (cpu_seconds(cluster.router.pid) - before) / len(queries) * 1e6,
    }
