"""Requests that are held: who waits for what, within which bounds, and how they are joined to a listener on a slot's socket."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path

import pytest

from node.sandbox.activator import Activator, Bounds, Demand, Refused, parse_head, refusal_page
from node.sandbox.activator import Refusal as Turned

Assigned = Callable[[int], None] | None
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
    async def activate(function: str, version: int, assigned: Assigned = None) -> int:
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


GET = REQUEST.replace(b"POST", b"GET")


@pytest.fixture
def ahead(tmp_path: Path, slots: Slots) -> object:
    """Ask an activator that says at once that slot 0 is getting the program, and ends the activation with what *ending* returns."""

    async def ask(request: bytes, ending: Callable[[], Coroutine[None, None, int]]) -> bytes:
        async def activate(function: str, version: int, assigned: Assigned = None) -> int:
            if assigned is not None:
                assigned(0)
            return await ending()

        activator = Activator(tmp_path / "ahead.sock", slots, activate)
        await activator.open()
        reader, writer = await asyncio.open_unix_connection(tmp_path / "ahead.sock")
        writer.write(request)
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        activator.close()
        return answer

    return ask


async def _listen(slots: Slots, slot: int, answer: bytes, asked: list[int]) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.append(slot)
        writer.write(answer)
        writer.close()

    return await asyncio.start_unix_server(serve, slots.socket(slot))


async def test_an_answer_does_not_wait_for_the_word_that_it_may_come(ahead, slots: Slots) -> None:
    asked: list[int] = []
    server = await _listen(slots, 0, b"HTTP/1.1 200 OK\r\n\r\nhere", asked)

    async def when_answered() -> int:
        while not asked or slots.in_flight:
            await asyncio.sleep(0.001)
        return 0

    assert await ahead(GET, when_answered) == b"HTTP/1.1 200 OK\r\n\r\nhere"
    assert asked == [0]
    server.close()


@pytest.mark.parametrize(
    "request_",
    [
        REQUEST,
        GET.replace(b"Accept", b"Content-Length: 0\r\nAccept"),
        GET.replace(b"Accept", b"Transfer-Encoding: chunked\r\nAccept"),
        GET.replace(b"Accept", b"Upgrade: websocket\r\nAccept"),
    ],
)
async def test_what_may_not_be_sent_twice_waits_for_it(ahead, slots: Slots, request_: bytes) -> None:
    asked: list[int] = []
    server = await _listen(slots, 0, b"HTTP/1.1 200 OK\r\n\r\n", asked)

    async def after_a_while() -> int:
        await asyncio.sleep(0.05)
        assert asked == []
        return 0

    assert await ahead(request_, after_a_while) == b"HTTP/1.1 200 OK\r\n\r\n"
    assert asked == [0]
    server.close()


async def test_a_process_that_ends_without_its_program_loses_no_request(ahead, slots: Slots) -> None:
    asked: list[int] = []
    broken = await _listen(slots, 0, b"", asked)
    server = await _listen(slots, 1, b"HTTP/1.1 200 OK\r\n\r\nthere", asked)

    async def elsewhere() -> int:
        while not asked:
            await asyncio.sleep(0.001)
        return 1

    assert await ahead(GET, elsewhere) == b"HTTP/1.1 200 OK\r\n\r\nthere"
    assert asked == [0, 1]

    async def refused() -> int:
        raise Refused("boot_failed", "The function cannot be started.")

    assert b"activation-refused: boot_failed" in await ahead(GET, refused)

    async def there() -> int:
        return 0

    asked.clear()
    assert b"activation-refused: sandbox_ended" in await ahead(GET, there)
    assert asked == [0]  # it had its program: what it has done with the request, nobody knows
    broken.close()
    server.close()


async def test_who_waits_is_told_once_who_will_answer() -> None:
    demand, told = Demand(), []
    task = asyncio.get_running_loop().create_task(demand.wait("a", told.append))
    await asyncio.sleep(0)
    demand.assign("b", 1)
    demand.assign("a", 2)
    demand.assign("a", 3)
    demand.settle("a", 2)
    assert (await task, told) == (2, [2])
    demand.assign("a", 4)
    assert told == [2]
