"""Passes scheduled calls on to the nodes connected here, and takes their results. Which calls there are is the cron controller's affair.

A call is claimed for a session, by compare, before it is sent there: it is sent once, whatever breaks afterwards.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import replace

from controlplane.api.sessions import Session
from controlplane.model import ScheduledCall
from controlplane.store import codec
from controlplane.store.cache import Cache
from controlplane.store.client import Delete, Put, Store, Unchanged
from controlplane.store.errors import Conflict, StoreError
from controlplane.store.keys import Key, Kind
from controlplane.store.view import Stored, View
from nearhop import log
from nearhop.v1 import node_control_pb2

_log = log.get(__name__)

_WAITING_MAX = 256
_RETRY_S = 0.5
_ERROR_CHARACTERS = 2000


class Outbox:
    """What one session is to send and has heard. *calls* were not claimed yet, *results* not written down."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.calls: asyncio.Queue[Stored[ScheduledCall]] = asyncio.Queue(_WAITING_MAX)
        self.results: asyncio.Queue[node_control_pb2.ScheduledResult] = asyncio.Queue(_WAITING_MAX)
        self.offered: set[tuple[str, int]] = set()

    def offer(self, stored: Stored[ScheduledCall]) -> None:
        key = (stored.record.id, stored.record.attempt)
        if key not in self.offered:
            with contextlib.suppress(asyncio.QueueFull):  # it is offered again at the next look
                self.calls.put_nowait(stored)
                self.offered.add(key)

    def hear(self, result: node_control_pb2.ScheduledResult) -> None:
        with contextlib.suppress(
            asyncio.QueueFull
        ):  # the call is then given up after its time, by the controller, in the log
            self.results.put_nowait(result)


class Scheduled:
    """The sessions' outboxes."""

    def __init__(self, store: Store, cache: Cache) -> None:
        self._store = store
        self._cache = cache
        self._boxes: dict[str, Outbox] = {}

    @contextlib.contextmanager
    def outbox(self, session: Session) -> Iterator[Outbox]:
        """Take calls for the session's node, as long as the context lasts."""
        box = self._boxes[session.node] = Outbox(session)
        self._look(self._cache.view)
        try:
            yield box
        finally:
            if self._boxes.get(session.node) is box:
                del self._boxes[session.node]

    async def run(self) -> None:
        """Hand new calls to their nodes' outboxes, until cancelled."""
        with self._cache.subscribe() as subscription:
            while True:
                changed = await subscription.take()
                if any(key.kind is Kind.CALLS for key in changed):
                    self._look(self._cache.view)

    def _look(self, view: View) -> None:
        for stored in view.calls.values():
            box = self._boxes.get(stored.record.node)
            if box is not None and not stored.record.session:
                box.offer(stored)

    async def claim(self, box: Outbox) -> node_control_pb2.ScheduledEvent:
        """Wait for a call and claim it for the outbox' session."""
        while True:
            stored = await box.calls.get()
            call = stored.record
            if await self._claimed(stored, box.session):
                return node_control_pb2.ScheduledEvent(
                    id=call.id,
                    function=call.function,
                    version=call.version,
                    cron=call.cron,
                    scheduled_at=call.scheduled_at,
                )

    async def _claimed(self, stored: Stored[ScheduledCall], session: Session) -> bool:
        """Claim a call; False when it is another's by now, or has ended."""
        claimed = replace(stored.record, session=session.id, instance=session.instance)
        while True:
            try:
                return await self._written(stored.revision, claimed)
            except StoreError as error:
                _log.warning("a scheduled call could not be claimed yet", call=stored.record.id, error=str(error))
                await asyncio.sleep(_RETRY_S)

    async def _written(self, revision: int, claimed: ScheduledCall) -> bool:
        path = str(Key(Kind.CALLS, claimed.id))
        try:
            await self._store.commit([Unchanged(path, revision)], [Put(path, codec.encode(claimed))])
        except Conflict:
            # It may be this session that has claimed it: an answer of etcd was lost.
            item = await self._store.get(path)
            return item is not None and codec.decode(ScheduledCall, item.value) == claimed
        return True

    async def settle(self, box: Outbox) -> None:
        """Write results down as they come, until cancelled."""
        while True:
            result = await box.results.get()
            while not await self._ended(box.session.node, result):
                await asyncio.sleep(_RETRY_S)

    async def _ended(self, node: str, result: node_control_pb2.ScheduledResult) -> bool:
        path = str(Key(Kind.CALLS, result.id[:_ERROR_CHARACTERS]))
        try:
            item = await self._store.get(path)
            if item is None:
                return True
            call = codec.decode(ScheduledCall, item.value)
            if call.node != node:
                return True  # it was given to another: that one's answer counts
            await self._store.commit([Unchanged(path, item.revision)], [Delete(path)])
        except StoreError as error:
            _log.warning("a scheduled call's result could not be written down", call=result.id[:64], error=str(error))
            return False
        tell = _log.warning if result.error else _log.info
        tell(
            "a scheduled call has ended", function=call.function, version=call.version, cron=call.cron, node=node, call=call.id,
            error=result.error[:_ERROR_CHARACTERS] or None,
        )  # fmt: skip
        return True
