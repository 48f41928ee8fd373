"""How long a deploy takes from the API call until every node serves the version, and what it costs the control plane."""

import hashlib
import statistics
import tempfile
import time
import uuid
from pathlib import Path

import grpc

from benchmarks.figures import cpu_seconds
from nearhop.v1 import (
    common_pb2,
    deployments_pb2,
    deployments_pb2_grpc,
    functions_pb2,
    functions_pb2_grpc,
    versions_pb2,
    versions_pb2_grpc,
)
from tests.harness.cluster import Cluster

DEPLOYS = 20


async def run() -> None:
    """Print the median and the slowest deploy on five nodes, and the control plane's CPU time for one."""
    with tempfile.TemporaryDirectory(prefix="nearhop-bench-") as folder:
        async with Cluster(folder=Path(folder)) as cluster, cluster.channel() as channel:
            functions = functions_pb2_grpc.FunctionsStub(channel)
            await functions.CreateFunction(functions_pb2.CreateFunctionRequest(request_id=_id(), name="hello"))
            before = cpu_seconds(cluster.control_plane.pid)
            taken = [await deploy(channel, number) for number in range(DEPLOYS)]
            cpu = (cpu_seconds(cluster.control_plane.pid) - before) / DEPLOYS
    taken.sort()
    print(
        f"{DEPLOYS} deploys on {len(cluster.nodes)} nodes: median {statistics.median(taken) * 1000:.0f} ms, "
        f"slowest {taken[-1] * 1000:.0f} ms; control plane CPU {cpu * 1000:.1f} ms a deploy"
    )


async def deploy(channel: grpc.aio.Channel, number: int) -> float:
    """Deploy a program of its own for *number* to the function hello; return how long it took until every node served it."""
    source = f'export default {{ fetch() {{ return new Response("{number}"); }} }};\n'.encode()
    digest = hashlib.sha256(source).hexdigest()
    versions = versions_pb2_grpc.VersionsStub(channel)
    parts = [
        versions_pb2.UploadBundleRequest(
            header=versions_pb2.UploadBundleRequest.Header(digest=digest, size_bytes=len(source))
        ),
        versions_pb2.UploadBundleRequest(chunk=source),
    ]
    begin = time.monotonic()
    await versions.UploadBundle(iter(parts))
    version = await versions.CreateVersion(
        versions_pb2.CreateVersionRequest(
            request_id=_id(), function="hello", digest=digest, dialect=common_pb2.DIALECT_WORKERS, entrypoint="hello.js"
        )
    )
    request = deployments_pb2.DeployRequest(request_id=_id(), function="hello", version=version.number)
    stub = deployments_pb2_grpc.DeploymentsStub(channel)
    *_, last = [deployment async for deployment in stub.Deploy(request)]
    assert last.phase == deployments_pb2.Deployment.PHASE_COMPLETE, last.reason
    return time.monotonic() - begin


def _id() -> str:
    return str(uuid.uuid4())
