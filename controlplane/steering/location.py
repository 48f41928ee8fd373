"""Where a client is, as far as anybody can tell from its address."""

import ipaddress
from dataclasses import dataclass
from typing import Literal

from controlplane.model import Location

Source = Literal["city", "country", "none", "given"]

# What resolvers send at most, and what RFC 7871 section 11.1 recommends for privacy.
CLIENT_PREFIX_IPV4 = 24
CLIENT_PREFIX_IPV6 = 56


@dataclass(frozen=True, slots=True)
class ClientLocation:
    """A client's address and what the database says of it.

    *network* is the prefix that the database's record covers: every address in it has the same location. *source* is the finest thing
    known; only "city" comes with a *location*, and "given", which the asker told and nobody looked up.
    *country* is ISO 3166-1 alpha-2 in upper case, empty when unknown.
    """

    ip: str
    network: str
    source: Source
    location: Location | None = None
    country: str = ""
    city: str = ""

    @property
    def prefix_length(self) -> int:
        """The length of *network*'s prefix, in the network's own address family."""
        return int(self.network.rpartition("/")[2])


def unlocated(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ClientLocation:
    """Describe a client for which there is no database: its network is what a resolver would tell of it."""
    prefix = CLIENT_PREFIX_IPV4 if ip.version == 4 else CLIENT_PREFIX_IPV6
    return ClientLocation(str(ip), str(ipaddress.ip_network((ip, prefix), strict=False)), "none")
