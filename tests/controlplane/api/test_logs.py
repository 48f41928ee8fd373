import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from controlplane.api import logs as module
from controlplane.api.logs import Logs
from nearhop.v1 import common_pb2, functions_pb2, node_control_pb2
from tests.controlplane.api.clients import Agent, Client, failure


def said(*messages: str, function: str = "hello", missed: int = 0, **more: Any) -> node_control_pb2.NodeLog:
    entries = [
        common_pb2.LogEntry(function=function, version=1, level="info", message=text, **more) for text in messages
    ]
    return node_control_pb2.NodeLog(entries=entries, missed=missed)


@asynccontextmanager
async def tailing(client: Client, function: str = "hello") -> AsyncIterator[Any]:
    call = client.functions.TailLogs(functions_pb2.TailLogsRequest(function=function))
    try:
        yield call
    finally:
        call.cancel()


async def texts(call: Any, count: int) -> list[str]:
    found: list[str] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            found += [entry.message for entry in (await call.read()).entries]
    return found


async def test_what_nodes_say_reaches_who_listens_and_nodes_know_when_nobody_does(client: Client) -> None:
    await client.create()
    async with Agent(client.address, "tokyo-1") as agent:
        async with tailing(client) as call:
            await agent.until(lambda agent: agent.interest == ["hello"])
            await agent.send(
                node_control_pb2.NodeMessage(log=said("one", "two", node="london-9", reason="exceeded_cpu"))
            )
            await agent.send(node_control_pb2.NodeMessage(log=said("of another", function="other")))
            await agent.send(node_control_pb2.NodeMessage(log=said("three", missed=7)))
            first = await call.read()
            while not first.entries:
                first = await call.read()
            assert (first.entries[0].node, first.entries[0].reason) == ("tokyo-1", "exceeded_cpu")  # its own name
            rest = await texts(call, 3 - len(first.entries))
            assert [entry.message for entry in first.entries] + rest == ["one", "two", "three"]
            # A node that comes later hears of it too, and a second listener gets what was said lately.
            async with Agent(client.address, "london-1") as other, tailing(client) as second:
                await other.until(lambda agent: agent.interest == ["hello"])
                assert await texts(second, 3) == ["one", "two", "three"]
        await agent.until(lambda agent: agent.interest == [])


async def test_a_function_that_is_not_there(client: Client) -> None:
    call = client.functions.TailLogs(functions_pb2.TailLogsRequest(function="nobody"))
    failed = await failure(call)
    assert (failed.code, failed.reason) == (grpc.StatusCode.NOT_FOUND, "FUNCTION_NOT_FOUND")


async def test_a_slow_reader_misses_entries_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAITING_MAX", 3)
    logs = Logs()
    tail = logs.tail("hello")
    assert not (await anext(tail)).entries
    for number in range(5):
        logs.heard("a", said(str(number)))
    logs.heard("a", said(missed=10))
    got = await anext(tail)
    assert ([entry.message for entry in got.entries], got.missed) == (["2", "3", "4"], 12)
    await tail.aclose()  # type: ignore[attr-defined]  # an async generator
    assert logs.wanted() == frozenset()
    logs.heard("a", said("to nobody"))


async def test_what_a_node_says_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = Logs()
    tail = logs.tail("hello")
    await anext(tail)
    logs.heard("a", said(*(["m" * 9000] * 300)))
    got = await anext(tail)
    assert len(got.entries) == 200
    assert {len(entry.message) for entry in got.entries} == {4096}
    monkeypatch.setattr(module, "_LISTENERS_MAX", 1)
    with pytest.raises(module.Exhausted):
        await anext(logs.tail("other"))
