"""Scheduled calls against a real unix socket that answers as a guest does."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from nearhop import tasks
from nearhop.spec import Dialect, Limits
from nearhop.v1 import node_control_pb2 as pb
from node.agent.logbook import LogBook
from node.agent.scheduled import ScheduledCalls
from node.plan.records import SandboxSpec, Version
from node.sandbox.activator import Refused

Reply = Callable[[], bytes]


def spec(version: int) -> SandboxSpec:
    return SandboxSpec("hello", Version(version, "d", 1, Dialect.WORKERS), Limits())


class Node:
    """A pool of one guest, which is started when it is asked for."""

    def __init__(self, folder: Path, reply: Reply, *, version: int = 1, awake: bool = True) -> None:
        self.folder = folder
        self.reply = reply
        self.version = version
        self.awake = awake
        self.up = True
        self.heard: list[bytes] = []
        self.results: list[pb.ScheduledResult] = []
        self.serves = 0
        self.logbook = LogBook("tokyo-1")

    def ready_slots(self, function: str) -> list[tuple[int, SandboxSpec]]:
        return [(3, spec(self.version))] if self.awake and function == "hello" else []

    def control(self, slot: int) -> str:
        return f"secret of {slot}"

    def socket(self, slot: int) -> Path:
        return self.folder / f"{slot}.sock"

    @contextlib.contextmanager
    def serving(self, slot: int) -> Iterator[None]:
        self.serves += 1
        yield
        self.serves -= 1

    async def activate(self, function: str, version: int) -> int:
        if function != "hello":
            raise Refused("no_such_function", "No function of that name is here.")
        self.awake = True
        return 3

    def send(self, message: pb.NodeMessage) -> bool:
        if self.up:
            self.results.append(message.scheduled_result)
        return self.up

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self.serves == 1
        self.heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.reply())
        await writer.drain()
        writer.close()

    @contextlib.asynccontextmanager
    async def running(self, *, within_s: float = 5.0) -> AsyncIterator[ScheduledCalls]:
        calls = ScheduledCalls(self, self.activate, self.send, self.logbook, within_s=within_s)
        server = await asyncio.start_unix_server(self.answer, self.socket(3))
        async with asyncio.TaskGroup() as group:
            task = tasks.spawn(group, calls.run(), name="calls")
            yield calls
            task.cancel()
        server.close()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.results) < count:
                await asyncio.sleep(0.005)


def event(name: str = "1", function: str = "hello", version: int = 1) -> pb.ScheduledEvent:
    return pb.ScheduledEvent(id=name, function=function, version=version, cron="*/5 * * * *", scheduled_at=1234.5)


def well() -> bytes:
    return b"HTTP/1.0 200 OK\r\n\r\n"


async def test_a_call_reaches_the_guest_and_its_end_the_control_plane(tmp_path: Path) -> None:
    node = Node(tmp_path, well, awake=False)
    async with node.running() as calls:
        calls.take(event())
        calls.take(event())  # heard twice, made once
        await node.until(1)
        await asyncio.sleep(0.05)
    assert node.results == [pb.ScheduledResult(id="1")]
    [head] = node.heard
    lines = head.decode().split("\r\n")
    assert lines[0].startswith("POST / ")
    headers = dict(line.split(": ", 1) for line in lines[1:] if line)
    assert headers["x-nearhop-control"] == "secret of 3"
    assert json.loads(headers["x-nearhop-scheduled"]) == {"cron": "*/5 * * * *", "scheduled_at": 1234.5}
    assert node.serves == 0


@pytest.mark.parametrize(
    ("reply", "version", "function", "said"),
    [
        (lambda: b"HTTP/1.1 500 Internal\r\na: b\r\n\r\nError: no\x1b config\n", 1, "hello", "Error: no"),
        (lambda: b"", 1, "hello", "the sandbox answered nothing"),
        (lambda: b"nonsense", 1, "hello", "the sandbox answered nothing"),
        (lambda: b"HTTP/1.1 403 F\r\n\r\n", 1, "hello", "the sandbox answered 403"),
        (well, 2, "hello", "version 1 does not run"),
        (well, 1, "nobody", "No function of that name"),
    ],
)
async def test_how_a_call_failed_is_told_and_logged(
    tmp_path: Path, reply: Reply, version: int, function: str, said: str
) -> None:
    node = Node(tmp_path, reply, version=version)
    async with node.running() as calls:
        calls.take(event(function=function))
        await node.until(1)
    assert said in node.results[0].error
    [entry] = node.logbook._recent[function]
    assert said in entry.message
    assert entry.message.isprintable()


async def test_a_handler_that_never_ends_is_given_up(tmp_path: Path) -> None:
    node = Node(tmp_path, well)

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    node.answer = hang  # type: ignore[method-assign]
    async with node.running(within_s=0.1) as calls:
        calls.take(event())
        await node.until(1)
    assert "did not end within 0.1 s" in node.results[0].error


async def test_an_end_is_told_when_the_stream_is_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.agent.scheduled._SEND_RETRY_S", 0.01)
    node = Node(tmp_path, well)
    node.up = False
    async with node.running() as calls:
        calls.take(event())
        await asyncio.sleep(0.1)
        assert node.results == []
        node.up = True
        await node.until(1)


async def test_there_is_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.agent.scheduled._AT_ONCE", 0)
    node = Node(tmp_path, well)
    async with node.running() as calls:
        calls.take(event())
        await node.until(1)
    assert "under way" in node.results[0].error
