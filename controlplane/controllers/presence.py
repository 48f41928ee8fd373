"""Tells when nodes lose their connection or come back, and when routers begin or cease to see an ingress down.

What was told last stands in the store beside each node, and changes in the transaction that writes the event: nothing is told twice, and a
control plane that restarts goes on where the one before it stopped. What lasts less than a moment is not told, and what happens to many
nodes at once is told once.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from controlplane.model import Event, EventKind, Node, Presence
from controlplane.store import codec, events
from controlplane.store.cache import Cache
from controlplane.store.client import Delete, Present, Put, Store, Unchanged
from controlplane.store.errors import Conflict, Deposed, StoreError
from controlplane.store.keys import Key, Kind
from controlplane.store.view import View
from nearhop import log

_log = log.get(__name__)

TICK_S = 0.25
LOST_SETTLE_S = 1.0  # an agent whose stream broke is back sooner
UP_SETTLE_S = 2.0  # an ingress that comes and goes is one event in this time
_APART = 5  # events of one sort that are told each by itself
_BATCH = 50  # nodes in one transaction; etcd takes 128 writes
_NAMED = 5

# Whether routers see the node's ingress down, and why; None when none of them knows, or nobody cares because it is drained.
Look = Callable[[Node, bool], tuple[bool | None, str]]


@dataclass(frozen=True, slots=True)
class Seen:
    """A node as it is now; *down* None: not known."""

    node: Node
    connected: bool
    down: bool | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be told of one node, and what has been told after it."""

    node: Node
    kind: EventKind
    message: str
    told: Presence


def changes(told: Presence, seen: Seen) -> list[Change]:
    """Return how *seen* differs from what was *told*, in order."""
    found = []
    if seen.connected != told.connected:
        told = replace(told, connected=seen.connected)
        kind = EventKind.NODE_CONNECTED if seen.connected else EventKind.NODE_LOST
        message = "its agent is connected again" if seen.connected else "its agent's lease is gone"
        found.append(Change(seen.node, kind, message, told))
    if seen.down is not None and seen.down != told.down:
        told = replace(told, down=seen.down)
        found.append(Change(seen.node, EventKind.HEALTH_CHANGED, seen.reason, told))
    return found


def tell(due: Iterable[Change], now: float) -> list[Event]:
    """Return the events for *due*: one a change, or one for all of a sort when they are many."""
    sorts: dict[tuple[EventKind, bool], list[Change]] = {}
    for change in due:
        sorts.setdefault((change.kind, change.told.down), []).append(change)
    found: list[Event] = []
    for (kind, down), members in sorts.items():
        if len(members) > _APART:
            found.append(Event(kind, now, _summary(kind, down, members)))
        else:
            found += [
                Event(kind, now, change.message, node=change.node.id, region=change.node.region) for change in members
            ]
    return found


def _summary(kind: EventKind, down: bool, members: Sequence[Change]) -> str:
    what = {
        EventKind.NODE_LOST: "nodes have lost their connection",
        EventKind.NODE_CONNECTED: "nodes are connected again",
    }.get(kind, "nodes' ingresses are seen down" if down else "nodes' ingresses are seen up again")
    names = ", ".join(change.node.id for change in members[:_NAMED])
    return f"{len(members)} {what}: {names} and {len(members) - _NAMED} more"


class Presences:
    """Compares and tells; only one control plane should, since another may see a router's verdict a moment later."""

    def __init__(
        self,
        store: Store,
        cache: Cache,
        look: Look,
        *,
        clock: Callable[[], float],
        quiet_s: float,
        tick_s: float = TICK_S,
    ) -> None:
        """For *quiet_s* after the start nothing is told of a fleet that was there before: it is only just coming back."""
        self._store = store
        self._cache = cache
        self._look = look
        self._clock = clock
        self._quiet_s = quiet_s
        self._tick_s = tick_s
        self._since: dict[tuple[str, EventKind], float] = {}
        self.crashes = 0

    async def run(self) -> None:
        """Tell until cancelled."""
        await self._cache.synced.wait()
        if self._cache.view.nodes:
            await asyncio.sleep(self._quiet_s)
        while True:
            try:
                await self.step(time.monotonic())
            except Conflict:
                pass  # a node was deleted, or another control plane has told it: the watch brings that
            except Deposed:
                raise  # the term is over
            except StoreError as error:
                _log.warning("events could not be written", error=str(error))
            except Exception:  # noqa: BLE001  # the rim of the loop
                self.crashes += 1
                _log.exception("telling what happened to nodes failed", crashes=self.crashes)
            await asyncio.sleep(self._tick_s)

    async def step(self, now: float) -> None:
        """Tell what has changed and lasted. *now* is monotonic."""
        view = self._cache.view
        due = self._due(view, now)[:_BATCH]
        told = {change.node.id: change.told for change in due}
        forgotten = [name for name in view.presence if name not in view.nodes][:_BATCH]
        if not told and not forgotten:
            return
        compares: list[Unchanged | Present] = [Present(str(Key(Kind.NODES, name))) for name in told]
        compares += [Unchanged(_path(name), _revision(view, name)) for name in (*told, *forgotten)]
        writes: list[Put | Delete] = [Put(_path(name), codec.encode(presence)) for name, presence in told.items()]
        writes += [Delete(_path(name)) for name in forgotten]
        revision = await self._store.commit(compares, [*writes, *events.puts(*tell(due, self._clock()))])
        await self._cache.reached(revision)

    def _due(self, view: View, now: float) -> list[Change]:
        found: list[Change] = []
        pending: dict[tuple[str, EventKind], float] = {}
        for name, stored in view.nodes.items():
            connected = name in view.health
            seen = Seen(stored.record, connected, *self._look(stored.record, connected))
            told = view.presence[name].record if name in view.presence else Presence(name)
            for change in changes(told, seen):
                since = pending[name, change.kind] = self._since.get((name, change.kind), now)
                if now - since < _settle(change):
                    break  # what comes after it is told after it
                found.append(change)
        self._since = pending
        return found


def _settle(change: Change) -> float:
    match change.kind:
        case EventKind.NODE_LOST:
            return LOST_SETTLE_S
        case EventKind.HEALTH_CHANGED if not change.told.down:
            return UP_SETTLE_S
        case _:
            return 0.0


def _path(node: str) -> str:
    return str(Key(Kind.PRESENCE, node))


def _revision(view: View, node: str) -> int:
    return view.presence[node].revision if node in view.presence else 0
