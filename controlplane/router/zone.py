"""The zone's names: which exist, and what each is for. Pure; built once for each view.

Names are lower-case wire form (controlplane.router.wire). What stands between the apex and a hostname exists without records of its own (RFC 4592
section 2.2.2), so it answers NODATA and never NXDOMAIN.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from controlplane.model import RoutedFunction
from controlplane.router.wire import encode_name


@dataclass(frozen=True, slots=True)
class Apex:
    """The zone itself: SOA and NS."""


@dataclass(frozen=True, slots=True)
class NameServer:
    """ns1 of the zone: this router's own addresses."""


@dataclass(frozen=True, slots=True)
class FunctionName:
    """A hostname of a function."""

    function: str


@dataclass(frozen=True, slots=True)
class EmptyNonTerminal:
    """A name that has nothing but names below it."""


@dataclass(frozen=True, slots=True)
class Absent:
    """Inside the zone, but not there."""


@dataclass(frozen=True, slots=True)
class Outside:
    """Not ours."""


Entry = Apex | NameServer | FunctionName | EmptyNonTerminal
Found = Entry | Absent | Outside

_ABSENT, _OUTSIDE = Absent(), Outside()


@dataclass(frozen=True, slots=True)
class Zone:
    """The names of one zone; *apex* and *name_server* are in wire form."""

    apex: bytes
    name_server: bytes
    entries: Mapping[bytes, Entry] = field(repr=False)

    @classmethod
    def of(cls, zone: str, functions: Iterable[RoutedFunction] = ()) -> Self:
        """Gather the names of *zone*. Hostnames outside it are left out; of two functions with one hostname the first keeps it."""
        apex, name_server = encode_name(zone), encode_name(f"ns1.{zone}")
        entries: dict[bytes, Entry] = {apex: Apex(), name_server: NameServer()}
        for function in functions:
            for hostname in function.hostnames:
                name = encode_name(hostname)
                if _is_below(name, apex):
                    entries.setdefault(name, FunctionName(function.name))
        for name in list(entries):
            for parent in _parents(name, apex):
                entries.setdefault(parent, EmptyNonTerminal())
        return cls(apex, name_server, entries)

    def find(self, name: bytes) -> Found:
        """Say what *name* is."""
        entry = self.entries.get(name)
        if entry is not None:
            return entry
        return _ABSENT if _is_below(name, self.apex) else _OUTSIDE


def _is_below(name: bytes, apex: bytes) -> bool:
    offset = 0
    # Label by label: the apex's octets could also stand inside a label.
    while len(name) - offset > len(apex):
        offset += name[offset] + 1
    return name[offset:] == apex


def _parents(name: bytes, apex: bytes) -> list[bytes]:
    parents = []
    while len(name) > len(apex):
        name = name[name[0] + 1 :]
        parents.append(name)
    return parents[:-1]
