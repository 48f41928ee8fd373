"""Which addresses a sandbox must not reach: the special-purpose ranges, less what the operator exempts. Pure.

The engine takes IPv4 ranges only; of IPv6 it can deny single addresses, and the guest refuses IPv6 literals and resolves no AAAA records.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from node.special import SPECIAL_V4

Network = IPv4Network | IPv6Network

DENIED_V6 = ("::", "::1", "::ffff:0:0", "fd00:ec2::254", "fe80::1")


def denied_networks(exempt: Iterable[Network]) -> list[IPv4Network]:
    """Return the denied IPv4 ranges without what lies in *exempt*, sorted and disjoint."""
    left = list(SPECIAL_V4)
    for hole in exempt:
        if isinstance(hole, IPv4Network):
            left = [part for network in left for part in _without(network, hole)]
    return sorted(left)


def _without(network: IPv4Network, hole: IPv4Network) -> list[IPv4Network]:
    if not network.overlaps(hole):
        return [network]
    return [] if network.subnet_of(hole) else list(network.address_exclude(hole))


def deny_net(exempt: Iterable[Network], local: Iterable[str] = ()) -> str:
    """Render the value of Deno's --deny-net: the denied ranges and addresses, and those of this machine in *local*."""
    holes = list(exempt)
    entries = [str(network) for network in denied_networks(holes)]
    addresses = {IPv6Address(text) for text in DENIED_V6}
    for text in local:
        address = ip_network(text.partition("%")[0]).network_address
        if isinstance(address, IPv6Address):
            addresses.add(address)
        elif not _covered(address, denied_networks(holes)) and not _exempt(address, holes):
            entries.append(str(address))
    entries += [f"[{address}]" for address in sorted(addresses) if not _exempt(address, holes)]
    return ",".join(entries)


def _covered(address: IPv4Address, networks: list[IPv4Network]) -> bool:
    return any(address in network for network in networks)


def _exempt(address: IPv4Address | IPv6Address, holes: list[Network]) -> bool:
    return any(hole.version == address.version and address in hole for hole in holes)
