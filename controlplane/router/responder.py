"""The query ladder: from a message's octets to its reply's, without await, lock or (but for a bug) log line.

What a reply depends on (fleet view, verdicts) is swapped whole by publish(); until the first view every name of the zone is SERVFAIL, because
"not known yet" must never be cached as "does not exist".
"""

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import assert_never

from controlplane.model import Location, Verdict
from controlplane.router import wire
from controlplane.router.answers import AnswerCounts, AnswerKey, Tally
from controlplane.router.wire import Class, Ignored, Query, Rcode, Rejected, Reply, Type
from controlplane.router.zone import Absent, Apex, EmptyNonTerminal, Entry, FunctionName, NameServer, Outside, Zone
from controlplane.steering import ClientLocation, FleetIndex, decide
from nearhop import log

_log = log.get(__name__)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Locate = Callable[[Address], ClientLocation]

STATIC_TTL_S = 300
NEGATIVE_TTL_S = 5  # a function that was just made should be found soon
CACHE_MAX = 65_536

# Addresses that say nothing about a place (RFC 7871 section 11.3, RFC 6890): the resolver's own address is used in their stead.
_PLACELESS = [
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
        "::/128", "::1/128", "fc00::/7", "fe80::/10",
    )
]  # fmt: skip
# (first address, last address, prefix length) by IP version: comparing numbers is ten times as fast as ipaddress' own test.
_PLACELESS_RANGES = {
    version: [
        (int(network[0]), int(network[-1]), network.prefixlen) for network in _PLACELESS if network.version == version
    ]
    for version in (4, 6)
}

_REFUSED = Reply(Rcode.REFUSED, authoritative=False)
_NOTIMP = Reply(Rcode.NOTIMP, authoritative=False)
_SERVFAIL = Reply(Rcode.SERVFAIL, authoritative=False)
_BADVERS = Reply(Rcode.BADVERS, authoritative=False)
# RFC 8482 section 4.2
_MINIMAL_ANY = wire.record(
    wire.QUERY_NAME, Type.HINFO, STATIC_TTL_S, wire.character_string(b"RFC8482") + wire.character_string(b"")
)


@dataclass(frozen=True, slots=True)
class _Origin:
    """An address that may decide; *spot* is all that the answer depends on, *placeless* that it says nothing and *scope* is its block's."""

    client: ClientLocation
    spot: Location | str
    scope: int
    placeless: bool


@dataclass(frozen=True, slots=True)
class _Answers:
    """The replies for one function and place, and the tally of those that name a node, or that there is none (*nowhere*)."""

    a: Reply
    aaaa: Reply
    tailored: bool
    tally: Tally
    nowhere: bool


class Responder:
    """Answers for one zone. *servers* are the addresses of ns1; *locate* must not raise for a valid address."""

    def __init__(self, zone: str, locate: Locate, clock: Callable[[], float], servers: Sequence[Address] = ()) -> None:
        self._locate = locate
        self._clock = clock
        self._servers = tuple(servers)
        self._zone_name = zone
        self._zone = Zone.of(zone)
        self._index: FleetIndex | None = None
        self._verdicts: Mapping[str, Verdict] = {}
        self._answers: dict[tuple[str, Location | str, str], _Answers] = {}
        self._origin_of_subnet = lru_cache(CACHE_MAX)(self._find_subnet)
        self._origin_of_peer = lru_cache(CACHE_MAX)(self._find_peer)
        self.counts: Counter[str] = Counter()
        self.given = AnswerCounts()
        self._prepare()

    def publish(self, index: FleetIndex, verdicts: Mapping[str, Verdict]) -> None:
        """Answer from *index* and *verdicts* from now on."""
        if self._index is None or self._index.view is not index.view:
            self._zone = Zone.of(self._zone_name, index.view.functions)
            nodes = {"", *(node.id for node in index.view.nodes)}
            functions = {"", *(function.name for function in index.view.functions)}
            self.given.keep(lambda key: key.node in nodes and key.function in functions)
        self._index = index
        self._verdicts = verdicts
        self._answers = {}
        self._prepare()

    def respond(self, data: bytes, peer: str, *, tcp: bool) -> bytes | None:
        """Return the reply to the message *data* from *peer*, None when it gets none."""
        self.counts["tcp" if tcp else "udp"] += 1
        parsed = wire.parse(data)
        match parsed:
            case Query():
                reply, scope = self._answer_or_fail(parsed, peer)
                self.counts[reply.rcode.name] += 1
                return wire.render(parsed, reply, limit=wire.size_limit(parsed.edns, tcp=tcp), scope=scope)
            case Rejected():
                self.counts[parsed.rcode.name] += 1
                return wire.render_rejection(parsed)
            case Ignored():
                self.counts["dropped"] += 1
                return None
            case _:
                assert_never(parsed)

    def _answer_or_fail(self, query: Query, peer: str) -> tuple[Reply, int]:
        try:
            return self._answer(query, peer)
        except Exception:  # noqa: BLE001  # logged and counted
            # The rim of the query path: SERVFAIL sends the resolver to another server, an exception would send it nowhere.
            errors = self.counts["errors"] = self.counts["errors"] + 1
            if errors & (errors - 1) == 0:  # the 1st, 2nd, 4th, 8th …: a flood of queries is no flood of lines
                _log.exception("answering a query failed", errors=errors, name=query.name.hex(), type=query.type)
            return _SERVFAIL, 0

    def _answer(self, query: Query, peer: str) -> tuple[Reply, int]:
        refusal = _refusal(query)
        if refusal is not None:
            return refusal, 0
        entry = self._zone.find(query.name)
        if isinstance(entry, Outside):
            return _REFUSED, 0
        if self._index is None:
            return _SERVFAIL, 0
        if isinstance(entry, Absent):
            return self._no_name, 0
        if query.type == Type.ANY:
            return self._any, 0
        return self._of_entry(entry, query, peer)

    def _of_entry(self, entry: Entry, query: Query, peer: str) -> tuple[Reply, int]:
        match entry:
            case FunctionName(function):
                if query.type in (Type.A, Type.AAAA):
                    return self._tailored(function, query, peer)
                return self._no_data, 0
            case Apex():
                return self._apex.get(query.type, self._no_data), 0
            case NameServer():
                return self._own.get(query.type, self._no_data), 0
            case EmptyNonTerminal():
                return self._no_data, 0
            case _:
                assert_never(entry)

    def _tailored(self, function: str, query: Query, peer: str) -> tuple[Reply, int]:
        origin, scope = self._whose_place(query, peer)
        answers = self._answers_for(function, origin)
        reply = answers.a if query.type == Type.A else answers.aaaa
        if reply.answer or answers.nowhere:
            answers.tally.count += 1
        return reply, scope if reply.answer and answers.tailored else 0  # NODATA has scope 0: RFC 7871 section 7.4

    def _whose_place(self, query: Query, peer: str) -> tuple[_Origin, int]:
        """Return whose place decides, and the scope to tell."""
        subnet = query.edns.client_subnet if query.edns is not None else None
        if subnet is None or subnet.source == 0:  # source 0: the client asks not to be located, RFC 7871 section 7.1.2
            return self._origin_of_peer(peer), 0
        origin = self._origin_of_subnet(subnet.address)
        return (self._origin_of_peer(peer) if origin.placeless else origin), origin.scope

    def _answers_for(self, function: str, origin: _Origin) -> _Answers:
        index = self._index
        assert index is not None  # noqa: S101  # _answer() has returned SERVFAIL
        # Clients of one place share an answer, unless the hash of their network has a say in it.
        spot = origin.client.network if function in index.crowded else origin.spot
        key = function, spot, origin.client.country
        answers = self._answers.get(key)
        if answers is None:
            if len(self._answers) >= CACHE_MAX:
                self._answers.clear()
            answers = self._answers[key] = self._decide(index, function, origin.client)
        return answers

    def _decide(self, index: FleetIndex, function: str, client: ClientLocation) -> _Answers:
        self.counts["decisions"] += 1
        decision = decide(function, client, index, self._verdicts, self._clock())
        node = decision.chosen[0].id if decision.chosen else ""
        return _Answers(
            a=self._addresses(_parsed(node.ingress.ipv4 for node in decision.chosen), decision.ttl_s),
            aaaa=self._addresses(_parsed(node.ingress.ipv6 for node in decision.chosen), decision.ttl_s),
            tailored=decision.scope > 0,
            tally=self.given.tally(AnswerKey(function, node, client.country, decision.kind)),
            nowhere=not decision.chosen,
        )

    def _addresses(self, addresses: Sequence[Address], ttl_s: int) -> Reply:
        if not addresses:
            return self._no_data
        return Reply(
            Rcode.NOERROR,
            answer=tuple(_address_record(wire.QUERY_NAME, address, ttl_s) for address in addresses),
        )

    def _find_peer(self, peer: str) -> _Origin:
        return self._origin(ipaddress.ip_address(peer.partition("%")[0]))

    def _find_subnet(self, packed: bytes) -> _Origin:
        return self._origin(ipaddress.ip_address(packed))

    def _origin(self, address: Address) -> _Origin:
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        address = mapped or address
        client = self._locate(address)
        placeless = _placeless_prefix(address)
        prefix = client.prefix_length if placeless is None else placeless
        return _Origin(client, client.location or client.network, prefix + (96 if mapped else 0), placeless is not None)

    def _prepare(self) -> None:
        """Render everything that does not depend on the client."""
        zone = self._zone
        soa = wire.soa_data(
            primary=zone.name_server,
            mailbox=wire.encode_name(f"hostmaster.{self._zone_name}"),
            serial=0 if self._index is None else self._index.view.epoch,
            negative_ttl_s=NEGATIVE_TTL_S,
        )
        # RFC 2308 section 5: the lesser of the SOA's TTL and its MINIMUM.
        negative = (wire.record(zone.apex, Type.SOA, NEGATIVE_TTL_S, soa),)
        self._no_data = Reply(Rcode.NOERROR, authority=negative)
        self._no_name = Reply(Rcode.NXDOMAIN, authority=negative)
        self._any = Reply(Rcode.NOERROR, answer=(_MINIMAL_ANY,))
        glue = tuple(_address_record(zone.name_server, address, STATIC_TTL_S) for address in self._servers)
        name_server = wire.record(wire.QUERY_NAME, Type.NS, STATIC_TTL_S, zone.name_server)
        self._apex: dict[int, Reply] = {
            Type.SOA: Reply(Rcode.NOERROR, answer=(wire.record(wire.QUERY_NAME, Type.SOA, STATIC_TTL_S, soa),)),
            Type.NS: Reply(Rcode.NOERROR, answer=(name_server,), additional=glue),
        }
        self._own: dict[int, Reply] = {
            kind: self._addresses([address for address in self._servers if _type_of(address) is kind], STATIC_TTL_S)
            for kind in (Type.A, Type.AAAA)
        }


def _placeless_prefix(address: Address) -> int | None:
    number = int(address)
    for first, last, prefix in _PLACELESS_RANGES[address.version]:
        if first <= number <= last:
            return prefix
    return None


def _refusal(query: Query) -> Reply | None:
    """Return the reply to a query that has nothing to do with any zone's data."""
    if query.edns is not None and query.edns.version != wire.EDNS_VERSION:
        return _BADVERS
    if query.klass != Class.IN:
        return _REFUSED
    if Type.META_FIRST <= query.type < Type.ANY:
        return _REFUSED if query.type in (Type.AXFR, Type.IXFR) else _NOTIMP
    return None


def _type_of(address: Address) -> Type:
    return Type.A if address.version == 4 else Type.AAAA


def _address_record(owner: bytes, address: Address, ttl_s: int) -> bytes:
    return wire.record(owner, _type_of(address), ttl_s, address.packed)


def _parsed(texts_of_nodes: Iterable[Sequence[str]]) -> list[Address]:
    return [ipaddress.ip_address(text) for texts in texts_of_nodes for text in texts]
