"""A small City database for the router's tests."""

import warnings
from collections.abc import Mapping
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from mmdb_writer import MMDBWriter
    from netaddr import IPSet


def write_city_database(path: Path, places: Mapping[str, tuple[float, float]]) -> Path:
    """Write one record for each network, the wider ones first so that the narrower ones split them."""
    writer = MMDBWriter(6, "Test-City", ipv4_compatible=True)
    for network in sorted(places, key=lambda text: int(text.rpartition("/")[2])):
        latitude, longitude = places[network]
        writer.insert_network(IPSet([network]), {"location": {"latitude": latitude, "longitude": longitude}})
    writer.to_db_file(str(path))
    return path
