"""A deployment as the command line makes it: upload what is not stored, number it, set what the project's files say, deploy it, watch the nodes.

`nearhop deploy` and the sample function of `nearhop up` take this one path; what is said of it on the way is outcome's.
"""

import asyncio
import getpass
import random
from collections.abc import AsyncIterable, AsyncIterator, Callable

import grpc
import grpc.aio

from controlplane.bundle import Bundle
from controlplane.client import manifesting
from controlplane.client.failure import Failure
from controlplane.client.rpc import STREAM_TIMEOUT_S, TIMEOUT_S, Connection, request_id
from nearhop import spec_codec
from nearhop.v1 import common_pb2, deployments_pb2, functions_pb2, versions_pb2

_CHUNK_BYTES = 512 * 1024
_STREAMS = 10  # that are opened for one deployment, each on another control plane
_HELD_S = 604_800.0  # somebody has to resume it: the longest pause that a deployment may have by itself, a week
_UNDER_WAY = (deployments_pb2.Deployment.PHASE_PROGRESSING, deployments_pb2.Deployment.PHASE_PAUSED)
_GAVE_BACK = (deployments_pb2.Deployment.PHASE_FAILED, deployments_pb2.Deployment.PHASE_ROLLED_BACK)
Watch = Callable[[deployments_pb2.Deployment], None]
Start = Callable[[], AsyncIterable[deployments_pb2.Deployment]]
Enough = Callable[[deployments_pb2.Deployment], bool]


def has_ended(deployment: deployments_pb2.Deployment) -> bool:
    """Tell whether *deployment* never changes again."""
    return deployment.phase not in (deployments_pb2.Deployment.PHASE_UNSPECIFIED, *_UNDER_WAY)


def gave_back(deployment: deployments_pb2.Deployment) -> bool:
    """Tell whether the shares before *deployment* are in force again."""
    return deployment.phase in _GAVE_BACK


def has_begun(deployment: deployments_pb2.Deployment) -> bool:
    """Tell whether *deployment* has ended or, if it is gradual, every connected node serves its first step."""
    rollout = deployment.rollout
    return has_ended(deployment) or rollout.step > 0 or (rollout.step == 0 and rollout.HasField("reached_at"))


async def deploy(
    connection: Connection,
    made: Bundle,
    *,
    function: str,
    message: str = "",
    watch: Watch,
    gradual: deployments_pb2.Gradual | None = None,
    wait: bool = False,
) -> tuple[versions_pb2.Version, deployments_pb2.Deployment]:
    """Deploy *made* as the next version of *function*, which is created when there is none; *watch* sees each step of the progress.

    Returns when the deployment has ended, well or not; when it is *gradual* once its first step is served, unless it is to *wait*.
    """
    existing = await _ensure_function(connection, function)
    await _ensure_bundle(connection, made.digest, made.source, common_pb2.BUNDLE_KIND_MODULE)
    if made.assets is not None:
        await _ensure_bundle(connection, made.assets.digest, made.assets.data, common_pb2.BUNDLE_KIND_ASSETS)
    version = await _create_version(connection, made, function, message)
    if (update := manifesting.update(made, existing)) is not None:
        update.request_id = request_id()
        await connection.functions.UpdateFunction(update, timeout=TIMEOUT_S)
    request = deployments_pb2.DeployRequest(
        request_id=request_id(), function=function, version=version.number, gradual=gradual
    )
    within = _longest_s(gradual) if gradual is not None and wait else STREAM_TIMEOUT_S
    last = await follow(
        lambda: connection.deployments.Deploy(request, timeout=within),
        watch,
        again=connection.several,
        enough=has_ended if wait else has_begun,
    )
    return version, last


def _longest_s(gradual: deployments_pb2.Gradual) -> float:
    return _HELD_S if gradual.hold else STREAM_TIMEOUT_S + len(gradual.steps) * (gradual.pause_s + STREAM_TIMEOUT_S)


async def follow(
    start: Start, watch: Watch, *, again: bool = False, enough: Enough = has_ended
) -> deployments_pb2.Deployment:
    """Return the first message that is *enough* of the stream that *start* opens, by default of a deployment that has ended; *watch* sees every one.

    With *again* a stream that breaks is opened again, on another control plane: the request's id makes it the same deployment.
    """
    for left in reversed(range(_STREAMS if again else 1)):
        try:
            async for last in start():
                watch(last)
                if enough(last):
                    return last
            break
        except grpc.aio.AioRpcError as error:
            if not left or error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            await asyncio.sleep(random.uniform(0.1, 0.5))  # noqa: S311  # jitter
    raise Failure(
        "the control plane stopped telling about the deployment before its end",
        do="The deployment goes on by itself: `nearhop status` shows which version the nodes serve",
    )


async def _ensure_function(connection: Connection, name: str) -> functions_pb2.Function:
    try:
        return await connection.functions.GetFunction(functions_pb2.GetFunctionRequest(name=name), timeout=TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
        return await connection.functions.CreateFunction(
            functions_pb2.CreateFunctionRequest(request_id=request_id(), name=name), timeout=TIMEOUT_S
        )


async def _ensure_bundle(connection: Connection, digest: str, data: bytes, kind: common_pb2.BundleKind) -> None:
    known = await connection.versions.StatBundle(versions_pb2.StatBundleRequest(digest=digest), timeout=TIMEOUT_S)
    if not known.stored:
        await connection.versions.UploadBundle(_parts(digest, data, kind), timeout=STREAM_TIMEOUT_S)


async def _create_version(connection: Connection, made: Bundle, function: str, message: str) -> versions_pb2.Version:
    return await connection.versions.CreateVersion(
        versions_pb2.CreateVersionRequest(
            request_id=request_id(),
            function=function,
            digest=made.digest,
            dialect=spec_codec.DIALECTS[made.dialect],
            entrypoint=made.entrypoint,
            author=_author(),
            message=message,
            manifest=manifesting.manifest(made),
        ),
        timeout=TIMEOUT_S,
    )


async def _parts(
    digest: str, data: bytes, kind: common_pb2.BundleKind
) -> AsyncIterator[versions_pb2.UploadBundleRequest]:
    yield versions_pb2.UploadBundleRequest(
        header=versions_pb2.UploadBundleRequest.Header(digest=digest, size_bytes=len(data), kind=kind)
    )
    for start in range(0, len(data), _CHUNK_BYTES):
        yield versions_pb2.UploadBundleRequest(chunk=data[start : start + _CHUNK_BYTES])


def _author() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""  # a uid without a name, as in many containers
