"""Functions' logs on their way from the nodes connected here to whoever listens. Nothing is kept when nobody does, and nobody holds a node up.

Each control plane passes on what its own nodes say: a listener who wants all of them asks every control plane.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator

from controlplane.api import codec
from controlplane.api.errors import Exhausted
from nearhop.v1 import common_pb2, functions_pb2, node_control_pb2

_LISTENERS_MAX = 64
_WAITING_MAX = 2_000  # entries of a listener that reads too slowly; the oldest give way
_RECENT_MAX = 200  # of a function that somebody listens to already: what a second listener gets first
_BATCH = 200
_MESSAGE_CHARACTERS = 4096
_LABEL_CHARACTERS = 64


class _Listener:
    def __init__(self, recent: Iterable[common_pb2.LogEntry]) -> None:
        self.entries: deque[common_pb2.LogEntry] = deque(recent, maxlen=_WAITING_MAX)
        self.missed = 0
        self.wake = asyncio.Event()
        self.wake.set()

    def offer(self, entry: common_pb2.LogEntry) -> None:
        self.missed += len(self.entries) == _WAITING_MAX
        self.entries.append(entry)
        self.wake.set()

    def take(self) -> functions_pb2.LogEntries:
        count = min(len(self.entries), _BATCH)
        entries = [self.entries.popleft() for _ in range(count)]
        missed, self.missed = self.missed, 0
        if not self.entries:
            self.wake.clear()
        return functions_pb2.LogEntries(entries=entries, missed=missed)


class Logs:
    """Who listens to which function, and what the nodes said lately of those."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[_Listener]] = {}
        self._recent: dict[str, deque[common_pb2.LogEntry]] = {}
        self._changed = asyncio.Event()

    def wanted(self) -> frozenset[str]:
        """Return the functions that somebody listens to."""
        return frozenset(self._listeners)

    async def other(self, seen: frozenset[str]) -> frozenset[str]:
        """Wait until others than *seen* are wanted, and return them."""
        while (wanted := self.wanted()) == seen:
            await self._changed.wait()
        return wanted

    def heard(self, node: str, message: node_control_pb2.NodeLog) -> None:
        """Pass on what *node* says, under its own name and cut to size."""
        for entry in message.entries[:_BATCH]:
            if (listeners := self._listeners.get(entry.function)) is None:
                continue
            cut = _cut(node, entry)
            self._recent[entry.function].append(cut)
            for listener in listeners:
                listener.offer(cut)
        if message.missed:
            # Which functions' entries the node dropped it does not say.
            for listener in {one for listeners in self._listeners.values() for one in listeners}:
                listener.missed += message.missed

    async def tail(self, function: str) -> AsyncIterator[functions_pb2.LogEntries]:
        """Yield the function's entries until the reader goes away. Raises Exhausted when too many listen."""
        with self._listening(function) as listener:
            while True:
                await listener.wake.wait()
                yield listener.take()

    @contextlib.contextmanager
    def _listening(self, function: str) -> Iterator[_Listener]:
        if sum(map(len, self._listeners.values())) >= _LISTENERS_MAX:
            raise Exhausted("TOO_MANY_LISTENERS", f"{_LISTENERS_MAX} listeners read logs here, which is the most")
        listener = _Listener(self._recent.setdefault(function, deque(maxlen=_RECENT_MAX)))
        self._listeners.setdefault(function, set()).add(listener)
        self._tell()
        try:
            yield listener
        finally:
            self._listeners[function].discard(listener)
            if not self._listeners[function]:
                del self._listeners[function], self._recent[function]
            self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _cut(node: str, entry: common_pb2.LogEntry) -> common_pb2.LogEntry:
    return common_pb2.LogEntry(
        at=entry.at if entry.HasField("at") else codec.timestamp(0.0),
        node=node,
        function=entry.function,
        version=entry.version,
        level=entry.level[:_LABEL_CHARACTERS],
        message=entry.message[:_MESSAGE_CHARACTERS],
        reason=entry.reason[:_LABEL_CHARACTERS],
    )
