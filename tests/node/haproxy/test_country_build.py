"""The country map against the database it is made from, address by address."""

import random
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path

import maxminddb
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from node.haproxy import country_build
from node.haproxy.countries import CountryMapError, build, cached


@pytest.fixture
def database(tmp_path: Path) -> Path:
    writer = MMDBWriter(6, ipv4_compatible=True, database_type="Test-City")
    for network, code in {
        "203.0.113.0/25": "JP",
        "203.0.113.128/25": "JP",
        "203.0.112.0/24": "JP",
        "198.51.100.0/25": "GB",
        "198.51.100.128/25": "US",
        "192.0.2.0/24": "",
        "2001:db8::/33": "BR",
        "2001:db8:8000::/33": "BR",
    }.items():
        record = {"country": {"iso_code": code}} if code else {"city": {"names": {"en": "Nowhere"}}}
        writer.insert_network(IPSet([network]), record)
    path = tmp_path / "city.mmdb"
    writer.to_db_file(str(path))
    return path


def test_neighbours_of_one_country_are_one_network(database: Path) -> None:
    assert sorted(country_build.lines(database)) == [
        "198.51.100.0/24 GB\n",
        "198.51.100.128/25 US\n",
        "2001:db8::/32 BR\n",
        "203.0.112.0/23 JP\n",
    ]


def test_each_address_keeps_its_country(database: Path) -> None:
    found = [(ip_network(network), code) for network, code in (line.split() for line in country_build.lines(database))]
    chance = random.Random(1)
    with maxminddb.open_database(database) as reader:
        for _ in range(2000):
            address = IPv4Address(chance.choice((0xCB007000, 0xC6336400, 0xC0000200)) + chance.randrange(512))
            record = reader.get(str(address))
            want = (record or {}).get("country", {}).get("iso_code", "XX")
            matching = [(network.prefixlen, code) for network, code in found if ip_address(address) in network]
            assert max(matching, default=(0, "XX"))[1] == want, address


async def test_built_once_and_found_again(database: Path, tmp_path: Path) -> None:
    out = cached(database, tmp_path / "cache")
    assert out == cached(database, tmp_path / "cache")
    await build(database, out)
    first = out.stat().st_mtime_ns
    await build(database, out)
    assert out.stat().st_mtime_ns == first
    assert "203.0.112.0/23 JP\n" in out.read_text()


async def test_a_broken_database_is_said(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mmdb"
    broken.write_bytes(b"not a database")
    with pytest.raises(CountryMapError, match="not a geo database"):
        cached(broken, tmp_path)
    with pytest.raises(CountryMapError, match="building the country map failed"):
        await build(broken, tmp_path / "out.map")
