import ipaddress
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controlplane.geoip import CityDatabase
from controlplane.model import Location
from nearhop.errors import InvalidInput

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from mmdb_writer import MMDBWriter
    from netaddr import IPSet

RECORDS: dict[str, Any] = {
    "192.0.2.0/24": {"city": {"names": {"en": "Osaka"}}, "country": {"iso_code": "jp"}, "location": {"latitude": 34.69, "longitude": 135.5}},
    "198.51.100.0/25": {"country": {"iso_code": "NZ"}},
    "198.51.100.128/25": {"registered_country": {"iso_code": "AU"}, "location": {"latitude": 0, "longitude": 0}},
    "203.0.113.0/28": {"location": {"latitude": 91.0, "longitude": 0.5}},
    "203.0.113.16/28": {"location": {"latitude": 1.0, "longitude": -181.0}, "country": {"iso_code": "FR"}},
    "203.0.113.32/28": {"location": {"latitude": float("nan"), "longitude": 1.0}},
    "203.0.113.48/28": {"location": {"latitude": "48.8", "longitude": "2.3"}},
    "203.0.113.64/28": {"location": {"latitude": 48.8}},
    "203.0.113.80/28": {"location": "Paris", "country": "FR", "city": {"names": ["Paris"]}},
    "203.0.113.96/28": {"location": {"latitude": -33, "longitude": 151}},
    "203.0.113.112/28": "a string",
    "2001:db8:1::/48": {"city": {"names": {"en": "Lyon"}}, "country": {"iso_code": "FR"}, "location": {"latitude": 45.76, "longitude": 4.84}},
}  # fmt: skip


def write(path: Path, records: dict[str, Any] = RECORDS, *, ip_version: int = 6) -> Path:
    writer = MMDBWriter(ip_version, "Test-City", ipv4_compatible=ip_version == 6)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path


@pytest.fixture
def database(tmp_path: Path) -> Iterator[CityDatabase]:
    database = CityDatabase.open(write(tmp_path / "city.mmdb"))
    yield database
    database.close()


def test_a_city_record_gives_place_country_city_and_its_network(database: CityDatabase) -> None:
    found = database.locate("192.0.2.77")
    assert (found.ip, found.network, found.source) == ("192.0.2.77", "192.0.2.0/24", "city")
    assert (found.location, found.country, found.city) == (Location(34.69, 135.5), "JP", "Osaka")


def test_ipv6_is_located_and_address_objects_are_taken(database: CityDatabase) -> None:
    found = database.locate(ipaddress.ip_address("2001:db8:1:2::3"))
    assert (found.network, found.city) == ("2001:db8:1::/48", "Lyon")


def test_an_ipv4_address_inside_ipv6_is_the_ipv4_address(database: CityDatabase) -> None:
    assert database.locate("::ffff:192.0.2.77") == database.locate("192.0.2.77")


def test_a_country_record_has_no_place(database: CityDatabase) -> None:
    found = database.locate("198.51.100.1")
    assert (found.source, found.location, found.country, found.prefix_length) == ("country", None, "NZ", 25)


def test_null_island_is_nowhere_and_the_registered_country_stands_in(database: CityDatabase) -> None:
    found = database.locate("198.51.100.200")
    assert (found.source, found.location, found.country) == ("country", None, "AU")


@pytest.mark.parametrize(("ip", "source"), [
    ("203.0.113.1", "none"), ("203.0.113.17", "country"), ("203.0.113.33", "none"), ("203.0.113.49", "none"),
    ("203.0.113.65", "none"), ("203.0.113.81", "none"), ("203.0.113.113", "none"),
])  # fmt: skip
def test_unusable_records_give_no_place(database: CityDatabase, ip: str, source: str) -> None:
    found = database.locate(ip)
    assert (found.source, found.location, found.prefix_length) == (source, None, 28)


def test_whole_degrees_are_degrees(database: CityDatabase) -> None:
    assert database.locate("203.0.113.97").location == Location(-33.0, 151.0)


def test_an_address_without_a_record_has_the_gaps_network(database: CityDatabase) -> None:
    found = database.locate("10.1.2.3")
    assert (found.source, found.location) == ("none", None)
    assert ipaddress.ip_address("10.1.2.3") in ipaddress.ip_network(found.network)
    assert not ipaddress.ip_network(found.network).overlaps(ipaddress.ip_network("192.0.2.0/24"))


def test_an_ipv4_database_knows_no_ipv6(tmp_path: Path) -> None:
    database = CityDatabase.open(
        write(tmp_path / "v4.mmdb", {"192.0.2.0/24": {"country": {"iso_code": "DE"}}}, ip_version=4)
    )
    assert database.locate("192.0.2.1").country == "DE"
    assert database.locate("2001:db8::1").network == "2001:db8::/56"
    database.close()


def test_what_is_no_address_is_refused(database: CityDatabase) -> None:
    with pytest.raises(ValueError, match="localhost"):
        database.locate("localhost")


@pytest.mark.parametrize("content", [b"", b"not a database", json.dumps(RECORDS["192.0.2.0/24"]).encode()])
def test_other_files_are_refused_with_their_path(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.mmdb"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"bad\.mmdb"):
        CityDatabase.open(path)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_a_database_cut_short_is_refused(tmp_path: Path, kept: float) -> None:
    whole = write(tmp_path / "whole.mmdb").read_bytes()
    cut = tmp_path / "cut.mmdb"
    cut.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(InvalidInput):
        CityDatabase.open(cut)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        CityDatabase.open(tmp_path / "none.mmdb")


def damage(path: Path, start: bytes) -> Path:
    """Overwrite the data that begins with *start*, keeping tree and metadata."""
    data = bytearray(path.read_bytes())
    at = data.index(start)
    data[at : at + len(start)] = b"\xff" * len(start)
    path.write_bytes(data)
    return path


def test_a_damaged_record_gives_no_place_and_is_counted(tmp_path: Path) -> None:
    database = CityDatabase.open(damage(write(tmp_path / "city.mmdb"), b"\x45Osaka"))
    for times in (1, 2):
        found = database.locate("192.0.2.77")
        assert (found.source, found.network) == ("none", "192.0.2.0/24")
        assert database.damaged_records == times
    assert database.locate("198.51.100.1").country == "NZ"
    database.close()


def test_damage_under_a_sampled_address_is_found_when_opening(tmp_path: Path) -> None:
    records = {"1.1.1.0/24": {"city": {"names": {"en": "Sydney"}}}}
    with pytest.raises(InvalidInput, match="damaged"):
        CityDatabase.open(damage(write(tmp_path / "city.mmdb", records), b"\x46Sydney"))


COUNTRY_LEVEL: dict[str, Any] = {
    # MaxMind's layout: a record of which only the country is known has its middle for coordinates.
    "192.0.2.0/25": {"country": {"iso_code": "US"}, "location": {"latitude": 37.751, "longitude": -97.822, "accuracy_radius": 1000}},
    "192.0.2.128/25": {"country": {"iso_code": "DE"}, "location": {"latitude": 51.2993, "longitude": 9.491}, "subdivisions": [{"iso_code": "HE"}]},
    "198.51.100.0/25": {"country": {"iso_code": "FR"}, "location": {"latitude": 45.7, "longitude": 4.8}, "subdivisions": [{"iso_code": "ARA"}]},
    "198.51.100.128/25": {"country": {"iso_code": "FR"}, "location": {"latitude": 45.7, "longitude": 4, "accuracy_radius": 1000}, "subdivisions": 1},
    "203.0.113.0/24": {"country": {"iso_code": "US"}, "city": {"names": {"en": "Cheney"}}, "location": {"latitude": 37.751, "longitude": -97.822}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("ip", "source"),
    [
        ("192.0.2.1", "country"),
        ("192.0.2.129", "country"),
        ("198.51.100.1", "city"),  # its subdivision is known
        ("198.51.100.129", "country"),
        ("203.0.113.1", "city"),  # people live there, too
    ],
)
def test_the_middle_of_a_country_is_no_place(tmp_path: Path, ip: str, source: str) -> None:
    database = CityDatabase.open(write(tmp_path / "city.mmdb", COUNTRY_LEVEL))
    found = database.locate(ip)
    assert found.source == source
    assert (found.location is None) == (source == "country")
    assert found.country
    database.close()


def test_metadata_tell_kind_and_age(database: CityDatabase) -> None:
    assert database.kind == "Test-City"
    assert database.built_at > 1_600_000_000
    assert database.nodes > 10
    assert not database.only_ipv4
