import ipaddress
from pathlib import Path

import pytest

from controlplane.geoip import AsnDatabase
from nearhop.errors import InvalidInput
from tests.controlplane.geoip.files import write


def test_the_number_and_the_prefix_of_which_it_is_true(tmp_path: Path) -> None:
    records = {
        "198.51.100.0/25": {"autonomous_system_number": 64500},
        "203.0.113.0/24": {"autonomous_system_number": "x"},
    }
    database = AsnDatabase.open(write(tmp_path / "asn.mmdb", records, "Test-ASN"))
    assert database.find(ipaddress.ip_address("198.51.100.9")) == (64500, 25)
    assert database.find(ipaddress.ip_address("198.51.100.200"))[0] == 0
    assert database.find(ipaddress.ip_address("203.0.113.9"))[0] == 0
    assert database.kind == "Test-ASN"
    database.close()


def test_a_database_of_ipv4_says_nothing_of_ipv6(tmp_path: Path) -> None:
    records = {"198.51.100.0/25": {"autonomous_system_number": 64500}}
    database = AsnDatabase.open(write(tmp_path / "asn.mmdb", records, "Test-ASN", ip_version=4))
    assert database.find(ipaddress.ip_address("2001:db8::1")) == (0, 0)
    database.close()


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "asn.mmdb"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InvalidInput):
        AsnDatabase.open(path)
    with pytest.raises(FileNotFoundError):
        AsnDatabase.open(tmp_path / "nowhere")
