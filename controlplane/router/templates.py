"""Replies to hot questions, prepared: what is left to do for such a message is to look twice into a dictionary and to join octets.

A message's *shape* is all of it but its id, the case of its name and the address at its very end (a client subnet of 24 or 56 bits). Two messages of
one shape parse alike, whatever their addresses, and so a shape that the whole ladder has answered once need not be parsed again. Only questions
for functions' own names are kept, so that no flood of invented names fills the memory.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from controlplane.router import wire
from controlplane.router.answers import Tally
from controlplane.router.origins import Origin, Origins
from controlplane.router.wire import Query, Reply
from controlplane.router.zone import Entry

SHAPES_MAX = 4_096
FILLED_MAX = 262_144  # replies of all shapes, some 400 octets each

_HEADER_OCTETS = 12
_TYPE_CLASS_OCTETS = 4
_SUBNET_OCTETS = 4  # before the address
_SUBNET_IPV4 = b"\0\x01\x18\0"  # family, source prefix length, scope
_SUBNET_IPV6 = b"\0\x02\x38\0"
_COUNTS = (b"\0\x01\0\0\0\0\0\0", b"\0\x01\0\0\0\0\0\x01")  # octets that lower() leaves alone


@dataclass(frozen=True, slots=True)
class Prepared:
    """A reply to a function's name from one place, and where to count it."""

    reply: Reply
    tailored: bool
    tally: Tally


@dataclass(slots=True)
class _Template:
    """One shape. *query* is the message that it was learned from; *filled* holds what stands round the question, by the origin's key."""

    query: Query
    entry: Entry
    by_network: bool
    limit: int
    filled: dict[int | str, tuple[bytes, bytes, Tally]] = field(default_factory=dict)
    rendered: dict[tuple[int, int], tuple[Reply, bytes, bytes]] = field(default_factory=dict)

    @property
    def located(self) -> bool:
        """Whether a client subnet tells the place."""
        edns = self.query.edns
        return edns is not None and edns.client_subnet is not None and edns.client_subnet.source > 0

    def render(self, reply: Reply, scope: int) -> tuple[bytes, bytes]:
        """Return what stands before and after the question of *reply*."""
        known = self.rendered.get((id(reply), scope))
        if known is not None:
            return known[1:]
        query = self.query
        subnet = None if query.edns is None else query.edns.client_subnet
        whole = wire.render(query, reply, limit=self.limit, scope=scope)
        start = _HEADER_OCTETS + len(query.question)
        end = len(whole) - (len(subnet.sent) - _SUBNET_OCTETS if subnet is not None and subnet.source > 0 else 0)
        head, tail = whole[2:_HEADER_OCTETS], whole[start:end]
        # With the reply, so that its id stays its own.
        self.rendered[id(reply), scope] = reply, head, tail
        return head, tail


# From a function's name, a question's type and an origin to the reply.
Prepare = Callable[[Entry, int, Origin], Prepared]


class Templates:
    """All shapes that are known. *prepare* tells what is answered; forget() when that changes."""

    def __init__(self, origins: Origins, prepare: Prepare) -> None:
        self._origins = origins
        self._prepare = prepare
        self.hits = 0
        self.forget()

    def __len__(self) -> int:
        return len(self._plain) + len(self._ipv4) + len(self._ipv6)

    def forget(self, origins: Origins | None = None) -> None:
        """Start anew, from now on with *origins*."""
        self._origins = origins or self._origins
        # Apart, because a shape without an address might be the other's with the address cut off.
        self._plain: dict[bytes, _Template] = {}
        self._ipv4: dict[bytes, _Template] = {}
        self._ipv6: dict[bytes, _Template] = {}
        self._filled = 0

    def fill(self, data: bytes, peer: str) -> bytes | None:
        """Return the reply to *data* from *peer*, None when its shape is not known."""
        name_end = data.find(0, _HEADER_OCTETS) + 1
        if data[-7:-3] == _SUBNET_IPV4:
            template = self._ipv4.get(data[2:name_end].lower() + data[name_end:-3])
            if template is None:
                return None
            address = data[-3:]
            subnet = address + b"\0"
            origin = self._origins.of_subnet(subnet) if template.by_network else self._origins.like_subnet(subnet)
        elif data[-11:-7] == _SUBNET_IPV6:
            template = self._ipv6.get(data[2:name_end].lower() + data[name_end:-7])
            if template is None:
                return None
            address = data[-7:]
            subnet = address + bytes(9)
            origin = self._origins.of_subnet(subnet) if template.by_network else self._origins.like_subnet(subnet)
        else:
            template = self._plain.get(data[2:name_end].lower() + data[name_end:])
            if template is None:
                return None
            address = b""
            origin = self._origins.of_peer(peer)
        if address and origin.placeless:
            return None
        filled = template.filled.get(origin.client.network if template.by_network else origin.key)
        if filled is None:
            filled = self._fill(template, origin)
        head, tail, tally = filled
        tally.count += 1
        self.hits += 1
        return data[:2] + head + data[_HEADER_OCTETS : name_end + _TYPE_CLASS_OCTETS] + tail + address

    def learn(self, data: bytes, query: Query, entry: Entry, *, by_network: bool, limit: int) -> None:
        """Keep the shape of *data*, which is *query* for the function's name *entry*, if it is one of those that can be kept."""
        edns = query.edns
        if edns is not None and (edns.cookie or edns.nsid or edns.keepalive or edns.version != wire.EDNS_VERSION):
            return
        name_end = _HEADER_OCTETS + len(query.name)
        if data[4:_HEADER_OCTETS] not in _COUNTS or data.find(0, _HEADER_OCTETS) + 1 != name_end:
            return
        shapes, octets = self._kind(data)
        if _address_octets(query) != octets:
            return  # an address elsewhere or of another length, or what looks like one and is none
        if len(self) >= SHAPES_MAX:
            self.forget()
            shapes, octets = self._kind(data)
        shape = data[2:name_end].lower() + data[name_end : len(data) - octets]
        shapes.setdefault(shape, _Template(query, entry, by_network, limit))

    def _kind(self, data: bytes) -> tuple[dict[bytes, _Template], int]:
        if data[-7:-3] == _SUBNET_IPV4:
            return self._ipv4, 3
        return (self._ipv6, 7) if data[-11:-7] == _SUBNET_IPV6 else (self._plain, 0)

    def _fill(self, template: _Template, origin: Origin) -> tuple[bytes, bytes, Tally]:
        prepared = self._prepare(template.entry, template.query.type, origin)
        if self._filled >= FILLED_MAX:
            self.forget()
        self._filled += 1
        scope = origin.scope if template.located and prepared.tailored else 0
        key = origin.client.network if template.by_network else origin.key
        filled = template.filled[key] = *template.render(prepared.reply, scope), prepared.tally
        return filled


def _address_octets(query: Query) -> int | None:
    """Return how many octets of a client's address the message ends with, None when it holds them elsewhere."""
    subnet = None if query.edns is None else query.edns.client_subnet
    if subnet is None or subnet.source == 0:
        return 0
    return len(subnet.sent) - _SUBNET_OCTETS if subnet.last else None
