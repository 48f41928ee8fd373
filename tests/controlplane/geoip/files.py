"""Databases for tests, of any age."""

import warnings
from pathlib import Path
from typing import Any
from unittest import mock

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from mmdb_writer import MMDBWriter
    from netaddr import IPSet

OSAKA, LYON = (34.69, 135.5), (45.76, 4.84)


def write_city(
    path: Path,
    place: tuple[float, float],
    *,
    networks: tuple[str, ...] = ("0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3"),
    built: int = 2_000_000_000,
) -> Path:
    """Write a database in which *networks* are at *place*, and put it at *path* in one step."""
    record = {
        "city": {"names": {"en": "X"}},
        "location": {"latitude": place[0], "longitude": place[1]},
        "country": {"iso_code": "ZZ"},
    }
    return write(path, dict.fromkeys(networks, record), "Test-City", built)


def write(path: Path, records: dict[str, Any], kind: str, built: int = 2_000_000_000, *, ip_version: int = 6) -> Path:
    """Write *records* by network."""
    writer = MMDBWriter(ip_version, kind, ipv4_compatible=ip_version == 6)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    partial = path.with_suffix(".partial")
    with mock.patch("time.time", return_value=float(built)):
        writer.to_db_file(str(partial))
    return partial.replace(path)
