"""Whose place decides an answer: from the address in a query to all of it that answers depend on, remembered for many addresses."""

import ipaddress
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import NamedTuple

from controlplane.model import Location
from controlplane.steering import ClientLocation, placeless_block, placeless_prefix

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Locate = Callable[[Address], ClientLocation]
# From an address' octets to what stands for all that is said of it but the network, and its prefix' length. None: it is to be located.
RecordOf = Callable[[bytes], tuple[Hashable, int] | None]

REMEMBERED = 131_072  # addresses; what one of them costs in memory is some 600 octets


def no_record(packed: bytes) -> None:
    """Leave the address *packed* to be located."""


class Origin(NamedTuple):
    """An address that may decide. *place* stands for all that an answer depends on but the network, *key* for that and the *scope* to tell.

    *placeless*: the address says nothing, and *scope* is its block's prefix length.
    """

    client: ClientLocation
    place: int
    key: int
    scope: int
    placeless: bool


class Origins:
    """Finds origins with *locate*, which must not raise for a valid address."""

    def __init__(self, locate: Locate, record_of: RecordOf = no_record) -> None:
        self._locate = locate
        self._record_of = record_of
        self._places: dict[tuple[Location | str, str], int] = {}
        self._numbered = 0
        # What is known of IPv4 networks, by how many bits of an address are no part of its prefix: most new addresses are of known networks.
        self._networks: dict[int, dict[int, ClientLocation]] = {}
        self._known = 0
        self._alike: dict[tuple[Hashable, int], Origin] = {}
        self._first: dict[Hashable, Origin] = {}
        self.like_subnet = lru_cache(REMEMBERED)(self._find_like)
        self.of_subnet = lru_cache(REMEMBERED)(self._find_subnet)
        self.of_peer = lru_cache(REMEMBERED)(self._find_peer)

    def _find_peer(self, peer: str) -> Origin:
        return self._find(ipaddress.ip_address(peer.partition("%")[0]))

    def _find_subnet(self, packed: bytes) -> Origin:
        return self._find(ipaddress.ip_address(packed))

    def _find_like(self, packed: bytes) -> Origin:
        found = self._record_of(packed)
        if found is None or placeless_block(packed) is not None:
            return self._find_subnet(packed)
        return self._alike.get(found) or self._find_alike(packed, *found)

    def _find_alike(self, packed: bytes, record: Hashable, length: int) -> Origin:
        first = self._first.get(record)
        if first is None:
            address = ipaddress.ip_address(packed)
            origin = self._origin(address, self._locate(address))
            if origin.client.location is None or origin.scope != length:
                return origin  # its answer may depend on its own network
            if len(self._first) >= REMEMBERED:
                self._first = {}
            self._first[record] = origin
        else:
            origin = Origin(first.client, first.place, first.place << 8 | length, length, False)
        if len(self._alike) >= REMEMBERED:
            self._alike = {}
        self._alike[record, length] = origin
        return origin

    def _find(self, address: Address) -> Origin:
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        address = mapped or address
        return self._origin(address, self._client(address), 96 if mapped else 0)

    def _origin(self, address: Address, client: ClientLocation, before: int = 0) -> Origin:
        placeless = placeless_prefix(address)
        scope = before + (client.prefix_length if placeless is None else placeless)
        place = self._number(client.location or client.network, client.country)
        return Origin(client, place, place << 8 | scope, scope, placeless is not None)

    def _client(self, address: Address) -> ClientLocation:
        if address.version == 6:
            return self._locate(address)
        number = int(address)
        for host_bits, networks in self._networks.items():
            client = networks.get(number >> host_bits)
            if client is not None:
                return client
        client = self._locate(address)
        host_bits = 32 - client.prefix_length
        if self._known >= REMEMBERED:
            self._networks, self._known = {}, 0
        self._known += 1
        self._networks.setdefault(host_bits, {})[number >> host_bits] = client
        return client

    def _number(self, spot: Location | str, country: str) -> int:
        number = self._places.get((spot, country))
        if number is None:
            if len(self._places) >= REMEMBERED:
                self._places.clear()
            number = self._places[spot, country] = self._numbered = self._numbered + 1  # never the same one again
        return number
