"""The way to the control planes: one channel for each endpoint, the next one when one is unavailable, and errors as the page can show them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # generated, without stubs
from grpc_status import rpc_status

from nearhop.errors import NearhopError, Violation
from nearhop.v1 import (
    deployments_pb2_grpc,
    events_pb2_grpc,
    functions_pb2_grpc,
    nodes_pb2_grpc,
    routing_pb2_grpc,
    versions_pb2_grpc,
)

R = TypeVar("R")
Metadata = tuple[tuple[str, str], ...]

# Every control plane's certificate holds this name, and no other part's does: the role is checked, by whatever address it was reached.
CONTROL_PLANE_NAME = "controlplane.nearhop.internal"

_AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
_MESSAGE_MAX_BYTES = 32 * 2**20  # ListNodes with 50 nodes of 200 functions is under 1 MiB
_OPTIONS = [
    # A control plane that comes back is seen within a second; gRPC's own back-off grows to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", _MESSAGE_MAX_BYTES),
]


class ControlError(NearhopError):
    """A call that the control plane refused, or that reached none: *code* is gRPC's name of the status."""

    def __init__(self, code: str, message: str, *, reason: str = "", violations: Sequence[Violation] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.violations = tuple(violations)


class Api:
    """The stubs on one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.nodes = nodes_pb2_grpc.NodesStub(channel)
        self.functions = functions_pb2_grpc.FunctionsStub(channel)
        self.versions = versions_pb2_grpc.VersionsStub(channel)
        self.deployments = deployments_pb2_grpc.DeploymentsStub(channel)
        self.routing = routing_pb2_grpc.RoutingStub(channel)
        self.events = events_pb2_grpc.EventsStub(channel)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: an API token, or nobody where the API runs without tokens."""

    token: str | None = None

    @property
    def metadata(self) -> Metadata:
        return () if self.token is None else (("authorization", f"Bearer {self.token}"),)


class ControlPlanes:
    """Calls go to the endpoint that answered last."""

    def __init__(self, endpoints: Sequence[str], *, timeout_s: float, authorities: bytes | None = None) -> None:
        self._endpoints = tuple(endpoints)
        self._timeout_s = timeout_s
        self._channels = [open_channel(endpoint, authorities) for endpoint in endpoints]
        self._apis = [Api(channel) for channel in self._channels]
        self._current = 0

    @property
    def endpoint(self) -> str:
        """The endpoint that answered last, or is tried next."""
        return self._endpoints[self._current]

    async def call(self, caller: Caller, invoke: Callable[[Api, Metadata, float], Awaitable[R]]) -> R:
        """Run *invoke* with stubs, the caller's metadata and a timeout. Raises ControlError; an unavailable endpoint is skipped for the next.

        Repeating is safe: UNAVAILABLE means that the call was not carried out, or it carries a request_id.
        """
        for left in reversed(range(len(self._endpoints))):
            try:
                return await invoke(self._apis[self._current], caller.metadata, self._timeout_s)
            except grpc.aio.AioRpcError as error:
                if error.code() in _AWAY:
                    self._current = (self._current + 1) % len(self._endpoints)
                if error.code() is not grpc.StatusCode.UNAVAILABLE or not left:
                    raise control_error(error) from error  # one that is slow may still carry the call out
        raise ControlError("UNAVAILABLE", "no control plane is configured")

    async def stream(
        self, caller: Caller, invoke: Callable[[Api, Metadata], grpc.aio.UnaryStreamCall[Any, R]]
    ) -> AsyncIterator[R]:
        """Yield the messages of a server stream of the present endpoint. Raises ControlError; ends when the server ends it."""
        call = invoke(self._apis[self._current], caller.metadata)
        try:
            async for message in call:
                yield message
        except grpc.aio.AioRpcError as error:
            raise control_error(error) from error
        finally:
            call.cancel()

    async def close(self) -> None:
        """Close every channel."""
        for channel in self._channels:
            await channel.close(None)


def open_channel(endpoint: str, authorities: bytes | None) -> grpc.aio.Channel:
    """Open a channel to *endpoint*, by TLS when *authorities* are given; nothing is sent before the first call."""
    if authorities is None:
        return grpc.aio.insecure_channel(endpoint, options=_OPTIONS)
    name = ("grpc.ssl_target_name_override", CONTROL_PLANE_NAME)
    return grpc.aio.secure_channel(endpoint, grpc.ssl_channel_credentials(authorities), options=[*_OPTIONS, name])


def control_error(error: grpc.aio.AioRpcError) -> ControlError:
    """Turn gRPC's error into ours, with the details of google.rpc.Status."""
    reason, violations = "", []
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it has the metadata that is read
    for detail in status.details if status is not None else ():
        bad_request, info = error_details_pb2.BadRequest(), error_details_pb2.ErrorInfo()
        if detail.Unpack(bad_request):
            violations += [Violation(item.field, item.description) for item in bad_request.field_violations]
        elif detail.Unpack(info):
            reason = info.reason
    return ControlError(error.code().name, error.details() or "", reason=reason, violations=violations)
