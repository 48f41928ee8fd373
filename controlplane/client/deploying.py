"""A deployment as the command line makes it: upload what is not stored, set what the project's files say, number it, deploy it, watch the nodes.

`nearhop deploy` and the sample function of `nearhop up` take this one path.
"""

import asyncio
import getpass
import random
import sys
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
from rich.live import Live
from rich.table import Table
from rich.text import Text

from controlplane.bundle import Bundle
from controlplane.client import manifesting, show
from controlplane.client.addresses import function_url
from controlplane.client.failure import Failure
from controlplane.client.rpc import STREAM_TIMEOUT_S, TIMEOUT_S, Connection, request_id
from nearhop import spec_codec
from nearhop.v1 import common_pb2, deployments_pb2, functions_pb2, nodes_pb2, versions_pb2

CHUNK_BYTES = 512 * 1024

_STATES = {
    deployments_pb2.NodeProgress.STATE_PENDING: ("pending", "yellow"),
    deployments_pb2.NodeProgress.STATE_ACTIVE: ("active", "green"),
    deployments_pb2.NodeProgress.STATE_REFUSED: ("refused", "red"),
    deployments_pb2.NodeProgress.STATE_UNREACHABLE: ("unreachable", "dim"),
}
PHASES = {
    deployments_pb2.Deployment.PHASE_PROGRESSING: "progressing",
    deployments_pb2.Deployment.PHASE_COMPLETE: "complete",
    deployments_pb2.Deployment.PHASE_FAILED: "failed",
    deployments_pb2.Deployment.PHASE_PAUSED: "paused",
    deployments_pb2.Deployment.PHASE_ROLLED_BACK: "rolled back",
}
_UNDER_WAY = (deployments_pb2.Deployment.PHASE_PROGRESSING, deployments_pb2.Deployment.PHASE_PAUSED)
_GAVE_BACK = (deployments_pb2.Deployment.PHASE_FAILED, deployments_pb2.Deployment.PHASE_ROLLED_BACK)
Watch = Callable[[deployments_pb2.Deployment], None]
Start = Callable[[], AsyncIterable[deployments_pb2.Deployment]]
Enough = Callable[[deployments_pb2.Deployment], bool]

_STREAMS = 10
_A_WEEK_S = 604_800.0


def has_ended(deployment: deployments_pb2.Deployment) -> bool:
    """Tell whether *deployment* never changes again."""
    return deployment.phase not in (deployments_pb2.Deployment.PHASE_UNSPECIFIED, *_UNDER_WAY)


def gave_back(deployment: deployments_pb2.Deployment) -> bool:
    """Tell whether the shares before *deployment* are in force again."""
    return deployment.phase in _GAVE_BACK


def has_begun(deployment: deployments_pb2.Deployment) -> bool:
    """Tell whether *deployment* has ended or, if it is gradual, every connected node serves its first step."""
    rollout = deployment.rollout
    return has_ended(deployment) or (rollout.step > 0 or (rollout.step == 0 and rollout.HasField("reached_at")))


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
    version = await connection.versions.CreateVersion(
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
    if (update := manifesting.update(made, existing)) is not None:
        update.request_id = request_id()
        await connection.functions.UpdateFunction(update, timeout=TIMEOUT_S)
    request = deployments_pb2.DeployRequest(
        request_id=request_id(), function=function, version=version.number, gradual=gradual
    )
    within = STREAM_TIMEOUT_S
    if gradual is not None and wait:
        within = _A_WEEK_S if gradual.hold else within + len(gradual.steps) * (gradual.pause_s + STREAM_TIMEOUT_S)
    ended = await follow(
        lambda: connection.deployments.Deploy(request, timeout=within),
        watch,
        again=connection.several,
        enough=has_ended if wait else has_begun,
    )
    return version, ended


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


async def _parts(
    digest: str, data: bytes, kind: common_pb2.BundleKind
) -> AsyncIterator[versions_pb2.UploadBundleRequest]:
    yield versions_pb2.UploadBundleRequest(
        header=versions_pb2.UploadBundleRequest.Header(digest=digest, size_bytes=len(data), kind=kind)
    )
    for start in range(0, len(data), CHUNK_BYTES):
        yield versions_pb2.UploadBundleRequest(chunk=data[start : start + CHUNK_BYTES])


def _author() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""  # a uid without a name, as in many containers


class Progress:
    """Progress per node on standard error: a table that changes in place on a terminal, else a line for each change."""

    def __init__(self) -> None:
        self._console = show.console(sys.stderr)
        self._live = (
            Live(console=self._console, transient=True, auto_refresh=False) if self._console.is_terminal else None
        )
        self._said: dict[str, str] = {}

    def __enter__(self) -> "Progress":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def watch(self, deployment: deployments_pb2.Deployment) -> None:
        """Show *deployment* as it is now."""
        if self._live is not None:
            self._live.update(progress_table(deployment, self._console.width), refresh=True)
            return
        if deployment.HasField("rollout") and self._said.get("") != deployment.reason:
            self._said[""] = deployment.reason
            self._console.print(Text(show.line(deployment.reason)), soft_wrap=True)
        for node in deployment.nodes:
            state, _ = _STATES.get(node.state, ("unknown", ""))
            if self._said.get(node.node) != state:
                self._said[node.node] = state
                self._console.print(Text(f"{show.line(node.node)} ({show.line(node.region)}): {state}"), soft_wrap=True)


def progress_table(deployment: deployments_pb2.Deployment, width: int) -> Table:
    """Return *deployment*'s progress per node as a table for a terminal of *width* columns."""
    rows = []
    for node in deployment.nodes:
        state, style = _STATES.get(node.state, ("unknown", ""))
        rows.append((node.region, node.node, Text(state, style=style), node.error))
    table = show.table(("region", "node", "state", "error"), rows, flexible="error", width=width)
    if deployment.HasField("rollout"):
        table.caption = Text(show.line(deployment.reason))
    return table


def as_json(
    deployment: deployments_pb2.Deployment, function: functions_pb2.Function, nodes: list[nodes_pb2.Node]
) -> dict[str, Any]:
    """Return what `--json` prints about a deployment."""
    hostname = function.hostnames[0] if function.hostnames else None
    return {
        "function": deployment.function,
        "version": _version(deployment),
        "generation": deployment.generation,
        "phase": PHASES.get(deployment.phase, "unknown"),
        "reason": deployment.reason,
        "hostname": hostname,
        "url": function_url(hostname, nodes),
        "nodes": [
            {
                "node": node.node,
                "region": node.region,
                "state": _STATES.get(node.state, ("unknown", ""))[0],
                "error": node.error,
            }
            for node in deployment.nodes
        ],
        "shares": {str(share.version): share.percent for share in deployment.shares},
        "rollout": rollout_json(deployment),
        "note": deployment.note,
    }


def _version(deployment: deployments_pb2.Deployment) -> int | None:
    if deployment.HasField("rollout"):
        return deployment.rollout.version
    return max(deployment.shares, key=lambda share: share.percent).version if deployment.shares else None


def rollout_json(deployment: deployments_pb2.Deployment) -> dict[str, Any] | None:
    """Return how far a gradual deployment is; None of one that goes all at once."""
    if not deployment.HasField("rollout"):
        return None
    rollout = deployment.rollout
    return {
        "version": rollout.version,
        "steps": list(rollout.gradual.steps),
        "step": rollout.step,
        "pause_s": rollout.gradual.pause_s,
        "hold": rollout.gradual.hold,
        "max_failures": rollout.gradual.max_failures,
        "failures": rollout.failures,
        "reached": rollout.HasField("reached_at"),
        "next_at": rollout.next_at.ToJsonString() if rollout.HasField("next_at") else None,
    }


async def conclude(connection: Connection, deployment: deployments_pb2.Deployment, *, json: bool) -> None:
    """Print how *deployment* ended, or how far it is. Raises Failure when it failed, with each node's own error."""
    function = await connection.functions.GetFunction(
        functions_pb2.GetFunctionRequest(name=deployment.function), timeout=TIMEOUT_S
    )
    nodes = await connection.nodes.ListNodes(nodes_pb2.ListNodesRequest(), timeout=TIMEOUT_S)
    result = as_json(deployment, function, list(nodes.nodes))
    if json:
        show.emit(result)
    if gave_back(deployment):
        raise refusal(deployment)
    if deployment.note:
        show.note(f"note: {show.line(deployment.note)}", style="yellow")
    if not json and not has_ended(deployment):
        show.say(show.line(f"{deployment.function}: {deployment.reason}"))
        show.say(f"It goes on by itself: nearhop rollout status {deployment.function}")
        show.say(result["url"] or result["hostname"] or "")
    elif not json:
        active = sum(node["state"] == "active" for node in result["nodes"])
        late = len(result["nodes"]) - active
        show.say(
            f"{result['function']} version {result['version']} is served by {active} node{'' if active == 1 else 's'}"
            + (f"; {late} will catch up when reachable" if late else "")
        )
        show.say(result["url"] or result["hostname"] or "")


def refusal(deployment: deployments_pb2.Deployment) -> Failure:
    """Return the failure that a failed *deployment* is; nodes that refused it for the same reason share a line."""
    by_error: dict[str, list[str]] = {}
    for node in deployment.nodes:
        if node.state == deployments_pb2.NodeProgress.STATE_REFUSED:
            by_error.setdefault(node.error.strip() or "no reason given", []).append(node.node)
    previous = max(deployment.previous, key=lambda share: share.percent, default=None)
    rolled_back = deployment.phase == deployments_pb2.Deployment.PHASE_ROLLED_BACK
    return Failure(
        f"the deployment of {deployment.function} {'was rolled back' if rolled_back else 'failed'}",
        deployment.reason.strip().split("\n")[0],
        f"Version {previous.version} goes on serving" if previous else "",
        reasons=tuple(f"{', '.join(nodes)}:\n{error}" for error, nodes in by_error.items()),
    )
