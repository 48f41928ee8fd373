"""Everything the control plane knows, as one immutable value: the last state of the watched keys, decoded.

fold() makes the next view from this one and a batch of changes; it does no I/O. A value that cannot be decoded leaves the last good one in place.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from controlplane.model import (
    Bundle,
    CronMarks,
    Deployment,
    Event,
    Function,
    Node,
    NodeReport,
    Presence,
    ScheduledCall,
    Secret,
    Version,
)
from controlplane.store import codec, keys
from controlplane.store.client import Change, Item
from controlplane.store.errors import CodecError
from controlplane.store.keys import Key, Kind

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A record and the revision of its last change."""

    record: T
    revision: int


def _none() -> Mapping[Any, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class View:
    """The records as of *revision*. Versions are by function and number, secrets by function and name, all else by name."""

    revision: int = 0
    functions: Mapping[str, Stored[Function]] = field(default_factory=_none)
    versions: Mapping[tuple[str, int], Stored[Version]] = field(default_factory=_none)
    manifests: Mapping[str, Stored[Bundle]] = field(default_factory=_none)
    deployments: Mapping[str, Stored[Deployment]] = field(default_factory=_none)
    nodes: Mapping[str, Stored[Node]] = field(default_factory=_none)
    health: Mapping[str, Stored[NodeReport]] = field(default_factory=_none)
    events: Mapping[str, Stored[Event]] = field(default_factory=_none)
    presence: Mapping[str, Stored[Presence]] = field(default_factory=_none)
    secrets: Mapping[tuple[str, str], Stored[Secret]] = field(default_factory=_none)
    crons: Mapping[str, Stored[CronMarks]] = field(default_factory=_none)
    calls: Mapping[str, Stored[ScheduledCall]] = field(default_factory=_none)


@dataclass(frozen=True, slots=True)
class Fold:
    """The next view, the keys in which it differs, and what could not be read (path and reason)."""

    view: View
    changed: frozenset[Key]
    unreadable: tuple[tuple[str, str], ...] = ()


def fold(view: View, changes: Iterable[Change]) -> Fold:
    """Apply the *changes* that are newer than *view*."""
    tables: dict[Kind, dict[Any, Stored[Any]]] = {}
    changed: set[Key] = set()
    unreadable: list[tuple[str, str]] = []
    revision = view.revision
    for change in changes:
        if change.revision <= view.revision:
            continue
        revision = max(revision, change.revision)
        if (key := keys.parse(change.key)) is None:
            continue
        table = tables.setdefault(key.kind, dict(getattr(view, key.kind)))
        try:
            _apply(table, key, change)
        except CodecError as error:
            unreadable.append((change.key, str(error)))
        else:
            changed.add(key)
    return Fold(_with(view, tables, revision), frozenset(changed), tuple(unreadable))


def relist(view: View, items: Iterable[Item], revision: int) -> Fold:
    """Make the view anew from a whole listing as of *revision*; *changed* tells the difference to *view*."""
    tables: dict[Kind, dict[Any, Stored[Any]]] = {kind: {} for kind in Kind}
    changed: set[Key] = set()
    unreadable: list[tuple[str, str]] = []
    for item in items:
        if (key := keys.parse(item.key)) is None:
            continue
        old = getattr(view, key.kind).get(_index(key))
        if old is not None and old.revision == item.revision:
            tables[key.kind][_index(key)] = old
            continue
        try:
            _apply(tables[key.kind], key, Change(item.key, item.value, item.revision))
            changed.add(key)
        except CodecError as error:
            unreadable.append((item.key, str(error)))
            if old is not None:
                tables[key.kind][_index(key)] = old
    for kind in Kind:
        changed |= {_key(kind, index) for index in getattr(view, kind) if index not in tables[kind]}
    return Fold(_with(view, tables, revision), frozenset(changed), tuple(unreadable))


def _apply(table: dict[Any, Stored[Any]], key: Key, change: Change) -> None:
    if change.value is None:
        table.pop(_index(key), None)
    else:
        record: Any = codec.decode(codec.TYPES[key.kind], change.value)  # type: ignore[type-var]  # one of R's types
        table[_index(key)] = Stored(record, change.revision)


def _with(view: View, tables: Mapping[Kind, dict[Any, Stored[Any]]], revision: int) -> View:
    fresh: dict[str, Any] = {kind.value: MappingProxyType(table) for kind, table in tables.items()}
    return replace(view, revision=revision, **fresh)


def _index(key: Key) -> str | tuple[str, int] | tuple[str, str]:
    match key.kind:
        case Kind.VERSIONS:
            return (key.name, key.number)
        case Kind.SECRETS:
            return (key.name, key.item)
        case _:
            return key.name


def _key(kind: Kind, index: Any) -> Key:
    match kind:
        case Kind.VERSIONS:
            return Key(kind, *index)
        case Kind.SECRETS:
            return Key(kind, index[0], item=index[1])
        case _:
            return Key(kind, index)
