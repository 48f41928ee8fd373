"""Client addresses to places, from any City database in MaxMind's format (DB-IP, GeoLite2, GeoIP2).

It says what the database holds and nothing more: a record without usable coordinates is not given any, nor one whose coordinates are but the
middle of its country.
"""

import ipaddress
import math
from pathlib import Path
from typing import Self

import maxminddb

from controlplane.geoip.tree import SearchTree
from controlplane.model import Location
from controlplane.steering import ClientLocation, unlocated
from nearhop import log
from nearhop.errors import InvalidInput, Violation

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Looked up once when a database is opened: a file that is cut short or overwritten rarely survives a walk into several of its corners.
_SAMPLES = (
    "1.1.1.1",
    "8.8.8.8",
    "101.0.0.1",
    "193.0.0.1",
    "223.255.0.1",
    "2001:200::1",
    "2400::1",
    "2a00::1",
    "2c0f::1",
)

# Where databases put what they know to be somewhere in a country: a lake in Kansas, a field in Hesse, a desert in New South Wales …
_CENTROIDS = frozenset(
    ((37.751, -97.822), (38.0, -97.0), (51.2993, 9.491), (34.7732, 113.722), (-33.494, 143.2104), (21.9974, 79.0011), (43.1479, 12.1097))
)  # fmt: skip
COUNTRY_RADIUS_KM = 1000  # an accuracy that tells the country at best

_log = log.get(__name__)


class CityDatabase:
    """An open database. Reading is thread-safe and never blocks: the file is mapped into memory."""

    def __init__(self, reader: maxminddb.Reader, tree: SearchTree, path: Path) -> None:
        self._reader = reader
        self._tree = tree
        metadata = reader.metadata()
        self._only_ipv4 = metadata.ip_version == 4
        self.path = path
        self.kind: str = metadata.database_type
        self.built_at = float(metadata.build_epoch)
        self.nodes: int = metadata.node_count
        self.damaged_records = 0

    @property
    def only_ipv4(self) -> bool:
        """Whether it knows no IPv6 addresses."""
        return self._only_ipv4

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open the database at *path*. Raises InvalidInput when it is none or damaged, OSError when it cannot be read."""
        path = Path(path)
        try:
            reader, tree = SearchTree.map(path)
        except (maxminddb.InvalidDatabaseError, ValueError) as error:
            raise InvalidInput([Violation(str(path), f"is not a MaxMind database, or cut short: {error}")]) from error
        try:
            for sample in _SAMPLES[:5] if reader.metadata().ip_version == 4 else _SAMPLES:
                reader.get(sample)
        except (maxminddb.InvalidDatabaseError, ValueError) as error:
            reader.close()
            tree.close()
            raise InvalidInput([Violation(str(path), f"is damaged: {error}")]) from error
        return cls(reader, tree, path)

    def locate(self, ip: str | Address) -> ClientLocation:
        """Say where *ip* is. An IPv4 address written as IPv6 is looked up as IPv4. Raises ValueError when *ip* is no address."""
        address = _unwrap(ipaddress.ip_address(ip) if isinstance(ip, str) else ip)
        if address.version == 6 and self._only_ipv4:
            return unlocated(address)
        try:
            record, prefix = self._reader.get_with_prefix_len(address)
        except maxminddb.InvalidDatabaseError:
            self._count_damaged(address)
            return unlocated(address)
        network = _network(address, max(0, min(prefix, address.max_prefixlen)))
        if not isinstance(record, dict):
            return ClientLocation(str(address), network, "none")
        location, city = _location(record), _text(record, "city", "names", "en")
        country = (
            _text(record, "country", "iso_code").upper() or _text(record, "registered_country", "iso_code").upper()
        )
        if location is None or (country and not city and _is_countrys(record, location)):
            return ClientLocation(str(address), network, "country" if country else "none", country=country)
        return ClientLocation(str(address), network, "city", location, country, city)

    def record_of(self, packed: bytes) -> tuple[int, int] | None:
        """Return the record that the address *packed* is in and its prefix' length, None when only locate() can tell.

        What locate() says of two addresses of one record and length differs in the address and the network alone.
        """
        return self._tree.find(packed)

    def close(self) -> None:
        """Unmap the file; nothing must be looked up after it."""
        self._reader.close()
        self._tree.close()

    def _count_damaged(self, address: Address) -> None:
        self.damaged_records += 1
        if self.damaged_records == 1:  # one line, not one for each query
            _log.error("a record of the geo database is damaged", path=str(self.path), address=str(address))


def _unwrap(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _network(address: Address, prefix: int) -> str:
    # ipaddress.ip_network() takes four times as long, and this is the price of each new client.
    host_bits = address.max_prefixlen - prefix
    return f"{type(address)(int(address) >> host_bits << host_bits)}/{prefix}"


def _location(record: dict[str, object]) -> Location | None:
    place = record.get("location")
    if not isinstance(place, dict):
        return None
    latitude, longitude = place.get("latitude"), place.get("longitude")
    if not (isinstance(latitude, float | int) and isinstance(longitude, float | int)):
        return None
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        return None
    if abs(latitude) > 90 or abs(longitude) > 180 or (latitude == 0 and longitude == 0):
        return None  # 0,0 lies in the Gulf of Guinea, where nobody lives: it is how databases write "unknown"
    return Location(float(latitude), float(longitude))


def _is_countrys(record: dict[str, object], location: Location) -> bool:
    """Tell whether the coordinates of a record without a city are those of its country as a whole."""
    place = record["location"]
    radius = place.get("accuracy_radius", 0) if isinstance(place, dict) else 0
    if isinstance(radius, int) and radius >= COUNTRY_RADIUS_KM:
        return True
    return not record.get("subdivisions") or (location.latitude, location.longitude) in _CENTROIDS


def _text(record: object, *path: str) -> str:
    for key in path:
        record = record.get(key) if isinstance(record, dict) else None
    return record if isinstance(record, str) else ""
