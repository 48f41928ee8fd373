"""Where clients are: databases in MaxMind's format and the operator's file, read live, each replaced only by a good one."""

from controlplane.geoip.asn import AsnDatabase
from controlplane.geoip.city import CityDatabase
from controlplane.geoip.places import Places, PlacesConfig, forced_file, read_overrides
from controlplane.geoip.sample import Sampler, validate

__all__ = [
    "AsnDatabase",
    "CityDatabase",
    "Places",
    "PlacesConfig",
    "Sampler",
    "forced_file",
    "read_overrides",
    "validate",
]
