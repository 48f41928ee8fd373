"""Tasks: named, awaited, never orphaned."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any


def spawn(group: asyncio.TaskGroup, work: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
    """Start *work* in *group* under *name*."""
    return group.create_task(work, name=name)


async def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel *task* and wait until it has ended; its own error, if it had one, is raised."""
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        if (current := asyncio.current_task()) is not None and current.cancelling():
            raise


def stop_event() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set in place of their default action; main thread only."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
