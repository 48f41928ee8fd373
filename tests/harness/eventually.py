"""Waiting for a condition, bounded: the only way that a test waits."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.02


async def eventually(check: Callable[[], Awaitable[T]], *, within: float, reason: str = "") -> T:
    """Call *check* until it returns something truthy without an AssertionError, and return that.

    After *within* seconds the last failure is raised, as AssertionError.
    """
    deadline = time.monotonic() + within
    while True:
        failure: BaseException | None = None
        try:
            if result := await check():
                return result
        except (AssertionError, OSError) as error:
            failure = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {reason or failure or check}") from failure
        await asyncio.sleep(POLL_S)
