"""All that is known of where clients are, in one look-up; its files are watched and replaced while it answers.

A file is to be replaced by renaming another over it, never written into: it is mapped into memory. What does not pass leaves the one in use in place.
"""

import asyncio
import ipaddress
import tomllib
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from controlplane.geoip.asn import AsnDatabase
from controlplane.geoip.city import CityDatabase
from controlplane.geoip.sample import validate
from controlplane.steering import ClientLocation, Overrides, unlocated
from nearhop import log
from nearhop.errors import InvalidInput, NearhopError, Violation

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
T = TypeVar("T")

REFRESH_S = 1.0
_MAPPED = bytes(10) + b"\xff\xff"  # IPv4 written as IPv6 is looked up as IPv4

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class PlacesConfig:
    """The files, each empty for none: a City database, an ASN database, the operator's file (see steering.overrides)."""

    city: str = ""
    asn: str = ""
    overrides: str = ""


class Places:
    """Where clients are. All of it belongs to one thread but prepare(), which may run in another."""

    def __init__(self, config: PlacesConfig) -> None:
        """Open and read everything. Raises InvalidInput and OSError."""
        self._config = config
        self._stamps = {path: _stamp(path) for path in (config.city, config.asn, config.overrides) if path}
        self.city = CityDatabase.open(config.city) if config.city else None
        self.asn = AsnDatabase.open(config.asn) if config.asn else None
        self.overrides = read_overrides(config.overrides) if config.overrides else Overrides()
        self.refused: dict[str, str] = {}
        self.changes = 0

    def locate(self, ip: str | Address) -> ClientLocation:
        """Say where *ip* is: the operator's file, then the databases, then the country's default. Raises ValueError when it is no address."""
        address = ipaddress.ip_address(ip) if isinstance(ip, str) else ip
        found = unlocated(address) if self.city is None else self.city.locate(address)
        return self.overrides.apply(found if self.asn is None else self._with_asn(self.asn, found))

    def record_of(self, packed: bytes) -> tuple[Hashable, int] | None:
        """Return what stands for all that is said of the address *packed*, and its prefix' length; None when only locate() can tell.

        What locate() says of two addresses for which both are the same differs in the address and the network alone.
        """
        found = None if self.city is None or packed.startswith(_MAPPED) else self.city.record_of(packed)
        if found is None or (self.asn is None and not self.overrides.has_prefixes):
            return found
        system = (0, 0) if self.asn is None else self.asn.record_of(packed)
        if system is None:
            return None
        said, length = self.overrides.said_of(packed)
        return (found[0], system[0], said), max(found[1], system[1], length)

    def apply(self, client: ClientLocation) -> ClientLocation:
        """Return *client*, of which something was told, as it is to be steered."""
        return self.overrides.apply(client)

    def prepare(self) -> "Prepared | None":
        """Read the files that have changed since they were read last, and judge them; None when none has. May take a second: for a thread."""
        stamps = {path: _stamp(path) for path in self._stamps}
        changed = {path for path, stamp in stamps.items() if stamp != self._stamps[path] and stamp is not None}
        if not changed:
            return None
        refused: dict[str, str] = {}

        def read(path: str, open_it: Callable[[str], T]) -> T | None:
            if path not in changed:
                return None
            try:
                return open_it(path)
            except (NearhopError, OSError) as error:
                refused[path] = str(error)
                return None

        return Prepared(
            stamps={path: stamps[path] for path in changed},
            refused=refused,
            city=read(self._config.city, self._next_city),
            asn=read(self._config.asn, AsnDatabase.open),
            overrides=read(self._config.overrides, read_overrides),
        )

    def use(self, prepared: "Prepared") -> bool:
        """Take over what was prepared; tell whether anything is different now."""
        self._stamps |= prepared.stamps
        for path in prepared.stamps:
            self.refused.pop(path, None)
        self.refused |= prepared.refused
        for path, reason in prepared.refused.items():
            _log.error("a file is refused, the one in use stays", path=path, reason=reason)
        if prepared.city is not None:
            self.city, old = prepared.city, self.city
            if old is not None:
                old.close()
        if prepared.asn is not None:
            self.asn, before = prepared.asn, self.asn
            if before is not None:
                before.close()
        if prepared.overrides is not None:
            self.overrides = prepared.overrides
        taken = prepared.stamps.keys() - prepared.refused.keys()
        for path in taken:
            self.changes += 1
            _log.info("a file that tells where clients are has been replaced", path=path)
        return bool(taken)

    async def follow(self, changed: Callable[[], None] = lambda: None) -> None:
        """Read anew what changes, and call *changed* then, until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_S)
            prepared = await asyncio.to_thread(self.prepare)
            if prepared is not None and self.use(prepared):
                changed()

    def close(self) -> None:
        """Unmap the files."""
        for database in (self.city, self.asn):
            if database is not None:
                database.close()

    def _next_city(self, path: str) -> CityDatabase:
        database = CityDatabase.open(path)
        forced = forced_file(path)
        reasons = validate(database, None if forced.exists() else self.city)
        if reasons:
            database.close()
            raise InvalidInput([Violation(path, reason) for reason in reasons])
        forced.unlink(missing_ok=True)
        return database

    @staticmethod
    def _with_asn(asn: AsnDatabase, found: ClientLocation) -> ClientLocation:
        address = ipaddress.ip_address(found.ip)
        number, length = asn.find(address)
        if length > found.prefix_length:
            return replace(found, asn=number, network=str(ipaddress.ip_network((address, length), strict=False)))
        return replace(found, asn=number)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What has changed: None for what has not, or is *refused*, with the reason by path."""

    stamps: dict[str, tuple[int, int, int] | None]
    refused: dict[str, str]
    city: CityDatabase | None
    asn: AsnDatabase | None
    overrides: Overrides | None


def forced_file(path: str | Path) -> Path:
    """Return the file beside a database whose presence has even an older or smaller one taken over, once."""
    path = Path(path)
    return path.with_name(path.name + ".forced")


def read_overrides(path: str) -> Overrides:
    """Read the operator's file at *path*. Raises InvalidInput with everything that is wrong, OSError when it cannot be read."""
    try:
        raw = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput([Violation(path, f"is not TOML: {error}")]) from error
    return Overrides.parse(raw)


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return None  # between a removal and the next file
    return found.st_ino, found.st_size, found.st_mtime_ns
