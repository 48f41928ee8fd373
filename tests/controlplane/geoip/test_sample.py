from pathlib import Path

import pytest

from controlplane.geoip import CityDatabase, Sampler, validate
from tests.controlplane.geoip.files import LYON, OSAKA, write, write_city


def opened(path: Path) -> CityDatabase:
    return CityDatabase.open(path)


@pytest.fixture
def present(tmp_path: Path) -> CityDatabase:
    return opened(write_city(tmp_path / "present.mmdb", OSAKA))


def test_a_newer_database_that_knows_as_much_is_good(tmp_path: Path, present: CityDatabase) -> None:
    offered = opened(write_city(tmp_path / "new.mmdb", LYON, built=2_000_086_400))
    assert validate(offered, present) == []
    assert validate(offered, None) == []
    offered.close()
    present.close()


def test_an_older_one_is_not(tmp_path: Path, present: CityDatabase) -> None:
    offered = opened(write_city(tmp_path / "old.mmdb", LYON, built=2_000_000_000 - 86_400))
    assert validate(offered, present) == ["it was built 1.0 days before the one in use"]
    offered.close()
    present.close()


def test_one_that_knows_far_less_is_not(tmp_path: Path, present: CityDatabase) -> None:
    offered = opened(write_city(tmp_path / "small.mmdb", LYON, networks=("16.0.0.0/4",)))
    (reason,) = validate(offered, present)
    assert reason.startswith("it locates ")
    assert validate(offered, None) == []
    offered.close()
    present.close()


def test_one_without_places_is_no_city_database(tmp_path: Path) -> None:
    offered = opened(write(tmp_path / "asn.mmdb", {"0.0.0.0/1": {"autonomous_system_number": 1}}, "Test-ASN"))
    (reason,) = validate(offered, None)
    assert reason == "none of 2000 look-ups gave a place: Test-ASN is no City database, or empty"
    assert Sampler(1).clients(offered, 10) == []
    offered.close()


def test_the_same_seed_draws_the_same_clients(present: CityDatabase) -> None:
    drawn = Sampler(5).clients(present, 50)
    assert drawn == Sampler(5).clients(present, 50)
    assert drawn != Sampler(6).clients(present, 50)
    assert len({client.ip for client in drawn}) > 45
    present.close()
