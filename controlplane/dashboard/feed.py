"""One caller's live view of the fleet: read again and again, folded, and told to every page that listens.

Each API token has its own feed, read with its own rights; a feed that nobody listens to any more ends. Events of the control plane wake the
reading, so that a change is seen at once; where events or flows are not offered, the reading goes on alone.
"""

import asyncio
import json
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from controlplane.dashboard import fold, render
from controlplane.dashboard.control import Caller, ControlError, ControlPlanes
from controlplane.dashboard.render import Json
from nearhop import log, tasks
from nearhop.v1 import events_pb2, functions_pb2, nodes_pb2, routing_pb2

EVENTS_KEPT = 200
HEARTBEAT_S = 2.0  # a page that hears nothing for three of these knows that the dashboard itself is away
LINGER_S = 30.0  # a page that reloads finds its feed warm
SUBSCRIBERS_MAX = 64
_MAILBOX_MAX = 64  # messages; a page further behind gets the whole state instead
_WAKE_PAUSE_S = 0.1  # a burst of events is read once
_BUSY_SHARE = 0.025  # of a core for reading: a great fleet is read less often; its events still wake the reading
_NOT_OFFERED_PAUSE_S = 30.0

State = Literal["connecting", "connected", "unreachable", "refused"]
_REFUSED = {"UNAUTHENTICATED", "PERMISSION_DENIED"}
_NOT_OFFERED = {"UNIMPLEMENTED", "PERMISSION_DENIED"}

_log = log.get(__name__)


class TooManyPages(Exception):
    """More pages listen than one feed serves."""


@dataclass(eq=False, slots=True)
class _Mailbox:
    messages: deque[str] = field(default_factory=deque)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    overflowed: bool = False


class Feed:
    """run() reads; pages() listens. All times are monotonic but those inside the messages."""

    def __init__(self, control: ControlPlanes, caller: Caller, *, interval_s: float) -> None:
        self._control = control
        self._caller = caller
        self._interval_s = interval_s
        self._fleet = fold.Fleet()
        self._flows: Json | None = None
        self._events: deque[Json] = deque(maxlen=EVENTS_KEPT)
        self._more_events = False
        self._offers: Json = {"events": True, "flows": True}
        self._state: State = "connecting"
        self._error: Json | None = None
        self._read_at: float | None = None
        self._wake = asyncio.Event()
        self._first = asyncio.Event()
        self._boxes: set[_Mailbox] = set()
        self._closed = False
        self.idle_since: float | None = time.monotonic()

    async def run(self) -> None:
        """Read until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks.spawn(group, self._read(), name="dashboard-read")
                tasks.spawn(group, self._heartbeat(), name="dashboard-heartbeat")
                tasks.spawn(group, self._follow("events", self._watch_events), name="dashboard-events")
                tasks.spawn(group, self._follow("flows", self._watch_flows), name="dashboard-flows")
        finally:
            self._closed = True
            for box in self._boxes:
                box.ready.set()

    async def state(self) -> Json:
        """Return the whole state, after the first reading."""
        await self._first.wait()
        return self._whole()

    def refresh(self) -> None:
        """Read now: something was just changed."""
        self._wake.set()

    async def page(self) -> AsyncIterator[str]:
        """Yield server-sent events: the whole state first, then every change. Raises TooManyPages."""
        if len(self._boxes) >= SUBSCRIBERS_MAX:
            raise TooManyPages
        box = _Mailbox()
        self._boxes.add(box)
        self.idle_since = None
        try:
            await self._first.wait()
            box.messages.clear()  # the whole state holds them
            yield _encode("state", self._whole())
            while not self._closed:
                await box.ready.wait()
                box.ready.clear()
                if box.overflowed:
                    box.overflowed = False
                    box.messages.clear()
                    yield _encode("state", self._whole())
                while box.messages:
                    yield box.messages.popleft()
        finally:
            self._boxes.discard(box)
            if not self._boxes:
                self.idle_since = time.monotonic()

    async def _read(self) -> None:
        while True:
            started, busy = time.monotonic(), time.process_time()
            await self._read_once()
            self._first.set()
            interval_s = max(self._interval_s, (time.process_time() - busy) / _BUSY_SHARE)
            try:
                async with asyncio.timeout(max(0.0, interval_s - (time.monotonic() - started))):
                    await self._wake.wait()
                await asyncio.sleep(_WAKE_PAUSE_S)
            except TimeoutError:
                pass  # the interval is over
            self._wake.clear()

    async def _read_once(self) -> None:
        call, caller = self._control.call, self._caller
        try:
            nodes, functions, routers = await asyncio.gather(
                call(caller, lambda api, who, limit: api.nodes.ListNodes(
                    nodes_pb2.ListNodesRequest(), metadata=who, timeout=limit)),
                call(caller, lambda api, who, limit: api.functions.ListFunctions(
                    functions_pb2.ListFunctionsRequest(), metadata=who, timeout=limit)),
                call(caller, lambda api, who, limit: api.routing.ListRouters(
                    routing_pb2.ListRoutersRequest(), metadata=who, timeout=limit)),
            )  # fmt: skip
        except ControlError as error:
            self._set_state("refused" if error.code in _REFUSED else "unreachable", error)
            return
        before, self._fleet = self._fleet, fold.fold(self._fleet, nodes.nodes, functions.functions, routers.routers)
        self._read_at = time.monotonic()
        self._set_state("connected", None)
        if changes := fold.patch(before, self._fleet):
            self._tell("patch", changes)

    def _set_state(self, state: State, error: ControlError | None) -> None:
        told = None if error is None else {"code": error.code, "message": error.message}
        if (state, told) == (self._state, self._error):
            return
        if state not in {self._state, "connected"}:
            _log.warning("the control plane does not answer", state=state, endpoint=self._control.endpoint, error=told)
        self._state, self._error = state, told
        self._tell("link", self._link())

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            self._tell("link", self._link())

    async def _follow(self, what: str, watch: Callable[[], Any]) -> None:
        while True:
            pause = random.uniform(0.5, 1.5) * self._interval_s  # noqa: S311 (spreads reconnects, keeps no secret)
            try:
                await watch()
            except ControlError as error:
                if error.code in _NOT_OFFERED:
                    self._offer(what, False)
                    pause = _NOT_OFFERED_PAUSE_S
            if what == "flows" and self._flows is not None:
                self._flows = None  # a flow that is not seen any more is not known, neither as going on nor as over
                self._tell("flows", None)
            await asyncio.sleep(pause)

    def _offer(self, what: str, offered: bool) -> None:
        if self._offers[what] != offered:
            self._offers[what] = offered
            self._tell("link", self._link())

    async def _watch_events(self) -> None:
        request = events_pb2.ListEventsRequest(limit=EVENTS_KEPT)
        listed = await self._control.call(
            self._caller, lambda api, who, limit: api.events.ListEvents(request, metadata=who, timeout=limit)
        )
        self._offer("events", True)
        self._events = deque((render.event(item) for item in listed.events), maxlen=EVENTS_KEPT)
        self._more_events = listed.more
        self._tell("events", {"whole": True, "events": list(self._events), "more": listed.more})
        after = events_pb2.WatchEventsRequest(after_id=max((item.id for item in listed.events), default=0))
        async for event in self._control.stream(
            self._caller, lambda api, who: api.events.WatchEvents(after, metadata=who)
        ):
            view = render.event(event)
            self._events.appendleft(view)
            self._wake.set()
            self._tell("events", {"whole": False, "events": [view]})

    async def _watch_flows(self) -> None:
        request = routing_pb2.WatchFlowsRequest(interval_s=self._interval_s)
        async for flows in self._control.stream(
            self._caller, lambda api, who: api.routing.WatchFlows(request, metadata=who)
        ):
            self._offer("flows", True)
            self._flows = render.flows(flows)
            self._tell("flows", self._flows)

    def _whole(self) -> Json:
        return {
            "nodes": list(self._fleet.nodes.values()),
            "functions": list(self._fleet.functions.values()),
            "routers": list(self._fleet.routers),
            "flows": self._flows,
            "events": list(self._events),
            "more_events": self._more_events,
            "link": self._link(),
        }

    def _link(self) -> Json:
        return {
            "state": self._state,
            "endpoint": self._control.endpoint,
            "age_s": None if self._read_at is None else round(time.monotonic() - self._read_at, 1),
            "error": self._error,
            "offers": dict(self._offers),
            "now": time.time(),
        }

    def _tell(self, kind: str, data: Json | None) -> None:
        if not self._boxes:
            return
        message = _encode(kind, data)
        for box in self._boxes:
            if len(box.messages) >= _MAILBOX_MAX:
                box.overflowed = True
            else:
                box.messages.append(message)
            box.ready.set()


class Feeds:
    """The feeds by token: started when first asked for, ended when idle."""

    def __init__(self, control: ControlPlanes, *, interval_s: float) -> None:
        self._control = control
        self._interval_s = interval_s
        self._feeds: dict[str | None, tuple[Feed, asyncio.Task[Any]]] = {}
        self._group: asyncio.TaskGroup | None = None

    def open(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        """Start to keep feeds: their tasks live in *group* until *stop*."""
        self._group = group
        tasks.spawn(group, self._sweep(stop), name="dashboard-feeds")

    def get(self, token: str | None) -> Feed:
        """Return the feed of *token*, starting it when there is none."""
        held = self._feeds.get(token)
        if held is not None and not held[1].done():
            return held[0]
        if self._group is None:
            raise RuntimeError("the feeds are not open")
        feed = Feed(self._control, Caller(token), interval_s=self._interval_s)
        self._feeds[token] = (feed, tasks.spawn(self._group, self._guard(feed), name="dashboard-feed"))
        return feed

    async def _sweep(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._end_idle()
            try:
                async with asyncio.timeout(LINGER_S / 4):
                    await stop.wait()
            except TimeoutError:
                continue
        for _, task in self._feeds.values():
            task.cancel()

    async def _guard(self, feed: Feed) -> None:
        try:
            await feed.run()
        except ExceptionGroup:
            _log.exception("a feed ended")  # its pages reconnect and start another

    def _end_idle(self) -> None:
        now = time.monotonic()
        for token, (feed, task) in list(self._feeds.items()):
            if task.done() or (feed.idle_since is not None and now - feed.idle_since > LINGER_S):
                task.cancel()
                del self._feeds[token]


def _encode(kind: str, data: Json | None) -> str:
    # JSON has no raw line break, so one data line carries it all.
    return f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
