"""The Sync stream: dials one control plane after the other, says Hello, hands instructions on, and comes back after any break."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import grpc

from nearhop import log, tls
from nearhop.membership import Membership
from nearhop.v1 import node_control_pb2 as pb
from nearhop.v1 import node_control_pb2_grpc as rpc

_BACKOFF_S = 0.2
_BACKOFF_MAX_S = 10.0
_WELCOME_WITHIN_S = 5.0
_QUEUE_MAX = 256
_OPTIONS = [
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", 64 << 20),  # one snapshot of very many placements
    ("grpc.enable_retries", 0),
]
_logger = log.get(__name__)


class Handler(Protocol):
    """What the session calls; nothing here may block for long, as chunks wait behind it."""

    def hello(self) -> pb.Hello: ...
    def connected(self, welcome: pb.Welcome) -> None: ...
    def disconnected(self) -> None: ...
    async def snapshot(self, message: pb.Snapshot) -> None: ...
    async def chunk(self, message: pb.BundleChunk) -> None: ...
    def refused(self, message: pb.BundleRefusal) -> None: ...
    def scheduled(self, message: pb.ScheduledEvent) -> None: ...
    def log_interest(self, message: pb.LogInterest) -> None: ...


class Session:
    """One stream at a time, over *endpoints* in turn."""

    def __init__(
        self,
        endpoints: list[str],
        handler: Handler,
        membership: Membership | None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Without *membership* the streams are not encrypted."""
        self._endpoints = endpoints
        self._membership = membership
        self._handler = handler
        self._jitter = jitter
        self._outgoing: asyncio.Queue[pb.NodeMessage | None] | None = None

    def send(self, message: pb.NodeMessage) -> bool:
        """Queue *message*; False when there is no stream or it is too far behind."""
        if self._outgoing is None:
            return False
        with contextlib.suppress(asyncio.QueueFull):
            self._outgoing.put_nowait(message)
            return True
        return False

    async def run(self) -> None:
        """Keep a stream up until cancelled."""
        failures = 0
        turn = int(self._jitter() * len(self._endpoints))  # so that the fleet spreads over the control planes
        while True:
            endpoint = self._endpoints[turn % len(self._endpoints)]
            turn += 1
            welcomed = False
            if self._membership is not None:
                await self._membership.ready()
            try:
                welcomed = await self._stream(endpoint)
                _logger.info("the stream has ended", endpoint=endpoint)
            except _Ended as error:
                welcomed = error.welcomed
                level = _logger.warning if welcomed or failures == 0 else _logger.debug
                level("no stream to the control plane", endpoint=endpoint, error=str(error))
            failures = 0 if welcomed else failures + 1
            delay = min(_BACKOFF_S * 2 ** min(failures, 10), _BACKOFF_MAX_S)
            await asyncio.sleep(delay * (0.5 + self._jitter()))

    async def reopen_on_renewal(self) -> None:
        """End the stream whenever there is a new certificate, until cancelled: the control plane lets none outlive the one it was opened with."""
        while self._membership is not None:
            await self._membership.changed()
            if self._outgoing is not None:
                with contextlib.suppress(asyncio.QueueFull):
                    self._outgoing.put_nowait(None)

    async def _stream(self, endpoint: str) -> bool:
        outgoing: asyncio.Queue[pb.NodeMessage | None] = asyncio.Queue(_QUEUE_MAX)
        welcomed = False
        async with self._channel(endpoint) as channel:
            call = rpc.NodeControlStub(channel).Sync(_messages(self._handler.hello(), outgoing))
            instructions = aiter(call)
            try:
                async with asyncio.timeout(_WELCOME_WITHIN_S):
                    first = await anext(instructions, None)
                if first is None or first.WhichOneof("instruction") != "welcome":
                    raise _Ended("the first instruction is not Welcome", welcomed=False)
                welcomed = True
                self._outgoing = outgoing
                _logger.info("connected to the control plane", endpoint=endpoint, session=first.welcome.session)
                self._handler.connected(first.welcome)
                async for instruction in instructions:
                    await self._dispatch(instruction)
            except grpc.aio.AioRpcError as error:
                raise _Ended(f"{error.code().name}: {tls.explain(error)}", welcomed=welcomed) from error
            except TimeoutError as error:
                raise _Ended("no Welcome in time", welcomed=welcomed) from error
            finally:
                self._outgoing = None
                call.cancel()
                if welcomed:
                    self._handler.disconnected()
        return welcomed

    def _channel(self, endpoint: str) -> grpc.aio.Channel:
        if self._membership is None:
            return grpc.aio.insecure_channel(endpoint, options=_OPTIONS)
        try:
            return self._membership.channel(endpoint, _OPTIONS)
        except tls.CertificateError as error:
            raise _Ended(str(error), welcomed=False) from error

    async def _dispatch(self, instruction: pb.NodeInstruction) -> None:
        match instruction.WhichOneof("instruction"):
            case "snapshot":
                await self._handler.snapshot(instruction.snapshot)
            case "bundle_chunk":
                await self._handler.chunk(instruction.bundle_chunk)
            case "bundle_refusal":
                self._handler.refused(instruction.bundle_refusal)
            case "scheduled":
                self._handler.scheduled(instruction.scheduled)
            case "log_interest":
                self._handler.log_interest(instruction.log_interest)
            case other:
                _logger.warning("an instruction that this agent does not know", instruction=other)


class _Ended(Exception):
    def __init__(self, reason: str, *, welcomed: bool) -> None:
        super().__init__(reason)
        self.welcomed = welcomed


async def _messages(hello: pb.Hello, outgoing: asyncio.Queue[pb.NodeMessage | None]) -> AsyncIterator[pb.NodeMessage]:
    yield pb.NodeMessage(hello=hello)
    while (message := await outgoing.get()) is not None:
        yield message
