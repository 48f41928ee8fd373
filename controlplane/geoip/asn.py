"""Client addresses to autonomous systems, from any ASN database in MaxMind's format (DB-IP, GeoLite2)."""

import ipaddress
from pathlib import Path
from typing import Self

import maxminddb

from controlplane.geoip.tree import SearchTree
from nearhop.errors import InvalidInput, Violation

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AsnDatabase:
    """An open database."""

    def __init__(self, reader: maxminddb.Reader, tree: SearchTree, path: Path) -> None:
        self._reader = reader
        self._tree = tree
        self._only_ipv4 = reader.metadata().ip_version == 4
        self.path = path
        self.built_at = float(reader.metadata().build_epoch)
        self.kind: str = reader.metadata().database_type

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open the database at *path*. Raises InvalidInput when it is none, OSError when it cannot be read."""
        path = Path(path)
        try:
            reader, tree = SearchTree.map(path)
        except (maxminddb.InvalidDatabaseError, ValueError) as error:
            raise InvalidInput([Violation(str(path), f"is not a MaxMind database, or cut short: {error}")]) from error
        return cls(reader, tree, path)

    def find(self, address: Address) -> tuple[int, int]:
        """Return the number of *address*' autonomous system, 0 when unknown, and the length of the prefix of which that is true."""
        if address.version == 6 and self._only_ipv4:
            return 0, 0
        try:
            record, prefix = self._reader.get_with_prefix_len(address)
        except maxminddb.InvalidDatabaseError:
            return 0, address.max_prefixlen
        number = record.get("autonomous_system_number") if isinstance(record, dict) else None
        return number if isinstance(number, int) else 0, max(0, min(prefix, address.max_prefixlen))

    def record_of(self, packed: bytes) -> tuple[int, int] | None:
        """Return the record that the address *packed* is in and its prefix' length, None when only find() can tell."""
        return self._tree.find(packed)

    def close(self) -> None:
        """Unmap the file."""
        self._reader.close()
        self._tree.close()
