"""A record of a City database in MaxMind's format as the answer that guests read. Pure.

Databases are written by others: whatever is missing, of another type or out of range becomes null, never an error.
"""

import math
from collections.abc import Mapping

_TEXT_MAX = 128
_EUROPEAN_UNION = frozenset({
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU",
    "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
})  # fmt: skip

Answer = dict[str, str | float | bool | None]


def answer(record: object) -> Answer:
    """Return what is known of a place; every key is there, what is not known is None."""
    latitude, longitude = _coordinates(_at(record, "location"))
    country = _text(record, "country", "iso_code") or _text(record, "registered_country", "iso_code")
    country = country.upper() if country else None
    division = _first(_at(record, "subdivisions"))
    return {
        "country": country,
        "region": _text(division, "names", "en"),
        "region_code": _text(division, "iso_code"),
        "city": _text(record, "city", "names", "en"),
        "postal_code": _text(record, "postal", "code"),
        "latitude": latitude,
        "longitude": longitude,
        "metro_code": _number_as_text(_at(record, "location", "metro_code")),
        "timezone": _text(record, "location", "time_zone"),
        "continent": _text(record, "continent", "code"),
        "is_eu": _in_union(record, country),
        "asn": _asn(record),
        "as_organization": _text(record, "traits", "autonomous_system_organization")
        or _text(record, "autonomous_system_organization"),
    }


def _in_union(record: object, country: str | None) -> bool | None:
    said = _at(record, "country", "is_in_european_union")
    if isinstance(said, bool):
        return said
    return None if country is None else country in _EUROPEAN_UNION


def _asn(record: object) -> int | None:
    number = _at(record, "traits", "autonomous_system_number") or _at(record, "autonomous_system_number")
    return number if isinstance(number, int) and not isinstance(number, bool) and 0 < number < 1 << 32 else None


def _coordinates(place: object) -> tuple[float | None, float | None]:
    latitude, longitude = _at(place, "latitude"), _at(place, "longitude")
    if not (isinstance(latitude, float | int) and isinstance(longitude, float | int)):
        return None, None
    if not (math.isfinite(latitude) and math.isfinite(longitude) and abs(latitude) <= 90 and abs(longitude) <= 180):
        return None, None
    if latitude == 0 and longitude == 0:
        return None, None  # in the Gulf of Guinea, where nobody lives: it is how databases write "unknown"
    return float(latitude), float(longitude)


def _number_as_text(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return str(value)[:_TEXT_MAX] or None


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else None


def _at(record: object, *path: str) -> object:
    for key in path:
        record = record.get(key) if isinstance(record, Mapping) else None
    return record


def _text(record: object, *path: str) -> str | None:
    found = _at(record, *path)
    return found[:_TEXT_MAX] or None if isinstance(found, str) else None
