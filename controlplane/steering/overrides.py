"""The operator's word on where clients are: above the database for some networks, and in its stead where it knows but a country.

[prefixes]          # the longest that holds the address wins; above everything else
"198.51.100.0/24" = { region = "tokyo" }
"2001:db8::/32" = { node = "london-1" }
[asns]              # networks of this autonomous system
64500 = { location = [35.7, 139.7] }
[countries]         # clients of this country, however well the database knows their city
NZ = { region = "sydney" }
[country_defaults]  # clients of which only the country is known; without an entry the country's principal city
US = [39.0, -95.0]
"""

import ipaddress
import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

from controlplane.model import Location
from controlplane.steering.countries import COUNTRIES
from controlplane.steering.location import ClientLocation, Target
from nearhop import names
from nearhop.errors import InvalidInput, Violation

IPV4_OCTETS = 4
ASN_MAX = 2**32 - 1

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Named = tuple[str, Target]
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Ranges:
    """The address space cut where the longest matching prefix changes: *said* holds for the addresses from its cut to the next."""

    bits: int
    cuts: tuple[int, ...] = (0,)
    said: tuple[Named | None, ...] = (None,)

    def find(self, address: int) -> tuple[Named | None, int]:
        """Return what is said of *address*, and the length of the prefix round it of which the same is said."""
        at = bisect_right(self.cuts, address) - 1
        length = self._apart(address, self.cuts[at] - 1) if at else 0
        if at + 1 < len(self.cuts):
            length = max(length, self._apart(address, self.cuts[at + 1]))
        return self.said[at], length

    def _apart(self, address: int, other: int) -> int:
        return self.bits - (address ^ other).bit_length() + 1


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the file says; empty when there is none."""

    ipv4: _Ranges = field(default_factory=lambda: _Ranges(32))
    ipv6: _Ranges = field(default_factory=lambda: _Ranges(128))
    asns: Mapping[int, Target] = field(default_factory=dict)
    countries: Mapping[str, Target] = field(default_factory=dict)
    country_defaults: Mapping[str, Location] = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: Mapping[str, object]) -> Self:
        """Check *raw*, the TOML file as it was read. Raises InvalidInput with every violation."""
        found = [Violation(key, "is not known") for key in raw if key not in _TABLES]
        prefixes = _table(raw, "prefixes", _network, _target, found)
        asns = _table(raw, "asns", _asn, _target, found)
        countries = _table(raw, "countries", _country, _target, found)
        defaults = _table(raw, "country_defaults", _country, _location, found)
        if found:
            raise InvalidInput(found)
        ipv4, ipv6 = (
            _ranges(bits, [item for item in prefixes.items() if item[0].max_prefixlen == bits]) for bits in (32, 128)
        )
        return cls(ipv4, ipv6, asns, countries, defaults)

    def apply(self, client: ClientLocation) -> ClientLocation:
        """Return *client* as it is to be steered: prefix, then autonomous system, then country, then what was known, then the country's default."""
        said, client = self._of_network(client)
        target: Target | None = None
        if said is not None:
            what, target = said
        elif target := self.asns.get(client.asn):
            what = f"AS{client.asn}"
        elif target := self.countries.get(client.country):
            what = client.country
        if target is not None:
            why = f"the operator's file places {what} at {target.words}"
            return replace(
                client,
                source="operator",
                location=target.location,
                target=None if target.location else target,
                fallback=client.location or self._default(client.country),
                why=why,
            )
        if client.location is None and client.country:
            return replace(client, location=self._default(client.country))
        return client

    @property
    def has_prefixes(self) -> bool:
        """Whether anything is said of prefixes."""
        return not self.ipv4.said == self.ipv6.said == (None,)

    def said_of(self, packed: bytes) -> tuple[str, int]:
        """Return the prefix by which apply() places the address *packed*, "" for none, and to which length it narrows the address' network."""
        said, length = (self.ipv4 if len(packed) == IPV4_OCTETS else self.ipv6).find(int.from_bytes(packed))
        return "" if said is None else said[0], length

    def _default(self, country: str) -> Location | None:
        return self.country_defaults.get(country) or COUNTRIES.get(country)

    def _of_network(self, client: ClientLocation) -> tuple[Named | None, ClientLocation]:
        if not client.ip or not self.has_prefixes:
            return None, client
        address = ipaddress.ip_address(client.ip)
        said, length = (self.ipv4 if address.version == 4 else self.ipv6).find(int(address))
        if length > client.prefix_length:
            client = replace(client, network=str(ipaddress.ip_network((address, length), strict=False)))
        return said, client


_TABLES = ("prefixes", "asns", "countries", "country_defaults")


def _table(
    raw: Mapping[str, object],
    name: str,
    key_of: Callable[[str], K],
    value_of: Callable[[object], V],
    found: list[Violation],
) -> dict[K, V]:
    table = raw.get(name, {})
    if not isinstance(table, dict):
        found.append(Violation(name, "must be a table"))
        return {}
    read: dict[K, V] = {}
    for text, said in table.items():
        where = f'{name}."{text}"'
        try:
            key = key_of(text)
        except ValueError as error:
            found.append(Violation(where, str(error)))
            key = None
        try:
            value = value_of(said)
        except ValueError as error:
            found.append(Violation(where, str(error)))
            continue
        if key in read:
            found.append(Violation(where, "is there twice"))
        elif key is not None:
            read[key] = value
    return read


def _network(text: str) -> Network:
    return ipaddress.ip_network(text)


def _asn(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= ASN_MAX):
        raise ValueError(f"must be a number from 1 to {ASN_MAX}")
    return int(text)


def _country(text: str) -> str:
    if not (len(text) == 2 and text.isascii() and text.isalpha() and text.isupper()):
        raise ValueError("must be an ISO 3166-1 alpha-2 code in upper case")
    return text


def _target(said: object) -> Target:
    if not isinstance(said, dict) or len(said) != 1:
        raise ValueError("must say exactly one of node, region and location")
    ((key, value),) = said.items()
    if key == "location":
        return Target(location=_location(value))
    if key not in ("node", "region"):
        raise ValueError(f'"{key}" is not known: node, region or location')
    check = names.node_id_reasons if key == "node" else names.region_reasons
    if reasons := check(value) if isinstance(value, str) else ["must be text"]:
        raise ValueError(f"{key}: {'; '.join(reasons)}")
    return Target(node=value) if key == "node" else Target(region=value)


def _location(said: object) -> Location:
    numbers = said if isinstance(said, list) else []
    if len(numbers) != 2 or not all(type(number) in (int, float) for number in numbers):  # a bool is no degree
        raise ValueError("a location must be [latitude, longitude]")
    latitude, longitude = map(float, numbers)
    if not (math.isfinite(latitude) and abs(latitude) <= 90 and math.isfinite(longitude) and abs(longitude) <= 180):
        raise ValueError(f"{latitude:g}, {longitude:g} is not on the earth")
    return Location(latitude, longitude)


def _ranges(bits: int, prefixes: list[tuple[Network, Target]]) -> _Ranges:
    cuts, said = [0], [None]  # type: tuple[list[int], list[Named | None]]
    for at, value in _changes(bits, prefixes):
        if cuts[-1] == at:
            said[-1] = value
        else:
            cuts.append(at)
            said.append(value)
    return _Ranges(bits, tuple(cuts), tuple(said))


def _changes(bits: int, prefixes: list[tuple[Network, Target]]) -> Iterator[tuple[int, Named | None]]:
    """Walk the prefixes in order, which nest: at each one's start it is the longest, at its end the one round it is again."""
    around: list[tuple[int, Named]] = []

    def leave(before: int) -> Iterator[tuple[int, Named | None]]:
        while around and around[-1][0] <= before:
            end, _ = around.pop()
            if end < 1 << bits:
                yield end, around[-1][1] if around else None

    for network, target in sorted(prefixes, key=lambda item: (int(item[0].network_address), item[0].prefixlen)):
        start = int(network.network_address)
        yield from leave(start)
        named = str(network), target
        around.append((start + network.num_addresses, named))
        yield start, named
    yield from leave(1 << bits)
