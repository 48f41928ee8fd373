"""Clients are where the database puts them, never where we say they are."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.geoip import CityDatabase
from controlplane.model import Location
from deploy.local import geo
from deploy.local.regions import REGIONS, Region
from nearhop import names


@pytest.fixture(scope="module")
def database() -> CityDatabase:
    found = geo.find(None)
    assert found is not None
    assert "CC BY 4.0" in found.attribution
    return CityDatabase.open(found.path)


def test_every_region_has_a_client_that_the_database_puts_there(database: CityDatabase) -> None:
    found = geo.clients(database, REGIONS.values())
    assert [client.region.name for client in found] == list(REGIONS)
    for client in found:
        assert database.locate(client.ip).location == client.location
        assert geo.kilometers(client.location, client.region.location) <= geo.NEAR_KM


def test_an_address_that_is_elsewhere_is_passed_over(database: CityDatabase) -> None:
    tokyo, london = REGIONS["tokyo"], REGIONS["london"]
    wrong = Region("x", "X", tokyo.location, london.addresses)
    mixed = Region("y", "Y", tokyo.location, (*london.addresses, "192.0.2.1", tokyo.addresses[0]))
    assert [client.ip for client in geo.clients(database, (wrong, mixed))] == [tokyo.addresses[0]]


def test_a_region_with_several_nodes_has_one_client(database: CityDatabase) -> None:
    assert len(geo.clients(database, [REGIONS["tokyo"]] * 3)) == 1


def test_regions_have_valid_names() -> None:
    for name, region in REGIONS.items():
        assert names.region_reasons(name) == []
        assert region.name == name


def test_a_chosen_database_is_taken() -> None:
    assert geo.find(Path("/mine.mmdb")) == geo.Database(Path("/mine.mmdb"))


_PLACE = st.builds(Location, st.floats(-90, 90), st.floats(-180, 180))


@given(_PLACE, _PLACE)
def test_distances_fit_the_earth(here: Location, there: Location) -> None:
    distance = geo.kilometers(here, there)
    assert 0 <= distance <= math.pi * 6372
    assert distance == pytest.approx(geo.kilometers(there, here))
