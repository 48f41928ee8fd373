"""The sample function, deployed as `nearhop deploy` would, unless it is deployed already."""

from pathlib import Path

import grpc
import grpc.aio

from controlplane.bundle import Bundle, bundle, locate
from controlplane.client import deploying, outcome
from controlplane.client.rpc import TIMEOUT_S, Connection
from nearhop.v1 import deployments_pb2, functions_pb2, versions_pb2

NAME = "hello"
_SOURCE = Path(__file__).with_name("hello.js")


async def deploy(connection: Connection) -> str:
    """Make sure that the sample function is deployed and return its hostname. Raises Failure when a node refuses it."""
    made = await bundle(locate(_SOURCE))
    if not await _is_active(connection, made):
        with outcome.Progress() as progress:
            _, ended = await deploying.deploy(
                connection, made, function=NAME, message="the sample function", watch=progress.watch
            )
        if ended.phase == deployments_pb2.Deployment.PHASE_FAILED:
            raise outcome.refusal(ended)
    found = await connection.functions.GetFunction(functions_pb2.GetFunctionRequest(name=NAME), timeout=TIMEOUT_S)
    return found.hostnames[0]


async def _is_active(connection: Connection, made: Bundle) -> bool:
    try:
        found = await connection.functions.GetFunction(functions_pb2.GetFunctionRequest(name=NAME), timeout=TIMEOUT_S)
        version = await connection.versions.GetVersion(
            versions_pb2.GetVersionRequest(function=NAME, number=found.active_version), timeout=TIMEOUT_S
        )
    except grpc.aio.AioRpcError as error:
        if error.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT):
            return False
        raise
    return version.digest == made.digest
