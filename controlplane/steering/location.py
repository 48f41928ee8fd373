"""Where a client is, as far as anybody can tell from its address."""

import ipaddress
from dataclasses import dataclass
from typing import Literal

from controlplane.model import Location

Source = Literal["city", "country", "none", "given", "operator"]

# What resolvers send at most, and what RFC 7871 section 11.1 recommends for privacy.
CLIENT_PREFIX_IPV4 = 24
CLIENT_PREFIX_IPV6 = 56


@dataclass(frozen=True, slots=True)
class Target:
    """Where an operator says that clients are: at a node, in a region or at a place. Exactly one is said."""

    node: str = ""
    region: str = ""
    location: Location | None = None

    @property
    def words(self) -> str:
        """What it is, for a sentence."""
        if self.location is not None:
            return f"{self.location.latitude:g}, {self.location.longitude:g}"
        return f"node {self.node}" if self.node else f"region {self.region}"


@dataclass(frozen=True, slots=True)
class ClientLocation:
    """A client's address and what is known of it.

    *network* is the prefix of which all that follows is true: every address in it has the same location. *source* is the finest thing
    known; "country" comes with the *location* of the country's default, if it has one; "given" was told and not looked up; "operator" stands in
    the operator's file, which may say a *target* in place of a location, *fallback* being the database's location should the fleet not have the
    target. *country* is ISO 3166-1 alpha-2 in upper case, empty when unknown; *asn* 0 when unknown. *why* is how it was located, if not by city.
    """

    ip: str
    network: str
    source: Source
    location: Location | None = None
    country: str = ""
    city: str = ""
    asn: int = 0
    target: Target | None = None
    fallback: Location | None = None
    why: str = ""

    @property
    def prefix_length(self) -> int:
        """The length of *network*'s prefix, in the network's own address family."""
        return int(self.network.rpartition("/")[2])


def given(location: Location, country: str = "") -> ClientLocation:
    """Describe a client of which only the place is told: it has no address, so what is decided for it depends on none."""
    return ClientLocation("", "0.0.0.0/0", "given", location, country)


def of_country(country: str) -> ClientLocation:
    """Describe a client of which only the country is told."""
    return ClientLocation("", "0.0.0.0/0", "country", country=country)


def unlocated(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ClientLocation:
    """Describe a client for which there is no database: its network is what a resolver would tell of it."""
    prefix = CLIENT_PREFIX_IPV4 if ip.version == 4 else CLIENT_PREFIX_IPV6
    return ClientLocation(str(ip), str(ipaddress.ip_network((ip, prefix), strict=False)), "none")
