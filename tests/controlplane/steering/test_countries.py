import pytest

from controlplane.model import Location
from controlplane.steering import distance_km, unit_vector
from controlplane.steering.countries import COUNTRIES


def test_every_country_has_a_place_on_the_earth() -> None:
    assert len(COUNTRIES) == 248
    for country, place in COUNTRIES.items():
        assert len(country) == 2
        assert country.isupper()
        assert abs(place.latitude) <= 90
        assert abs(place.longitude) <= 180


@pytest.mark.parametrize(
    ("country", "city"),
    [
        ("AU", Location(-33.87, 151.21)),
        ("BR", Location(-23.55, -46.63)),
        ("GB", Location(51.5, -0.12)),
        ("RU", Location(55.75, 37.62)),
        ("JP", Location(35.68, 139.69)),
    ],
)
def test_it_is_the_principal_city_not_the_geometric_center(country: str, city: Location) -> None:
    assert distance_km(unit_vector(COUNTRIES[country]), unit_vector(city)) < 20
