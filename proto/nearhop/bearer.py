"""A channel whose every call shows an API token.

gRPC's own call credentials are not used for it: they hold a Python object that gRPC's threads release, which needs the interpreter's lock while
the thread that closes the channel holds it and waits for them (grpc/grpc#42247): one close in a few thousand never returned.
"""

from collections.abc import Callable, Sequence
from typing import Any

import grpc

Metadata = Sequence[tuple[str, str | bytes]]


class BearerChannel(grpc.aio.Channel):
    """Wraps *channel*, which must be encrypted, and closes it with itself."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._channel = channel
        self._header = ("authorization", f"Bearer {token}")

    async def __aenter__(self) -> "BearerChannel":
        await self._channel.__aenter__()
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self._channel.__aexit__(*exception)

    async def close(self, grace: float | None = None) -> None:
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._channel.channel_ready()

    def unary_unary(self, *arguments: Any, **options: Any) -> Any:
        return self._showing(self._channel.unary_unary(*arguments, **options))

    def unary_stream(self, *arguments: Any, **options: Any) -> Any:
        return self._showing(self._channel.unary_stream(*arguments, **options))

    def stream_unary(self, *arguments: Any, **options: Any) -> Any:
        return self._showing(self._channel.stream_unary(*arguments, **options))

    def stream_stream(self, *arguments: Any, **options: Any) -> Any:
        return self._showing(self._channel.stream_stream(*arguments, **options))

    def _showing(self, method: Any) -> Callable[..., Any]:
        def call(*arguments: Any, metadata: Metadata | None = None, **options: Any) -> Any:
            return method(*arguments, metadata=(*(metadata or ()), self._header), **options)

        return call
