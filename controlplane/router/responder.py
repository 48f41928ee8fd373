"""The query ladder: from a message's octets to its reply's, without await, lock or (but for a bug) log line.

What a reply depends on (fleet view, verdicts, an operator's records) is swapped whole; until the first view every name of our zones is SERVFAIL,
because "not known yet" must never be cached as "does not exist".
"""

import ipaddress
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from controlplane.model import Verdict
from controlplane.router import svcb, wire
from controlplane.router.answers import AnswerCounts, AnswerKey, Tally
from controlplane.router.cookies import Cookies
from controlplane.router.origins import Address, Locate, Origin, Origins, RecordOf, no_record
from controlplane.router.rates import RateLimit
from controlplane.router.rates import Verdict as RateVerdict
from controlplane.router.svcb import HttpsOffer
from controlplane.router.templates import Prepared, Templates
from controlplane.router.wire import Class, ExtendedError, Ignored, Option, Query, Rcode, Rejected, Reply, Type
from controlplane.router.zone import NEGATIVE_TTL_S, STATIC_TTL_S, Absent, Delegated, Entry, Outside, Record, Zones
from controlplane.steering import ClientLocation, FleetIndex, Likeness, Outlook, decide
from nearhop import log

_log = log.get(__name__)

__all__ = ["CACHE_MAX", "NEGATIVE_TTL_S", "STATIC_TTL_S", "Offer", "Responder"]

CACHE_MAX = 65_536

_REFUSED = Reply(Rcode.REFUSED, authoritative=False, errors=(ExtendedError.NOT_AUTHORITATIVE,))
_PROHIBITED = Reply(Rcode.REFUSED, authoritative=False, errors=(ExtendedError.PROHIBITED,))
_NOTIMP = Reply(Rcode.NOTIMP, authoritative=False)
_NOT_READY = Reply(Rcode.SERVFAIL, authoritative=False, errors=(ExtendedError.NOT_READY,))
_SERVFAIL = Reply(Rcode.SERVFAIL, authoritative=False)
_BADVERS = Reply(Rcode.BADVERS, authoritative=False)
_BADCOOKIE = Reply(Rcode.BADCOOKIE, authoritative=False)
# RFC 8482 section 4.2
_MINIMAL_ANY = Reply(
    Rcode.NOERROR,
    answer=(
        wire.record(
            wire.QUERY_NAME, Type.HINFO, STATIC_TTL_S, wire.character_string(b"RFC8482") + wire.character_string(b"")
        ),
    ),
)
_TAILORED = (Type.A, Type.AAAA, Type.HTTPS)


@dataclass(frozen=True, slots=True)
class Offer:
    """How this server presents itself. *cookies* None: none are given. *keepalive_s*: what TCP clients are told when they ask (RFC 7828)."""

    nsid: bytes = b""
    https: HttpsOffer = field(default_factory=HttpsOffer)
    cookies: Cookies | None = None
    udp_size_without_cookie: int = wire.UDP_SIZE
    keepalive_s: float = 10.0


@dataclass(frozen=True, slots=True)
class _Answers:
    """The replies for one function and place by type, and the tally of those that name a node, or that there is none (*nowhere*)."""

    replies: Mapping[int, Reply]
    tailored: bool
    tally: Tally
    nowhere: bool


class Responder:
    """Answers for *zones*. *servers* are the addresses of ns1; *locate* must not raise for a valid address."""

    def __init__(
        self,
        zones: str | Sequence[str],
        locate: Locate,
        clock: Callable[[], float],
        servers: Sequence[Address] = (),
        *,
        offer: Offer | None = None,
        rates: RateLimit | None = None,
        record_of: RecordOf = no_record,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self._servers = [(_type_of(address), address.packed) for address in servers]
        self._zone_names = (zones,) if isinstance(zones, str) else tuple(zones)
        self._offer = offer or Offer()
        self._rates = rates or RateLimit(0)
        self._records: tuple[Record, ...] = ()
        self._stale = False
        self._index: FleetIndex | None = None
        self._outlook = Outlook()
        self._origins = Origins(locate, record_of)
        self._templates = Templates(self._origins, self._prepared)
        self._counts: Counter[str] = Counter()
        self.given = AnswerCounts()
        self._gather()
        self._forget()

    @property
    def counts(self) -> Counter[str]:
        """What has come in and gone out so far."""
        counts = self._counts.copy()
        if self._templates.hits:
            counts["udp"] += self._templates.hits
            counts["NOERROR"] += self._templates.hits
        return counts

    def publish(self, index: FleetIndex, verdicts: Mapping[str, Verdict]) -> None:
        """Answer from *index* and *verdicts* from now on."""
        before, self._index = self._index, index
        if before is None or before.view is not index.view:  # else only the load of its nodes is another
            nodes = {"", *(node.id for node in index.view.nodes)}
            functions = {"", *(function.name for function in index.view.functions)}
            self.given.keep(lambda key: key.node in nodes and key.function in functions)
            self._gather()
        self._outlook = verdicts if isinstance(verdicts, Outlook) else Outlook(verdicts)
        self._forget()

    def use_records(self, records: Sequence[Record]) -> None:
        """Publish an operator's *records*, and none of the former ones, from now on."""
        self._records = tuple(records)
        self._gather()
        self._forget()

    def relocate(self, locate: Locate, record_of: RecordOf = no_record) -> None:
        """Ask *locate* and *record_of* from now on, and believe no place that was found before."""
        self._origins = Origins(locate, record_of)
        self._forget()

    def tell_stale(self, stale: bool) -> None:
        """Say with every answer whether it may be stale (RFC 8914 section 4.4)."""
        if stale is not self._stale:
            self._stale = stale
            self._forget()

    def begin(self) -> None:
        """Look at the clock for the limits on rates; to be called before each batch of datagrams."""
        self._rates.advance(self._clock())

    def respond(self, data: bytes, peer: str, *, tcp: bool) -> bytes | None:
        """Return the reply to the message *data* from *peer*, None when it gets none."""
        if tcp:
            self._counts["tcp"] += 1
            return self._respond(data, peer, tcp=True)
        verdict = self._rates.judge(peer)
        if verdict != "answer":
            self._counts["udp"] += 1
            return self._over_limit(data, peer, verdict)
        try:
            reply = self._templates.fill(data, peer)
        except Exception:  # noqa: BLE001  # logged and counted
            self._failed(data)
            self._templates.forget()
            reply = None
        if reply is not None:
            return reply
        self._counts["udp"] += 1
        return self._respond(data, peer, tcp=False)

    def _respond(self, data: bytes, peer: str, *, tcp: bool) -> bytes | None:
        parsed = wire.parse(data)
        match parsed:
            case Query():
                return self._respond_to_query(parsed, data, peer, tcp=tcp)
            case Rejected():
                self._counts[parsed.rcode.name] += 1
                return wire.render_rejection(parsed, self._options(parsed.edns, peer, tcp=tcp))
            case Ignored():
                self._counts["dropped"] += 1
                return None
            case _:
                assert_never(parsed)

    def _respond_to_query(self, query: Query, data: bytes, peer: str, *, tcp: bool) -> bytes:
        reply, scope = self._answer_or_fail(query, peer)
        self._counts[reply.rcode.name] += 1
        limit = self._limit(query, peer, tcp=tcp)
        if not tcp and query.type in _TAILORED and reply.rcode is Rcode.NOERROR:
            self._learn(query, data, limit)
        return wire.render(query, reply, limit=limit, scope=scope, options=self._options(query.edns, peer, tcp=tcp))

    def _over_limit(self, data: bytes, peer: str, verdict: RateVerdict) -> bytes | None:
        """Answer who shows a cookie of ours; tell the others how to come back (RFC 7873 section 5.2.3), or nothing."""
        query = wire.parse(data)
        if isinstance(query, Query):
            if self._is_known(query, peer):
                return self._respond_to_query(query, data, peer, tcp=False)
            if verdict == "slip":
                return self._slip(query, peer)
        self._counts["rate_limited"] += 1
        return None

    def _slip(self, query: Query, peer: str) -> bytes:
        if self._offer.cookies is not None and query.edns is not None and query.edns.cookie:
            self._counts[Rcode.BADCOOKIE.name] += 1
            options = self._options(query.edns, peer, tcp=False)
            return wire.render(query, _BADCOOKIE, limit=wire.UDP_SIZE, options=options)
        self._counts["slipped"] += 1
        return wire.render_truncated(query)

    def _answer_or_fail(self, query: Query, peer: str) -> tuple[Reply, int]:
        try:
            return self._answer(query, peer)
        except Exception:  # noqa: BLE001  # logged and counted
            # The rim of the query path: SERVFAIL sends the resolver to another server, an exception would send it nowhere.
            self._failed(query.name)
            return _SERVFAIL, 0

    def _failed(self, what: bytes) -> None:
        errors = self._counts["errors"] = self._counts["errors"] + 1
        if errors & (errors - 1) == 0:  # the 1st, 2nd, 4th, 8th …: a flood of queries is no flood of lines
            _log.exception("answering a query failed", errors=errors, query=what.hex())

    def _answer(self, query: Query, peer: str) -> tuple[Reply, int]:
        refusal = _refusal(query)
        if refusal is not None:
            return refusal, 0
        found = self._zones.find(query.name)
        if isinstance(found, Outside):
            return _REFUSED, 0
        if self._index is None:
            return _NOT_READY, 0
        match found:
            case Absent(apex):
                return self._zones.negatives[apex].no_name, 0
            case Delegated(apex, at, referral):
                # RFC 4035 section 3.1.4.1: DS stands above the cut.
                return (
                    self._zones.negatives[apex].no_data if query.type == Type.DS and query.name == at else referral
                ), 0
            case Entry():
                return self._of_entry(found, query, peer)
            case _:
                assert_never(found)

    def _of_entry(self, entry: Entry, query: Query, peer: str) -> tuple[Reply, int]:
        if query.type == Type.ANY:
            return _MINIMAL_ANY, 0
        # A CNAME alone: resolvers follow it themselves (RFC 7871 section 7.2.1).
        reply = entry.replies.get(query.type) or entry.replies.get(Type.CNAME)
        if reply is not None:
            return reply, 0
        if entry.function is not None and query.type in _TAILORED:
            return self._tailored(entry, query, peer)
        return self._zones.negatives[entry.apex].no_data, 0

    def _tailored(self, entry: Entry, query: Query, peer: str) -> tuple[Reply, int]:
        origin, scope = self._whose_place(query, peer)
        prepared = self._prepared(entry, query.type, origin)
        prepared.tally.count += 1
        return prepared.reply, scope if prepared.tailored else 0

    def _whose_place(self, query: Query, peer: str) -> tuple[Origin, int]:
        """Return whose place decides, and the scope to tell."""
        subnet = query.edns.client_subnet if query.edns is not None else None
        if subnet is None or subnet.source == 0:  # source 0: the client asks not to be located, RFC 7871 section 7.1.2
            return self._origins.of_peer(peer), 0
        origin = self._origins.of_subnet(subnet.address)
        return (self._origins.of_peer(peer) if origin.placeless else origin), origin.scope

    def _prepared(self, entry: Entry, kind: int, origin: Origin) -> Prepared:
        """Return what the function's name *entry* has of type *kind* for *origin*."""
        assert entry.function is not None  # noqa: S101  # both callers have looked
        answers = self._answers_for(entry.function, origin)
        reply = answers.replies[kind]
        if reply.answer:
            return Prepared(reply, answers.tailored, answers.tally)
        nothing = Reply(
            Rcode.NOERROR, authority=self._zones.negatives[entry.apex].no_data.authority, errors=reply.errors
        )
        # NODATA has scope 0: RFC 7871 section 7.4
        return Prepared(nothing, False, answers.tally if answers.nowhere else Tally())

    def _answers_for(self, function: str, origin: Origin) -> _Answers:
        index = self._index
        assert index is not None  # noqa: S101  # _answer() has returned SERVFAIL
        # Clients of one place share an answer, unless the hash of their network has a say in it.
        key = function, origin.client.network if function in index.crowded else origin.place
        answers = self._answers.get(key)
        if answers is None:
            if len(self._answers) >= CACHE_MAX:
                self._answers.clear()
            answers = self._answers[key] = self._answers_like(index, function, origin.client)
        return answers

    def _answers_like(self, index: FleetIndex, function: str, client: ClientLocation) -> _Answers:
        """Return the answers of any client that gets the same as *client*, if it can be told without a decision."""
        if function not in self._likenesses:
            self._likenesses[function] = Likeness.of(function, index, self._outlook)
        likeness = self._likenesses[function]
        alike = None if likeness is None else likeness.key(client)
        if alike is None:
            return self._decide(index, function, client)
        key = function, alike, client.country
        answers = self._alike.get(key)
        if answers is None:
            if len(self._alike) >= CACHE_MAX:
                self._alike.clear()
            answers = self._alike[key] = self._decide(index, function, client)
        return answers

    def _decide(self, index: FleetIndex, function: str, client: ClientLocation) -> _Answers:
        self._counts["decisions"] += 1
        decision = decide(function, client, index, self._outlook, self._clock())
        errors: tuple[ExtendedError, ...] = (ExtendedError.STALE,) if self._stale else ()
        if decision.kind in ("emergency", "none"):
            errors += (ExtendedError.NO_REACHABLE_AUTHORITY,)
        ipv4 = _packed(node.ingress.ipv4 for node in decision.chosen)
        ipv6 = _packed(node.ingress.ipv6 for node in decision.chosen)
        https = [svcb.https_data(self._offer.https, ipv4, ipv6)] if self._offer.https.alpn and ipv4 + ipv6 else []
        return _Answers(
            replies={
                kind: Reply(
                    Rcode.NOERROR,
                    answer=tuple(wire.record(wire.QUERY_NAME, kind, decision.ttl_s, octets) for octets in data),
                    errors=errors,
                )
                for kind, data in ((Type.A, ipv4), (Type.AAAA, ipv6), (Type.HTTPS, https))
            },
            tailored=decision.scope > 0,
            tally=self.given.tally(
                AnswerKey(function, decision.chosen[0].id if decision.chosen else "", client.country, decision.kind)
            ),
            nowhere=not decision.chosen,
        )

    def _learn(self, query: Query, data: bytes, limit: int) -> None:
        entry = self._zones.entries.get(query.name)
        index = self._index
        if entry is None or entry.function is None or index is None:
            return
        if query.type in entry.replies or Type.CNAME in entry.replies:
            return
        self._templates.learn(data, query, entry, by_network=entry.function in index.crowded, limit=limit)

    def _limit(self, query: Query, peer: str, *, tcp: bool) -> int:
        limit = wire.size_limit(query.edns, tcp=tcp)
        cap = self._offer.udp_size_without_cookie
        return limit if tcp or limit <= cap or self._is_known(query, peer) else cap

    def _is_known(self, query: Query, peer: str) -> bool:
        """Tell whether the query shows a cookie that was given to its sender."""
        cookies = self._offer.cookies
        if cookies is None or query.edns is None or not query.edns.cookie:
            return False
        return cookies.is_good(query.edns.cookie, _packed_peer(peer), self._wall_clock())

    def _options(self, edns: wire.Edns | None, peer: str, *, tcp: bool) -> bytes:
        """Render the options that were asked for."""
        if edns is None:
            return b""
        options = b""
        if edns.cookie and self._offer.cookies is not None:
            cookie = self._offer.cookies.answer(edns.cookie, _packed_peer(peer), self._wall_clock())
            options += wire.option(Option.COOKIE, cookie)
        if edns.nsid and self._offer.nsid:
            options += wire.option(Option.NSID, self._offer.nsid)
        if edns.keepalive and tcp:  # RFC 7828 section 3.3.1: ignored over UDP
            options += wire.option(Option.KEEPALIVE, int(self._offer.keepalive_s * 10).to_bytes(2))
        return options

    def _gather(self) -> None:
        """Make the zones anew."""
        self._zones = Zones.of(
            self._zone_names,
            () if self._index is None else self._index.view.functions,
            self._records,
            servers=self._servers,
            serial=0 if self._index is None else self._index.view.epoch,
        )

    def _forget(self) -> None:
        self._answers: dict[tuple[str, int | str], _Answers] = {}
        self._likenesses: dict[str, Likeness | None] = {}
        self._alike: dict[tuple[str, Hashable, str], _Answers] = {}
        self._templates.forget(self._origins)


def _refusal(query: Query) -> Reply | None:
    """Return the reply to a query that has nothing to do with any zone's data."""
    if query.edns is not None and query.edns.version != wire.EDNS_VERSION:
        return _BADVERS
    if query.klass != Class.IN:
        return _REFUSED
    if Type.META_FIRST <= query.type < Type.ANY:
        return _PROHIBITED if query.type in (Type.AXFR, Type.IXFR) else _NOTIMP
    return None


def _type_of(address: Address) -> Type:
    return Type.A if address.version == 4 else Type.AAAA


def _packed(texts_of_nodes: Iterable[Sequence[str]]) -> list[bytes]:
    return [ipaddress.ip_address(text).packed for texts in texts_of_nodes for text in texts]


def _packed_peer(peer: str) -> bytes:
    return ipaddress.ip_address(peer.partition("%")[0]).packed
