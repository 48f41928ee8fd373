import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.model import Location
from controlplane.steering import distance_km, unit_vector

PLACES = st.builds(Location, st.floats(-90, 90), st.floats(-180, 180))


def between(a: Location, b: Location) -> float:
    return distance_km(unit_vector(a), unit_vector(b))


@pytest.mark.parametrize(
    ("a", "b", "kilometres"),
    [
        (Location(35.6895, 139.692), Location(51.5074, -0.1278), 9559),  # Tokyo, London
        (Location(0, 179.5), Location(0, -179.5), 111.19),  # across the date line
        (Location(90, 0), Location(90, 123), 0),  # one pole, two longitudes
        (Location(10, 20), Location(-10, -160), math.pi * 6371.0088),  # antipodes
    ],
)
def test_known_distances(a: Location, b: Location, kilometres: float) -> None:
    assert between(a, b) == pytest.approx(kilometres, rel=1e-3, abs=1e-6)


@given(PLACES, PLACES)
def test_agrees_with_the_haversine_formula(a: Location, b: Location) -> None:
    la, lb = math.radians(a.latitude), math.radians(b.latitude)
    h = (
        math.sin((lb - la) / 2) ** 2
        + math.cos(la) * math.cos(lb) * math.sin(math.radians(b.longitude - a.longitude) / 2) ** 2
    )
    assert between(a, b) == pytest.approx(2 * 6371.0088 * math.asin(min(1.0, math.sqrt(h))), abs=1e-3)


@given(PLACES, PLACES)
def test_is_symmetric_and_bounded(a: Location, b: Location) -> None:
    assert between(a, b) == pytest.approx(between(b, a), abs=1e-9)
    assert 0 <= between(a, b) <= math.pi * 6371.01
