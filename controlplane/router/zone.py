"""The names of our zones: which exist, and what each has. Pure; built once for each view.

Names are lower-case wire form (controlplane.router.wire). What stands between the apex and a hostname exists without records of its own (RFC 4592
section 2.2.2), so it answers NODATA and never NXDOMAIN. An operator's record goes before what the platform would publish at the same name.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from controlplane.model import RoutedFunction
from controlplane.router import wire
from controlplane.router.wire import Rcode, Reply, Type, encode_name

STATIC_TTL_S = 300
NEGATIVE_TTL_S = 5  # a function that was just made should be found soon
WILDCARD = b"\x01*"

_PREVIEW = re.compile(rb"v[0-9]{1,9}--(.+)", re.DOTALL)  # v3--hello: version 3 of hello
_NO_REPLIES: Mapping[int, Reply] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Record:
    """One RRset that an operator publishes; *data* holds the data of each record in wire form. The owner may be a wildcard."""

    name: bytes
    kind: int
    ttl_s: int
    data: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A name that exists in the zone *apex*. *function*: whose nodes its addresses are; *replies*: what stands there for everybody, by type."""

    apex: bytes
    function: str | None = None
    replies: Mapping[int, Reply] = field(default_factory=lambda: _NO_REPLIES)


@dataclass(frozen=True, slots=True)
class Delegated:
    """A name at or below one that belongs to other servers."""

    apex: bytes
    at: bytes
    referral: Reply


@dataclass(frozen=True, slots=True)
class Absent:
    """Inside the zone *apex*, but not there."""

    apex: bytes


@dataclass(frozen=True, slots=True)
class Outside:
    """Not ours."""


Found = Entry | Delegated | Absent | Outside

_OUTSIDE = Outside()


@dataclass(frozen=True, slots=True)
class Negative:
    """What a zone says of what it does not have."""

    no_data: Reply
    no_name: Reply


@dataclass(frozen=True, slots=True)
class Zones:
    """All our zones. *entries* holds no name at or below one of *cuts*."""

    negatives: Mapping[bytes, Negative]
    entries: Mapping[bytes, Entry] = field(repr=False)
    cuts: Mapping[bytes, Delegated] = field(repr=False)

    @classmethod
    def of(
        cls,
        zones: Sequence[str],
        functions: Iterable[RoutedFunction] = (),
        records: Sequence[Record] = (),
        *,
        servers: Sequence[tuple[Type, bytes]] = (),
        serial: int = 0,
    ) -> Self:
        """Gather the names of *zones*. *servers* are ns1's addresses, each with its type.

        Hostnames outside the zones are left out; of two functions with one hostname the first keeps it.
        """
        made = _Builder([encode_name(zone) for zone in zones])
        for record in records:
            made.add(record)
        for apex in made.apexes:
            made.add_apex(apex, servers, serial)
        for function in functions:
            for hostname in function.hostnames:
                made.add_function(encode_name(hostname), function.name)
        return cls(made.negatives, made.entries(), made.cuts)

    def find(self, name: bytes) -> Found:
        """Say what *name* is. At most one look for each of its labels, however many names there are."""
        entry = self.entries.get(name)
        return entry if entry is not None else self._preview(name) or self._from_above(name)

    def _preview(self, name: bytes) -> Entry | None:
        """Return the entry of the function whose preview host *name* is."""
        match = _PREVIEW.fullmatch(name[1 : 1 + name[0]])
        if match is None:
            return None
        first = match[1]
        entry = self.entries.get(bytes([len(first)]) + first + name[1 + name[0] :])
        return None if entry is None or entry.function is None else Entry(entry.apex, entry.function)

    def _from_above(self, name: bytes) -> Found:
        offset = 0
        while True:
            above = name[offset:]
            cut = self.cuts.get(above)
            if cut is not None:
                return cut
            entry = self.entries.get(above)
            if entry is not None:  # the closest encloser: RFC 4592 section 3.3.1
                return self.entries.get(WILDCARD + above) or Absent(entry.apex)
            if not name[offset]:
                return _OUTSIDE
            offset += name[offset] + 1


class _Builder:
    def __init__(self, apexes: Sequence[bytes]) -> None:
        self.apexes = apexes
        self.cuts: dict[bytes, Delegated] = {}
        self.negatives: dict[bytes, Negative] = {}
        self._records: dict[bytes, dict[int, Record]] = {}
        self._replies: dict[bytes, dict[int, Reply]] = {}
        self._functions: dict[bytes, str] = {}

    def add(self, record: Record) -> None:
        self._records.setdefault(record.name, {})[record.kind] = record

    def add_apex(self, apex: bytes, servers: Sequence[tuple[Type, bytes]], serial: int) -> None:
        own = self._records.get(apex, {}).get(Type.NS)
        primary = own.data[0] if own is not None else b"\x03ns1" + apex
        soa = wire.soa_data(
            primary=primary, mailbox=b"\x0ahostmaster" + apex, serial=serial, negative_ttl_s=NEGATIVE_TTL_S
        )
        # RFC 2308 section 5: the lesser of the SOA's TTL and its MINIMUM.
        negative = (wire.record(apex, Type.SOA, NEGATIVE_TTL_S, soa),)
        self.negatives[apex] = Negative(
            Reply(Rcode.NOERROR, authority=negative), Reply(Rcode.NXDOMAIN, authority=negative)
        )
        self._replies[apex] = {
            Type.SOA: Reply(Rcode.NOERROR, answer=(wire.record(wire.QUERY_NAME, Type.SOA, STATIC_TTL_S, soa),))
        }
        if own is None:
            for kind in {kind for kind, _ in servers}:
                addresses = tuple(data for of, data in servers if of is kind)
                self._records.setdefault(primary, {}).setdefault(kind, Record(primary, kind, STATIC_TTL_S, addresses))
            self._records.setdefault(primary, {})
            self.add(Record(apex, Type.NS, STATIC_TTL_S, (primary,)))

    def add_function(self, name: bytes, function: str) -> None:
        if self._apex_of(name) is not None:
            self._functions.setdefault(name, function)

    def entries(self) -> dict[bytes, Entry]:
        """Return every name with what it has; call it last."""
        for name, records in self._records.items():
            apex = self._apex_of(name)
            if apex is None:
                continue
            if Type.NS in records and name != apex:
                self.cuts[name] = Delegated(apex, name, self._referral(records[Type.NS]))
            self._replies.setdefault(name, {}).update((kind, self._reply(record)) for kind, record in records.items())
        made: dict[bytes, Entry] = {}
        for name in [*self._replies, *self._functions]:
            apex = self._apex_of(name)
            if apex is not None and not self._is_cut_off(name):
                replies = self._replies.get(name)
                made[name] = Entry(apex, self._functions.get(name), replies or _NO_REPLIES)
        for name, entry in list(made.items()):
            for parent in _parents(name, entry.apex):
                made.setdefault(parent, Entry(entry.apex))
        return made

    def _reply(self, record: Record) -> Reply:
        answer = tuple(wire.record(wire.QUERY_NAME, record.kind, record.ttl_s, data) for data in record.data)
        return Reply(Rcode.NOERROR, answer=answer, additional=self._glue(record))

    def _referral(self, record: Record) -> Reply:
        servers = tuple(wire.record(record.name, Type.NS, record.ttl_s, data) for data in record.data)
        return Reply(Rcode.NOERROR, authoritative=False, authority=servers, additional=self._glue(record))

    def _glue(self, record: Record) -> tuple[bytes, ...]:
        if record.kind != Type.NS:
            return ()
        return tuple(
            wire.record(target, kind, found.ttl_s, data)
            for target in record.data
            for kind in (Type.A, Type.AAAA)
            if (found := self._records.get(target, {}).get(kind)) is not None
            for data in found.data
        )

    def _is_cut_off(self, name: bytes) -> bool:
        return bool(self.cuts) and any(above in self.cuts for above in _upwards(name))

    def _apex_of(self, name: bytes) -> bytes | None:
        return next((above for above in _upwards(name) if above in self.apexes), None)


def _upwards(name: bytes) -> Iterable[bytes]:
    """Yield *name* and what is above it, label by label: the apex's octets could also stand inside a label."""
    while True:
        yield name
        if not name[0]:
            return
        name = name[name[0] + 1 :]


def _parents(name: bytes, apex: bytes) -> list[bytes]:
    """Return what stands between *name* and *apex*."""
    parents = []
    while len(name) > len(apex):
        name = name[name[0] + 1 :]
        parents.append(name)
    return parents[:-1]
