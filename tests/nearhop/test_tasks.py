import asyncio
import os
import signal

import pytest

from nearhop import tasks


async def test_a_task_has_its_name() -> None:
    async with asyncio.TaskGroup() as group:
        task = tasks.spawn(group, asyncio.sleep(0), name="work")
        assert task.get_name() == "work"


async def test_cancelling_waits_for_the_end() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.set()

    async with asyncio.TaskGroup() as group:
        task = tasks.spawn(group, work(), name="work")
        await asyncio.sleep(0)
        await tasks.cancel(task)
        assert ended.is_set()


async def test_an_error_of_the_cancelled_task_is_raised() -> None:
    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("while ending")

    async def cancel_it() -> None:
        async with asyncio.TaskGroup() as group:
            task = tasks.spawn(group, work(), name="work")
            await asyncio.sleep(0)
            with pytest.raises(ValueError, match="while ending"):
                await tasks.cancel(task)

    with pytest.raises(ExceptionGroup):
        await cancel_it()


async def test_being_cancelled_while_cancelling_is_not_swallowed() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as group:
        inner = tasks.spawn(group, stubborn(), name="inner")
        await asyncio.sleep(0)
        outer = tasks.spawn(group, tasks.cancel(inner), name="outer")
        await asyncio.sleep(0.01)
        outer.cancel()
    assert outer.cancelled()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_set_the_stop_event(number: signal.Signals) -> None:
    stop = tasks.stop_event()
    try:
        os.kill(os.getpid(), number)
        async with asyncio.timeout(2):
            await stop.wait()
    finally:
        for handled in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(handled)
