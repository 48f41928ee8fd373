"""Calls in flight, each with its caller: one whose caller no longer holds is cut, with the reason."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from controlplane.identity.directory import Directory
from controlplane.identity.errors import Cut
from controlplane.identity.principal import Principal
from nearhop import log

_log = log.get(__name__)

SWEEP_S = 1.0  # expiry comes by itself, without a change in the store


@dataclass(slots=True, eq=False)
class _Call:
    caller: Principal
    task: asyncio.Task[object]
    reason: str = ""


class Streams:
    """The calls in flight."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._calls: set[_Call] = set()
        self.cut = 0

    @contextlib.contextmanager
    def entered(self, caller: Principal) -> Iterator[None]:
        """Run the body, in the current task, as *caller*'s call. Raises Cut in place of the cancellation that ends it."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call runs in a task")
        call = _Call(caller, task)
        self._calls.add(call)
        try:
            yield
        except asyncio.CancelledError:
            if not call.reason or task.uncancel() > 0:
                raise  # somebody else has cancelled it as well
            raise Cut(call.reason) from None
        finally:
            self._calls.discard(call)

    async def run(self) -> None:
        """Cut what must be cut, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_S):
                    await self._directory.changed.wait()
            self._directory.changed.clear()
            self.sweep()

    def sweep(self) -> None:
        """End every call whose caller no longer holds."""
        for call in list(self._calls):
            if not call.reason and (reason := self._directory.refusal(call.caller)):
                call.reason = reason
                self.cut += 1
                _log.warning("stream cut", caller=str(call.caller), reason=reason)
                call.task.cancel()
