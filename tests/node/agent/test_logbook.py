import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from nearhop import tasks
from nearhop.v1 import node_control_pb2 as pb
from node.agent import logbook
from node.agent.logbook import LogBook


class Stream:
    """Takes messages as the session does, or does not."""

    def __init__(self) -> None:
        self.up = True
        self.logs: list[pb.NodeLog] = []
        self.came = asyncio.Event()

    def send(self, message: pb.NodeMessage) -> bool:
        if self.up:
            self.logs.append(message.log)
            self.came.set()
        return self.up

    def texts(self) -> list[str]:
        return [entry.message for log in self.logs for entry in log.entries]

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.texts()) < count:
                self.came.clear()
                await self.came.wait()


@asynccontextmanager
async def running(book: LogBook, stream: Stream) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = tasks.spawn(group, book.run(stream.send), name="logs")
        yield
        task.cancel()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "_EVERY_S", 0.01)


async def test_nothing_is_sent_until_somebody_listens_who_then_gets_the_last_entries_first() -> None:
    stream, book = Stream(), LogBook("tokyo-1", clock=lambda: 5.5)
    for number in range(logbook.RECENT_MAX + 5):
        book.add("hello", 1, "info", str(number))
    book.add("other", 1, "info", "of another")
    async with running(book, stream):
        await asyncio.sleep(0.05)
        assert stream.logs == []
        book.want(["hello"])
        await stream.until(logbook.RECENT_MAX)
        book.add("hello", 2, "limit", "killed", "exceeded_cpu")
        book.add("other", 2, "info", "of another")
        book.want(["hello"])  # says nothing again
        await stream.until(logbook.RECENT_MAX + 1)
    assert stream.texts() == [*(str(number) for number in range(5, logbook.RECENT_MAX + 5)), "killed"]
    last = stream.logs[-1].entries[-1]
    assert (last.node, last.function, last.version, last.level, last.reason) == (
        "tokyo-1",
        "hello",
        2,
        "limit",
        "exceeded_cpu",
    )
    assert last.at.ToNanoseconds() == 5_500_000_000


async def test_what_a_listener_misses_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "_WAITING_MAX", 3)
    stream, book = Stream(), LogBook("tokyo-1")
    stream.up = False
    book.want(["hello"])
    async with running(book, stream):
        for number in range(5):
            book.add("hello", 1, "info", str(number))
        await asyncio.sleep(0.05)
        stream.up = True
        await stream.until(3)
    assert (stream.texts(), stream.logs[0].missed) == (["2", "3", "4"], 2)


async def test_batches_are_bounded_and_messages_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, book = Stream(), LogBook("tokyo-1")
    book.want(["hello"])
    async with running(book, stream):
        for _ in range(450):
            book.add("hello", 1, "info", "m" * 5000)
        await stream.until(450)
    assert [len(log.entries) for log in stream.logs] == [200, 200, 50]
    assert {len(text) for text in stream.texts()} == {4096}


async def test_a_break_of_the_stream_ends_the_interest() -> None:
    stream, book = Stream(), LogBook("tokyo-1")
    book.want(["hello"])
    book.add("hello", 1, "info", "before")
    book.disconnected()
    async with running(book, stream):
        book.add("hello", 1, "info", "meanwhile")
        await asyncio.sleep(0.05)
        assert stream.logs == []
        book.want(["hello"])
        await stream.until(2)
        assert stream.texts() == ["before", "meanwhile"]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "_FUNCTIONS_MAX", 2)
    book = LogBook("tokyo-1")
    for function in ("a", "b", "a", "c"):
        book.add(function, 1, "info", "x")
    assert list(book._recent) == ["a", "c"]
    book.keep(["c"])
    assert list(book._recent) == ["c"]
