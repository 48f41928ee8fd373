"""Samples of a City database's networks: to judge a database before it is used, and to stand for all clients in a simulation."""

import ipaddress
import random

from controlplane.geoip.city import CityDatabase
from controlplane.steering import ClientLocation

CHECKED = 2_000  # look-ups before a database is used
LOCATED_LEAST = 0.5  # of those that the database before it located

_FIRST, _LAST = int(ipaddress.ip_address("1.0.0.0")), int(ipaddress.ip_address("223.255.255.255"))


class Sampler:
    """Draws addresses evenly from IPv4's unicast space, so that a network comes with a chance in proportion to its size."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)  # noqa: S311  # a sample that can be drawn again

    def address(self) -> ipaddress.IPv4Address:
        """Return an address, the first of its /24."""
        return ipaddress.IPv4Address(self._rng.randint(_FIRST, _LAST) & ~0xFF)

    def clients(self, database: CityDatabase, count: int) -> list[ClientLocation]:
        """Return *count* clients of whom the database knows at least the country; fewer when it knows hardly any."""
        found: list[ClientLocation] = []
        for _ in range(20 * count):
            if len(found) == count:
                break
            client = database.locate(self.address())
            if client.source != "none":
                found.append(client)
        return found


def validate(database: CityDatabase, before: CityDatabase | None) -> list[str]:
    """Say why *database* should not take the place of *before*: damaged, older, or it knows far less; without *before*, whether it is of any use."""
    located = _located(database)
    found = []
    if database.damaged_records:
        found.append(f"{database.damaged_records} of {CHECKED} look-ups met a damaged record")
    if not located:
        found.append(f"none of {CHECKED} look-ups gave a place: {database.kind} is no City database, or empty")
    if before is None:
        return found
    if database.built_at < before.built_at:
        found.append(f"it was built {(before.built_at - database.built_at) / 86400:.1f} days before the one in use")
    known = _located(before)
    if located < LOCATED_LEAST * known:
        found.append(f"it locates {located} of {CHECKED} addresses, the one in use {known}")
    return found


def _located(database: CityDatabase) -> int:
    sampler = Sampler(7)
    return sum(database.locate(sampler.address()).location is not None for _ in range(CHECKED))
