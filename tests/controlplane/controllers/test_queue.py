import asyncio

import pytest

from controlplane.controllers.queue import KeyQueue


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> KeyQueue[str]:
    return KeyQueue(monotonic=clock)


async def taken(queue: KeyQueue[str]) -> list[str]:
    found = []
    while True:
        try:
            async with asyncio.timeout(0.02):
                found.append(await queue.take())
        except TimeoutError:
            return found


async def test_keys_come_once_and_in_order(queue: KeyQueue[str]) -> None:
    for key in "abca":
        queue.add(key)
    assert await taken(queue) == ["a", "b", "c"]


async def test_a_key_that_is_added_while_it_is_worked_on_comes_again(queue: KeyQueue[str]) -> None:
    queue.add("a")
    assert await queue.take() == "a"
    queue.add("a")
    assert await taken(queue) == ["a"]


async def test_a_key_for_later_waits_and_the_earlier_time_counts(queue: KeyQueue[str], clock: Clock) -> None:
    queue.add_after("a", 10)
    queue.add_after("a", 5)
    queue.add_after("a", 20)
    assert await taken(queue) == []
    clock.now = 5.0
    assert await taken(queue) == ["a"]
    clock.now = 50.0
    assert await taken(queue) == []


async def test_a_key_that_is_ready_is_not_put_off(queue: KeyQueue[str], clock: Clock) -> None:
    queue.add("a")
    queue.add_after("a", 10)
    queue.add_after("b", 10)
    queue.add("b")
    assert await taken(queue) == ["a", "b"]
    clock.now = 50.0
    assert await taken(queue) == []


async def test_a_waiting_taker_is_woken(queue: KeyQueue[str]) -> None:
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        taker = group.create_task(queue.take())
        await asyncio.sleep(0)
        queue.add("a")
    assert taker.result() == "a"


async def test_a_taker_wakes_by_itself_when_a_key_is_due() -> None:
    queue: KeyQueue[str] = KeyQueue(monotonic=asyncio.get_running_loop().time)
    queue.add_after("a", 0.02)
    async with asyncio.timeout(2):
        assert await queue.take() == "a"


def test_failures_double_the_delay_up_to_a_limit_until_a_success(queue: KeyQueue[str]) -> None:
    delays = [queue.failed("a") for _ in range(12)]
    assert delays[:4] == [0.2, 0.4, 0.8, 1.6]
    assert delays[-1] == 30.0
    assert queue.failed("b") == 0.2
    queue.succeeded("a")
    assert queue.failed("a") == 0.2
