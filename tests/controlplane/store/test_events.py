from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from controlplane.model import Event, EventKind
from controlplane.store import codec, events
from controlplane.store.client import Item
from controlplane.store.view import View, relist


def event(message: str = "m", **more: str) -> Event:
    return Event(EventKind.NODE_LOST, 1.0, message, **more)  # type: ignore[arg-type]


def view_of(*transactions: list[Event], revision: int = 0) -> View:
    """A view after transactions at the revisions 1, 2, …"""
    items = [
        Item(put.key, put.value, number)
        for number, transaction in enumerate(transactions, start=1)
        for put in events.puts(*transaction)
    ]
    return relist(View(), items, revision or len(transactions)).view


def messages(found: list[events.Told]) -> list[str]:
    return [told.event.message for told in found]


def test_events_are_ordered_as_they_were_written_within_a_transaction_too() -> None:
    view = view_of([event("a"), event("b")], [event("c")], [event("d"), event("e")])
    assert messages(events.after(view, 0)) == ["a", "b", "c", "d", "e"]
    assert messages(events.newest_first(view)) == ["e", "d", "c", "b", "a"]


@given(st.lists(st.integers(1, 128), min_size=1, max_size=5), st.integers(0, 600))
def test_a_resumed_reading_misses_nothing_and_repeats_nothing(sizes: list[int], stop: int) -> None:
    view = view_of(*([event()] * size for size in sizes))
    whole = [told.id for told in events.after(view, 0)]
    assert len(set(whole)) == len(whole) == sum(sizes)
    part = whole[:stop]
    assert part + [told.id for told in events.after(view, part[-1] if part else 0)] == whole
    assert events.after(view, events.horizon(view)) == []
    assert whole[-1] <= events.horizon(view) < (view.revision + 1) << 7


def test_a_long_message_is_cut_and_a_hostile_one_stays_data() -> None:
    hostile = '"},\n{"kind":"\x00<script>/../' + "x" * 1000
    (put,) = events.puts(event(hostile, node=hostile[:40]))
    read = codec.decode(Event, put.value)
    assert read.message == hostile[:500]
    assert read.node == hostile[:40]
    assert put.key.count("/") == 3


def test_the_surplus_is_the_oldest_and_only_then_something_may_be_missing() -> None:
    view = view_of(*([event(str(number))] for number in range(events.KEPT + 3)))
    surplus = events.surplus(view)
    assert [revision for _, revision in surplus] == [1, 2, 3]
    kept = {name: stored for name, stored in view.events.items() if stored.revision > 3}
    trimmed = View(view.revision, events=MappingProxyType(kept))
    assert events.surplus(trimmed) == []
    oldest = events.after(trimmed, 0)[0].id
    assert events.may_be_trimmed(trimmed, oldest - 1)
    assert not events.may_be_trimmed(trimmed, oldest)
    assert not events.may_be_trimmed(view_of([event()]), 0)
