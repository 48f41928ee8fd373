import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from nearhop.bearer import BearerChannel


@pytest.fixture
async def echo() -> AsyncIterator[str]:
    """A server that answers each kind of call with the credentials that came with it; yields its address."""

    def shown(context: Any) -> bytes:
        return b" ".join(str(v).encode() for k, v in context.invocation_metadata() if k in {"authorization", "x-own"})

    async def one(asked: Any, context: Any) -> bytes:
        return shown(context)

    async def several(asked: Any, context: Any) -> AsyncIterator[bytes]:
        yield shown(context)

    handlers = {
        "UU": grpc.unary_unary_rpc_method_handler(one),
        "US": grpc.unary_stream_rpc_method_handler(several),
        "SU": grpc.stream_unary_rpc_method_handler(one),
        "SS": grpc.stream_stream_rpc_method_handler(several),
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Test", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def test_each_kind_of_call_shows_the_token_beside_its_own_metadata(echo: str) -> None:
    async with BearerChannel(grpc.aio.insecure_channel(echo), "nhp_x") as channel:
        await channel.channel_ready()
        assert channel.get_state() is grpc.ChannelConnectivity.READY
        own = (("x-own", "mine"),)
        assert await channel.unary_unary("/test.Test/UU")(b"") == b"Bearer nhp_x"
        assert await channel.unary_unary("/test.Test/UU")(b"", metadata=own, timeout=5) == b"mine Bearer nhp_x"
        assert await channel.stream_unary("/test.Test/SU")(iter([b""])) == b"Bearer nhp_x"
        assert [part async for part in channel.unary_stream("/test.Test/US")(b"")] == [b"Bearer nhp_x"]
        assert [part async for part in channel.stream_stream("/test.Test/SS")(iter([b""]))] == [b"Bearer nhp_x"]


async def test_the_wrapped_channel_ends_with_it(echo: str) -> None:
    inner = grpc.aio.insecure_channel(echo)
    channel = BearerChannel(inner, "nhp_x")
    async with asyncio.timeout(10):
        await channel.wait_for_state_change(channel.get_state(try_to_connect=True))
    await channel.close()
    assert inner.get_state() is grpc.ChannelConnectivity.SHUTDOWN
