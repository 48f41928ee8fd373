"""The Events service: what happened, from the view. Events are written where things happen, never here."""

from collections.abc import AsyncIterator
from typing import Any

from controlplane.api import codec
from controlplane.api.errors import OutOfRange
from controlplane.model import EventKind
from controlplane.store import events
from controlplane.store.cache import Cache
from controlplane.store.events import Told
from nearhop.errors import InvalidInput, Violation
from nearhop.v1 import events_pb2, events_pb2_grpc

_PAGE, _PAGE_MAX = 100, 1_000
_KINDS: dict[EventKind, Any] = {kind: events_pb2.Event.Kind.Value(f"KIND_{kind.name}") for kind in EventKind}


class Events(events_pb2_grpc.EventsServicer):
    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def ListEvents(self, request: events_pb2.ListEventsRequest, _context: Any) -> events_pb2.ListEventsResponse:
        if request.limit > _PAGE_MAX:
            raise InvalidInput([Violation("limit", f"is {request.limit}; at most {_PAGE_MAX} is allowed")])
        limit = request.limit or _PAGE
        matching = [
            told
            for told in events.newest_first(self._cache.current())
            if (not request.before_id or told.id < request.before_id)
            and (not request.function or told.event.function == request.function)
            and (not request.node or told.event.node == request.node)
        ]
        return events_pb2.ListEventsResponse(events=map(_message, matching[:limit]), more=len(matching) > limit)

    async def WatchEvents(
        self, request: events_pb2.WatchEventsRequest, _context: Any
    ) -> AsyncIterator[events_pb2.Event]:
        view = self._cache.current()
        last = request.after_id if request.HasField("after_id") else events.horizon(view)
        everything = request.HasField("after_id") and not request.after_id
        while True:
            if not everything and events.may_be_trimmed(view, last):
                raise OutOfRange("EVENTS_TRIMMED", f"events after {last} are no longer kept; list them and watch anew")
            everything = False
            for told in events.after(view, last):
                yield _message(told)
            last = max(last, events.horizon(view))
            seen = view
            while view.events is seen.events:
                view = await self._cache.newer(view)


def _message(told: Told) -> events_pb2.Event:
    event = told.event
    return events_pb2.Event(
        id=told.id,
        time=codec.timestamp(event.time),
        kind=_KINDS[event.kind],
        function=event.function,
        version=event.version,
        node=event.node,
        region=event.region,
        actor=event.actor,
        message=event.message,
    )
