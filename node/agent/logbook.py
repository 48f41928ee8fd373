"""What the node's functions say, kept for a short while and sent to the control plane while somebody listens there.

Everything is bounded: a function that talks too much loses its own oldest lines, and a listener is told how many it missed.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from nearhop.v1 import common_pb2
from nearhop.v1 import node_control_pb2 as pb

RECENT_MAX = 100  # entries of a function that are kept for whoever begins to listen
_FUNCTIONS_MAX = 1_000  # the one that has been silent for longest gives way
_WAITING_MAX = 2_000
_BATCH = 200
_EVERY_S = 0.2
_MESSAGE_CHARACTERS = 4096

Send = Callable[[pb.NodeMessage], bool]


class LogBook:
    """The entries of this node's functions."""

    def __init__(self, node: str, *, clock: Callable[[], float] = time.time) -> None:
        self._node = node
        self._clock = clock
        self._recent: dict[str, deque[common_pb2.LogEntry]] = {}
        self._wanted: frozenset[str] = frozenset()
        self._waiting: deque[common_pb2.LogEntry] = deque()
        self._missed = 0
        self._wake = asyncio.Event()

    def add(self, function: str, version: int, level: str, message: str, reason: str = "") -> None:
        """Enter one line. *message* is free of control characters."""
        at = Timestamp()
        at.FromNanoseconds(int(self._clock() * 1e9))
        entry = common_pb2.LogEntry(
            at=at, node=self._node, function=function, version=version, level=level,
            message=message[:_MESSAGE_CHARACTERS], reason=reason,
        )  # fmt: skip
        kept = self._recent.pop(function, None) or deque(maxlen=RECENT_MAX)
        self._recent[function] = kept  # moves to the end: the first is the one that was silent for longest
        kept.append(entry)
        if len(self._recent) > _FUNCTIONS_MAX:
            del self._recent[next(iter(self._recent))]
        if function in self._wanted:
            self._queue(entry)

    def want(self, functions: Iterable[str]) -> None:
        """Send what *functions* say from now on, and of those that nobody listened to before also what they said lately."""
        wanted = frozenset(functions)
        begun, self._wanted = wanted - self._wanted, wanted
        self._waiting = deque(entry for entry in self._waiting if entry.function in wanted)
        lately = (entry for function in begun for entry in self._recent.get(function, ()))
        for entry in sorted(lately, key=lambda entry: entry.at.ToNanoseconds()):
            self._queue(entry)

    def keep(self, functions: Iterable[str]) -> None:
        """Forget what was said by others than *functions*: they are not here any more."""
        kept = set(functions)
        self._recent = {function: entries for function, entries in self._recent.items() if function in kept}

    def disconnected(self) -> None:
        """Nobody listens until the control plane says so again."""
        self.want(())
        self._missed = 0

    async def run(self, send: Send) -> None:
        """Send what waits, until cancelled; what *send* does not take goes on waiting."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch = list(itertools.islice(self._waiting, _BATCH))
                if not send(pb.NodeMessage(log=pb.NodeLog(entries=batch, missed=self._missed))):
                    self._wake.set()
                    break
                self._missed = 0
                for _ in batch:
                    self._waiting.popleft()
            await asyncio.sleep(_EVERY_S)

    def _queue(self, entry: common_pb2.LogEntry) -> None:
        if len(self._waiting) >= _WAITING_MAX:
            self._waiting.popleft()
            self._missed += 1
        self._waiting.append(entry)
        self._wake.set()
