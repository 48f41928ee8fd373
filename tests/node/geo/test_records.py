import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.geo.records import answer

FULL = {
    "city": {"names": {"en": "Osaka"}},
    "continent": {"code": "AS"},
    "country": {"iso_code": "jp", "is_in_european_union": False},
    "location": {"latitude": 34.69, "longitude": 135, "metro_code": 501, "time_zone": "Asia/Tokyo"},
    "postal": {"code": "530-0001"},
    "subdivisions": [{"iso_code": "27", "names": {"en": "Osaka Prefecture"}}],
    "traits": {"autonomous_system_number": 64496, "autonomous_system_organization": "Example Net"},
}
NOTHING = dict.fromkeys(answer(FULL))


def test_a_full_record() -> None:
    assert answer(FULL) == {
        "country": "JP", "region": "Osaka Prefecture", "region_code": "27", "city": "Osaka", "postal_code": "530-0001",
        "latitude": 34.69, "longitude": 135.0, "metro_code": "501", "timezone": "Asia/Tokyo", "continent": "AS",
        "is_eu": False, "asn": 64496, "as_organization": "Example Net",
    }  # fmt: skip


@pytest.mark.parametrize("record", [None, "a string", [], {}, {"location": "Paris", "subdivisions": {}, "city": 5}])
def test_what_is_not_known_is_null(record: object) -> None:
    assert answer(record) == NOTHING


@pytest.mark.parametrize(
    "location",
    [
        {"latitude": 91, "longitude": 0.5}, {"latitude": 1, "longitude": -181}, {"latitude": math.nan, "longitude": 1},
        {"latitude": "1", "longitude": "1"}, {"latitude": 1}, {"latitude": 0, "longitude": 0},
    ],
)  # fmt: skip
def test_unusable_coordinates(location: dict[str, Any]) -> None:
    assert answer({"location": location}) == NOTHING


@pytest.mark.parametrize(
    ("record", "eu"),
    [
        ({"country": {"iso_code": "FR"}}, True),
        ({"registered_country": {"iso_code": "CH"}}, False),
        ({"country": {"iso_code": "FR", "is_in_european_union": False}}, False),
    ],
)
def test_the_european_union(record: dict[str, Any], eu: bool) -> None:
    assert answer(record)["is_eu"] is eu


def test_an_asn_record_and_long_texts() -> None:
    found = answer(
        {
            "autonomous_system_number": 64497,
            "autonomous_system_organization": "x" * 500,
            "location": {"metro_code": True},
        }
    )
    assert (found["asn"], len(str(found["as_organization"])), found["metro_code"]) == (64497, 128, None)
    assert answer({"autonomous_system_number": True})["asn"] is None


json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*FULL, "names", "en", "iso_code", "code", "latitude"]), inner, max_size=6)
    ),
)


@given(json)
def test_no_record_is_an_error(record: object) -> None:
    assert answer(record).keys() == NOTHING.keys()
