"""Events in the store: written in the transaction of the change that they tell of, read from the view.

An event's id is made of the revision that wrote it, so ids are ordered alike for every control plane, and a view of revision r holds every event up
to horizon(r).
"""

import secrets
from dataclasses import dataclass, replace

from controlplane.model import Event
from controlplane.store import codec
from controlplane.store.client import Put
from controlplane.store.keys import Key, Kind
from controlplane.store.view import Stored, View

KEPT = 1_000
_MESSAGE_CHARACTERS = 500
_INDEX_BITS = 7  # etcd takes 128 writes in a transaction; an id stays an exact number in JSON for 2^46 revisions


@dataclass(frozen=True, slots=True)
class Told:
    """An event with its id."""

    id: int
    event: Event


def puts(*events: Event) -> list[Put]:
    """Return the writes to add to the transaction that *events* tell of, in their order."""
    return [
        Put(
            str(Key(Kind.EVENTS, secrets.token_hex(10))),
            codec.encode(replace(event, message=event.message[:_MESSAGE_CHARACTERS], index=index)),
        )
        for index, event in enumerate(events)
    ]


def horizon(view: View) -> int:
    """Return the greatest id that an event in *view* can have; later events have greater ones."""
    return view.revision << _INDEX_BITS | ((1 << _INDEX_BITS) - 1)


def newest_first(view: View) -> list[Told]:
    """Return all events."""
    return sorted(map(_told, view.events.values()), key=lambda told: told.id, reverse=True)


def after(view: View, last: int) -> list[Told]:
    """Return the events with an id greater than *last*, oldest first."""
    found = (told for told in map(_told, view.events.values()) if told.id > last)
    return sorted(found, key=lambda told: told.id)


def may_be_trimmed(view: View, last: int) -> bool:
    """Tell whether an event after *last* may be gone already: no fewer than KEPT are left, and all of them are later."""
    return len(view.events) >= KEPT and all(_id(stored) > last for stored in view.events.values())


def surplus(view: View) -> list[tuple[Key, int]]:
    """Return the keys, with their revisions, of the events that exceed KEPT, oldest first."""
    by_age = sorted(view.events.items(), key=lambda item: _id(item[1]))
    return [(Key(Kind.EVENTS, name), stored.revision) for name, stored in by_age[: max(0, len(by_age) - KEPT)]]


def _told(stored: Stored[Event]) -> Told:
    return Told(_id(stored), stored.record)


def _id(stored: Stored[Event]) -> int:
    return stored.revision << _INDEX_BITS | stored.record.index
