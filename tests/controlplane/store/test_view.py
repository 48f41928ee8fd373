from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controlplane.model import Bundle, Function
from controlplane.store import codec
from controlplane.store.client import Change, Item
from controlplane.store.keys import Key, Kind
from controlplane.store.view import Fold, View, fold, relist

A, B = Key(Kind.FUNCTIONS, "a"), Key(Kind.FUNCTIONS, "b")


def value(name: str, made: float = 0.0) -> bytes:
    return codec.encode(Function(name, (f"{name}.example.org",), made, "r"))


def put(key: Key, revision: int, made: float = 0.0) -> Change:
    return Change(str(key), value(key.name, made), revision)


def names(view: View) -> dict[str, int]:
    return {name: stored.revision for name, stored in view.functions.items()}


def test_changes_are_applied_in_order_and_told() -> None:
    step = fold(View(), [put(A, 1), put(B, 2), Change(str(A), None, 3)])
    assert names(step.view) == {"b": 2}
    assert step.view.revision == 3
    assert step.changed == {A, B}


def test_a_change_that_is_not_newer_is_not_applied() -> None:
    view = fold(View(), [put(A, 5)]).view
    for late in (put(A, 4, made=9.0), Change(str(A), None, 5)):
        step = fold(view, [late])
        assert (names(step.view), step.changed) == ({"a": 5}, frozenset())


def test_writes_of_one_transaction_are_applied_together() -> None:
    assert names(fold(View(), [put(A, 1), put(B, 1)]).view) == {"a": 1, "b": 1}


def test_tables_that_nothing_changed_stay_the_same_object() -> None:
    view = fold(View(), [put(A, 1)]).view
    after = fold(view, [Change(str(Key(Kind.MANIFESTS, "d")), codec.encode(Bundle("d", 1, 1, 0.0)), 2)]).view
    assert after.functions is view.functions
    assert after.manifests["d"].record.size_bytes == 1


def test_keys_of_others_move_the_revision_only() -> None:
    step = fold(View(), [Change("/nearhop/requests/x", b"?", 7)])
    assert (step.view.revision, step.changed, step.unreadable) == (7, frozenset(), ())


def test_an_unreadable_value_leaves_the_last_good_one() -> None:
    view = fold(View(), [put(A, 1)]).view
    step = fold(view, [Change(str(A), b"{", 2)])
    assert (names(step.view), step.view.revision) == ({"a": 1}, 2)
    assert [path for path, _ in step.unreadable] == [str(A)]
    again = relist(view, [Item(str(A), b"{", 2), Item(str(B), b"{", 3)], 3)
    assert names(again.view) == {"a": 1}
    assert [path for path, _ in again.unreadable] == [str(A), str(B)]


def test_a_listing_replaces_everything_and_tells_the_difference() -> None:
    view = fold(View(), [put(A, 1), put(B, 2), Change(str(Key(Kind.VERSIONS, "a", 1)), b"{", 2)]).view
    step = relist(view, [Item(str(B), value("b", 1.0), 4), Item("/nearhop/requests/x", b"?", 3)], 9)
    assert (names(step.view), step.view.revision, step.changed) == ({"b": 4}, 9, {A, B})
    assert relist(step.view, [Item(str(B), value("b", 1.0), 4)], 9).changed == frozenset()


events = st.lists(st.tuples(st.sampled_from([A, B, Key(Kind.VERSIONS, "a", 2)]), st.booleans()), max_size=12)


@given(events, st.integers(0, 12))
def test_watching_ends_where_listing_does(history: list[tuple[Key, bool]], gap: int) -> None:
    """However the history is cut into a watched part and a listing, the view at its end is the same."""
    changes = [_change(key, exists, revision) for revision, (key, exists) in enumerate(history, start=1)]
    watched = _all(fold(View(), changes))
    listing = {change.key: change for change in changes}
    items = [Item(path, change.value, change.revision) for path, change in listing.items() if change.value is not None]
    assert _all(relist(fold(View(), changes[:gap]).view, items, len(changes))) == watched


def _change(key: Key, exists: bool, revision: int) -> Change:
    if not exists:
        return Change(str(key), None, revision)
    if key.kind is Kind.FUNCTIONS:
        return put(key, revision)
    record = (
        b'{"schema":"version/1","record":{"function":"a","number":2,"digest":"d","size_bytes":1,"dialect":"deno",'
        b'"entrypoint":"","author":"","message":"","created_at":0,"request_id":"r"}}'
    )
    return Change(str(key), record, revision)


def _all(step: Fold) -> list[Mapping[Any, Any]]:
    return [dict(getattr(step.view, kind)) for kind in Kind]
