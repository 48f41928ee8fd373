"""Great-circle distance on a sphere, by the chord between two unit vectors: exact near zero, where the cosine formula is not."""

import math

from controlplane.model import Location

EARTH_RADIUS_KM = 6371.0088  # IUGG mean radius

Vector = tuple[float, float, float]


def unit_vector(location: Location) -> Vector:
    """Return *location* as a point on the unit sphere."""
    latitude, longitude = math.radians(location.latitude), math.radians(location.longitude)
    ring = math.cos(latitude)
    return ring * math.cos(longitude), ring * math.sin(longitude), math.sin(latitude)


def distance_km(here: Vector, there: Vector) -> float:
    """Return the great-circle distance between two unit vectors, in km."""
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.dist(here, there) / 2))
