"""Which addresses and ports a sandbox may reach, and why not. Pure.

Refused is all that IANA's special-purpose registries hold, multicast, the metadata services that clouds put elsewhere, and the fleet's own
addresses; for IPv6 everything outside of global unicast. An address that carries another one is judged by both.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from node.special import SPECIAL_V4, SPECIAL_V6

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_ELSEWHERE = "not on the public Internet"
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
# Mail, remote shells, Docker, etcd, kubelet, and what Nearhop's own parts listen on by default.
DENIED_PORTS = frozenset({0, 22, 23, 25, 2375, 2376, 2379, 2380, 4001, 7400, 7401, 7443, 10250})


@dataclass(frozen=True, slots=True)
class Rules:
    """*allow* exempts ranges from the list of special ones; *own* are the fleet's addresses, refused wherever they lie."""

    allow: tuple[Network, ...] = ()
    own: frozenset[Address] = frozenset()
    denied_ports: frozenset[int] = DENIED_PORTS


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request may not go out: a code, and a sentence for the program's author."""

    reason: str
    message: str


def judge_port(port: int, rules: Rules) -> Refusal | None:
    """Refuse the ports that no function has business with."""
    if port in rules.denied_ports or not 0 < port < 65536:
        return Refusal("egress_port", f"functions cannot reach port {port}")
    return None


def judge(host: str, addresses: tuple[Address, ...], rules: Rules) -> Refusal | None:
    """Refuse *host* when any of its addresses is refused: a name that leads to a public and a private one is an attack, or a mistake."""
    if not addresses:
        return Refusal("egress_unresolved", f"{host} has no address")
    for address in addresses:
        if (why := _special(address, rules)) is not None:
            return Refusal("egress_address", f"functions cannot reach {host}: {address} is {why}")
    return None


def _special(address: Address, rules: Rules) -> str | None:
    if any(address.version == network.version and address in network for network in rules.allow):
        return None
    if address in rules.own:
        return "an address of this fleet"
    if isinstance(address, IPv4Address):
        return _ELSEWHERE if any(address in network for network in SPECIAL_V4) else None
    return _special_v6(address, rules)


def _special_v6(address: IPv6Address, rules: Rules) -> str | None:
    inner = embedded(address)
    if inner is not None and (why := _special(inner, rules)) is not None:
        return f"{why} (it carries {inner})"
    if address.ipv4_mapped is not None or address in _NAT64:
        return None  # they lead to the inner address and nowhere else
    public = address in _GLOBAL_UNICAST and not any(address in network for network in SPECIAL_V6)
    return None if public else _ELSEWHERE


def embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that *address* is a spelling of or a tunnel to: mapped, 6to4, Teredo's client, NAT64 (RFC 6052)."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
