"""An operator's own records: one TOML file, every error told at once, rendered with dnspython.

[[records]]
name = "www.example.org"      # a name of one of our zones; its first label may be "*"
type = "TXT"
ttl_s = 300
data = ['"hello"', '"world"'] # each as in a master file (RFC 1035 section 5.1), names in full
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from controlplane.router.wire import Type, encode_name
from controlplane.router.zone import WILDCARD, Record
from nearhop import config
from nearhop.errors import InvalidInput, Violation

TTL_MAX_S = 86_400 * 7
TYPES = frozenset(
    {"A", "AAAA", "CAA", "CNAME", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SRV", "SSHFP", "SVCB", "TLSA", "TXT", "URI"}
)


@dataclass(frozen=True, slots=True)
class RecordText:
    """One RRset as it is written."""

    name: str
    type: str
    data: tuple[str, ...]
    ttl_s: int = 300


@dataclass(frozen=True, slots=True)
class _File:
    records: tuple[RecordText, ...] = ()


def load(path: Path, zones: Sequence[str]) -> tuple[Record, ...]:
    """Read *path*. Raises InvalidInput with every violation, OSError when it cannot be read."""
    return parse(config.load(path, _File).records, zones)


def parse(texts: Sequence[RecordText], zones: Sequence[str]) -> tuple[Record, ...]:
    """Turn *texts* into records of *zones*. Raises InvalidInput with every violation."""
    found: list[Violation] = []
    records = []
    for number, text in enumerate(texts):
        reading = _Reading(f"records[{number}]", text, zones)
        record = reading.read()
        found += reading.violations
        if record is not None:
            records.append(record)
    found += _contradictions(records, zones)
    if found:
        raise InvalidInput(found)
    return tuple(records)


class _Reading:
    """One entry, with all that is wrong with it."""

    def __init__(self, where: str, text: RecordText, zones: Sequence[str]) -> None:
        self._where = where
        self._text = text
        self._zones = zones
        self.violations: list[Violation] = []

    def read(self) -> Record | None:
        text = self._text
        name = self._owner()
        if text.type not in TYPES:
            self._refuse("type", f'"{text.type}" is not one of {", ".join(sorted(TYPES))}')
        if not 0 <= text.ttl_s <= TTL_MAX_S:
            self._refuse("ttl_s", f"must be between 0 and {TTL_MAX_S}")
        if not text.data:
            self._refuse("data", "must name at least one")
        data = self._data() if text.type in TYPES else []
        if self.violations or name is None:
            return None
        return Record(name, dns.rdatatype.from_text(text.type), text.ttl_s, tuple(data))

    def _owner(self) -> bytes | None:
        try:
            name = dns.name.from_text(self._text.name).canonicalize()
        except (dns.exception.DNSException, UnicodeError) as error:
            self._refuse("name", f'"{self._text.name}" is no domain name: {error}')
            return None
        if not any(name.is_subdomain(dns.name.from_text(zone)) for zone in self._zones):
            self._refuse("name", f'"{self._text.name}" is in none of our zones, {", ".join(self._zones)}')
        if b"*" in name.labels[1:]:
            self._refuse("name", "may have a * only in front")
        return name.to_wire()

    def _data(self) -> list[bytes]:
        made = []
        for number, text in enumerate(self._text.data):
            try:
                kind = dns.rdatatype.from_text(self._text.type)
                rdata = dns.rdata.from_text(dns.rdataclass.IN, kind, text, dns.name.root, relativize=False)
            except (dns.exception.DNSException, ValueError) as error:
                self._refuse(f"data[{number}]", f'"{text}" is no {self._text.type} data: {error}')
                continue
            wire = rdata.to_wire()
            assert wire is not None  # noqa: S101  # it returns octets when it is given no file
            made.append(wire)
        if len(set(made)) < len(made):
            self._refuse("data", "holds the same twice")
        if self._text.type == "CNAME" and len(made) > 1:
            self._refuse("data", "a CNAME has one target")
        return made

    def _refuse(self, field: str, reason: str) -> None:
        self.violations.append(Violation(f"{self._where}.{field}", reason))


def _contradictions(records: Sequence[Record], zones: Sequence[str]) -> Iterable[Violation]:
    for (name, kind), times in Counter((record.name, record.kind) for record in records).items():
        if times > 1:
            yield Violation(
                _text(name),
                f"{dns.rdatatype.to_text(dns.rdatatype.RdataType(kind))} is there {times} times: put all data into one",
            )
    kinds: dict[bytes, set[int]] = {}
    for record in records:
        kinds.setdefault(record.name, set()).add(record.kind)
    apexes = {encode_name(zone) for zone in zones}
    for name, there in kinds.items():
        if Type.CNAME in there and (len(there) > 1 or name in apexes):
            yield Violation(_text(name), "a CNAME stands alone, and never at a zone's apex")  # RFC 1034 section 3.6.2
        if Type.NS in there and name.startswith(WILDCARD):
            yield Violation(_text(name), "a wildcard cannot be delegated")  # RFC 4592 section 4.2


def _text(name: bytes) -> str:
    return dns.name.from_wire(name, 0)[0].to_text(omit_final_dot=True)


class RecordsFile:
    """The file while the router runs: it is read again when it has changed, and what cannot be read changes nothing."""

    def __init__(self, path: Path, zones: Sequence[str]) -> None:
        self.path = path
        self._zones = zones
        self._seen: tuple[int, int, int] | None = None

    def changed(self) -> bool:
        """Tell whether the file is another one than load() has seen."""
        return self._look() != self._seen

    def load(self) -> tuple[Record, ...]:
        """See the module's load()."""
        self._seen = self._look()
        return load(self.path, self._zones)

    def _look(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None  # load() says why
        return status.st_mtime_ns, status.st_size, status.st_ino
