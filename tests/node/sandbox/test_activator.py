"""Requests that are held: who waits for what, within which bounds, and how they are joined to a listener on a slot's socket."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from node.sandbox.activator import Activator, Bounds, Demand, Refused, parse_head, refusal_page
from node.sandbox.activator import Refusal as Turned

REQUEST = b"POST /x HTTP/1.1\r\nHost: a.example.org\r\nX-Nearhop-Function: a\r\nAccept: application/json\r\n\r\n"


async def test_all_who_wait_go_on_together() -> None:
    demand = Demand()
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(demand.wait("a")) for _ in range(3)]
        other = group.create_task(demand.wait("b"))
        await asyncio.sleep(0)
        assert demand.functions == {"a", "b"}
        demand.settle("a", 7)
        demand.settle("a", 8)
        demand.settle("nobody", 1)
        await asyncio.wait(waiting)
        assert demand.functions == {"b"}
        demand.settle("b", 9)
    assert ([task.result() for task in waiting], other.result()) == ([7, 7, 7], 9)
    assert demand.functions == frozenset()


async def test_the_bounds_hold() -> None:
    demand = Demand(Bounds(per_function=1, in_all=2, within_s=0.05))
    tasks = [asyncio.get_running_loop().create_task(demand.wait(name)) for name in "ab"]
    await asyncio.sleep(0)
    for name in "ac":
        with pytest.raises(Refused) as refusal:
            await demand.wait(name)
        assert refusal.value.reason == "activation_queue_full"
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(result, Refused)
        assert result.reason == "activation_timeout"
    with pytest.raises(Refused, match="activation_timeout"):  # those that have gone left room
        await demand.wait("a")


async def test_what_cannot_start_is_not_waited_for() -> None:
    demand = Demand()
    task = asyncio.get_running_loop().create_task(demand.wait("a"))
    await asyncio.sleep(0)
    demand.refuse("a", Turned.BOOT_FAILED)
    demand.refuse("a", Turned.BOOT_FAILED)
    with pytest.raises(Refused, match="boot_failed"):
        await task


def test_a_head_is_read() -> None:
    assert parse_head(REQUEST)["x-nearhop-function"] == "a"
    assert parse_head(b"GET / HTTP/1.1\r\nno colon\r\nA: 1\r\na: 2\r\n\r\n") == {"a": "2"}


def test_a_refusal_is_a_page_or_json() -> None:
    head, _, body = refusal_page(503, "no_slot", "Full.", {}).partition(b"\r\n\r\n")
    assert body == b"no_slot: Full.\n"
    assert b"retry-after: 1\r\n" in head
    assert b"content-length: %d\r\n" % len(body) in head
    head, _, body = refusal_page(502, "exceeded_cpu", "Gone.", {"accept": "text/html, application/json"}).partition(
        b"\r\n\r\n"
    )
    assert json.loads(body) == {"reason": "exceeded_cpu", "message": "Gone."}
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"retry-after" not in head


class Slots:
    """A pool of one slot."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.in_flight = 0
        self.reason: str | None = None

    def socket(self, slot: int) -> Path:
        return self.folder / f"{slot}.sock"

    @contextlib.contextmanager
    def serving(self, slot: int) -> Iterator[None]:
        self.in_flight += 1
        yield
        self.in_flight -= 1

    async def last_reason(self, slot: int) -> str | None:
        return self.reason


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    return Slots(tmp_path)


@pytest.fixture
async def ask(tmp_path: Path, slots: Slots) -> AsyncIterator[object]:
    async def activate(function: str, version: int) -> int:
        if function != "a":
            raise Refused("no_such_function", "No.")
        return 0

    activator = Activator(tmp_path / "activator.sock", slots, activate)
    await activator.open()

    async def ask(request: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(tmp_path / "activator.sock")
        writer.write(request)
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        return answer

    yield ask
    activator.close()


async def test_a_request_is_passed_through_whole(ask, slots: Slots) -> None:
    body = b"z" * 300_000
    seen = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readexactly(len(REQUEST) + len(body)))
        seen.append(slots.in_flight)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, slots.socket(0))
    assert await ask(REQUEST + body) == b"HTTP/1.1 200 OK\r\n\r\n" + body
    assert seen == [REQUEST + body, 1]
    assert slots.in_flight == 0
    server.close()


async def test_a_sandbox_that_ends_first_is_told_of_with_its_reason(ask, slots: Slots) -> None:
    assert b"no_sandbox" in await ask(REQUEST)

    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_unix_server(break_off, slots.socket(0))
    assert b"sandbox_ended" in await ask(REQUEST)
    slots.reason = "exceeded_memory"
    answer = await ask(REQUEST)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"activation-refused: exceeded_memory" in answer
    server.close()


async def test_a_function_that_is_not_here_and_what_is_no_request(ask) -> None:
    answer = await ask(REQUEST.replace(b"Function: a", b"Function: b"))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"no_such_function" in answer
    assert await ask(b"x" * 100_000) == b""
