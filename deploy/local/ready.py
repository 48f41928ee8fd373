"""When a part is ready: it says so itself, at the endpoint that its clients use."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from controlplane.client.rpc import Connection
from deploy.local import logs, web
from deploy.local.supervisor import Supervised
from nearhop import tls
from nearhop.errors import NearhopError
from nearhop.v1 import nodes_pb2

_EVERY_S = 0.1
_ANSWER_S = 2.0
_SHOWN_LINES = 15
# A part that ends so often before it is ready will not be.
_STARTS_MAX = 4

Check = Callable[[], Awaitable[str | None]]


class NotReady(NearhopError):
    """A part did not become ready; *log* is the end of what it wrote."""

    def __init__(self, part: str, reason: str, log: tuple[str, ...]) -> None:
        super().__init__(f"{part} did not become ready: {reason}")
        self.log = log


async def until(check: Check, supervised: Supervised, *, within_s: float) -> None:
    """Wait until *check* returns no reason against it. Raises NotReady when the part gives up or *within_s* is over."""
    reason: str | None = "it did not answer"
    try:
        async with asyncio.timeout(within_s):
            while supervised.gave_up is None:
                reason = await check()
                if reason is None:
                    return
                if supervised.starts > _STARTS_MAX:
                    raise _not_ready(supervised, f"it ended {supervised.starts - 1} times")
                await asyncio.sleep(_EVERY_S)
    except TimeoutError:
        raise _not_ready(supervised, f"{reason} within {within_s:g} s") from None
    raise _not_ready(supervised, f"it {supervised.gave_up}")


def _not_ready(supervised: Supervised, reason: str) -> NotReady:
    return NotReady(supervised.part.name, reason, tuple(logs.tail(supervised.log, _SHOWN_LINES)))


def etcd(endpoint: str, context: ssl.SSLContext) -> Check:
    """Return the check of an etcd: it has a leader and commits."""

    async def check() -> str | None:
        try:
            answer = await web.get(endpoint, "/health", {}, timeout_s=_ANSWER_S, context=context)
            healthy = json.loads(answer.body).get("health") == "true"
        except (OSError, ValueError) as error:
            return f"{endpoint} gave no answer ({error})"
        return None if healthy else f"it says of itself: {answer.body.strip()}"

    return check


def control_plane(endpoint: str, ca: Path) -> Check:
    """Return the check of a control plane, by the standard health service."""

    async def check() -> str | None:
        try:
            authorities = await asyncio.to_thread(ca.read_bytes)
        except FileNotFoundError:
            return "it has not made its authority yet"
        async with tls.channel(endpoint, authorities=authorities, options=(("grpc.enable_http_proxy", 0),)) as channel:
            try:
                answer = await health_pb2_grpc.HealthStub(channel).Check(  # type: ignore[no-untyped-call]  # generated, without stubs
                    health_pb2.HealthCheckRequest(), timeout=_ANSWER_S
                )
            except grpc.aio.AioRpcError as error:
                return f"{endpoint} gave no answer ({error.code().name})"
        return None if answer.status == health_pb2.HealthCheckResponse.SERVING else "it says that it does not serve"

    return check


def healthz(endpoint: str) -> Check:
    """Return the check of a router or a dashboard, by its health page."""

    async def check() -> str | None:
        try:
            answer = await web.get(endpoint, "/healthz", {}, timeout_s=_ANSWER_S)
        except OSError as error:
            return f"{endpoint} gave no answer ({error})"
        return None if answer.status == 200 else f"its health page says {answer.status}: {answer.body.strip()}"

    return check


def node(node_id: str, endpoint: str, connection: Connection) -> Check:
    """Return the check of a node: its ingress answers as this node, and the control plane has it healthy."""

    async def check() -> str | None:
        try:
            answer = await web.get(endpoint, "/.nearhop/health", {}, timeout_s=_ANSWER_S)
        except OSError as error:
            return f"{endpoint} gave no answer ({error})"
        if answer.status != 200 or answer.headers.get("x-nearhop-node") != node_id:
            return f"its ingress answered {answer.status} as {answer.headers.get('x-nearhop-node', 'nobody')}"
        try:
            found = await connection.nodes.GetNode(nodes_pb2.GetNodeRequest(id=node_id), timeout=_ANSWER_S)
        except grpc.aio.AioRpcError as error:
            return f"the control plane does not know it ({error.code().name})"
        # A node that an operator drained in an earlier run is as ready as it can be.
        good = (nodes_pb2.Node.HEALTH_HEALTHY, nodes_pb2.Node.HEALTH_DRAINING)
        return None if found.connected and found.health in good else f"it is not healthy: {found.health_reason}"

    return check
