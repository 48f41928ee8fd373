"""DNS behaviour by row, over real sockets: D (messages), E (client subnet), each test named after its row.

Queries are written by hand or with dnspython; replies are always read back with dnspython. Cookies, errors, TCP and security are in
test_conformance_limits.py; test_conformance_rows.py holds the list of rows.
"""

import contextlib
import ipaddress
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest

from controlplane.geoip import CityDatabase
from controlplane.model import FleetView, Ingress, Location, RoutedFunction, RoutedNode, Verdict
from controlplane.router.cookies import Cookies
from controlplane.router.responder import NEGATIVE_TTL_S, Offer
from controlplane.router.wire import encode_name
from controlplane.router.zone import Record
from controlplane.steering import ClientLocation, FleetIndex
from tests.controlplane.router.citydb import write_city_database
from tests.controlplane.router.wired import Wired

ZONE = "edge.example.org"
RESOLVER = "198.51.100.53"  # near London
PLACES = {
    "203.0.113.0/24": Location(35.68, 139.69),  # Tokyo
    "2001:db8:61::/48": Location(-33.87, 151.2),  # Sydney
    "198.51.100.0/25": Location(51.5, -0.12),  # London
    "2001:db8:44::/47": Location(51.5, -0.12),
}
MANY = tuple(f"2001:db8::{number:x}" for number in range(1, 60))
NODES = (
    RoutedNode("london-1", "london", Location(51.5, -0.1), Ingress(80, ("192.0.2.1",), ("2001:db8::1",))),
    RoutedNode("sydney-1", "sydney", Location(-33.8, 151.0), Ingress(80, ("192.0.2.2",), ("2001:db8::2",))),
    RoutedNode("tokyo-1", "tokyo", Location(35.6, 139.6), Ingress(80, ("192.0.2.3",))),
    RoutedNode("wide-1", "wide", Location(0, 0), Ingress(80, (), MANY)),
)
FUNCTIONS = (
    RoutedFunction("alone", (f"alone.{ZONE}",), ("london-1",)),
    RoutedFunction("deep", (f"x.y.{ZONE}",), ("london-1", "tokyo-1")),
    RoutedFunction("hello", (f"hello.{ZONE}",), ("london-1", "sydney-1", "tokyo-1")),
    RoutedFunction("nowhere", (f"nowhere.{ZONE}",), ()),
    RoutedFunction("wide", (f"wide.{ZONE}",), ("wide-1",)),
)
HELLO = f"hello.{ZONE}"
_NETWORKS = [ipaddress.ip_network(place) for place in PLACES]


def locate(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ClientLocation:
    for network, location in PLACES.items():
        if ip in ipaddress.ip_network(network):
            return ClientLocation(str(ip), network, "city", location)
    # As in a database, no network lies within another one.
    within = (ipaddress.ip_network((ip, length), strict=False) for length in range(8, ip.max_prefixlen + 1))
    empty = next(network for network in within if not any(network.overlaps(place) for place in _NETWORKS))
    return ClientLocation(str(ip), str(empty), "none")


Make = Callable[..., Wired]


@pytest.fixture
def make() -> Iterator[Make]:
    """Serve as told, until the test's end."""
    with contextlib.ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(Wired(*arguments, **options))


@pytest.fixture
def responder(make: Make) -> Wired:
    made = make(ZONE, locate, [ipaddress.ip_address("192.0.2.53"), ipaddress.ip_address("2001:db8::53")])
    made.publish(FleetIndex.of(FleetView(42, ZONE, NODES, FUNCTIONS)), {node.id: Verdict.UP for node in NODES})
    return made


def send(responder: Wired, data: bytes, *, tcp: bool = False, peer: str = RESOLVER) -> dns.message.Message:
    reply = responder.respond(data, peer, tcp=tcp)
    assert reply is not None
    return dns.message.from_wire(reply)


def ask(
    responder: Wired,
    name: str = HELLO,
    kind: str = "A",
    *,
    ecs: str | None = None,
    peer: str = RESOLVER,
    tcp: bool = False,
    size: int = 1232,
    edns: bool = True,
    want_dnssec: bool = False,
) -> dns.message.Message:
    options = []
    if ecs is not None:
        address, _, length = ecs.partition("/")
        options.append(dns.edns.ECSOption(address, int(length)))
    query = dns.message.make_query(
        name,
        kind,
        use_edns=0 if edns else False,
        payload=size if edns else 0,
        options=options if edns else None,
        want_dnssec=want_dnssec,
    )
    message = send(responder, query.to_wire(), peer=peer, tcp=tcp)
    assert query.is_response(message)
    return message


def addresses(message: dns.message.Message) -> list[str]:
    return [record.address for rrset in message.answer for record in rrset]


def subnet_of(message: dns.message.Message) -> dns.edns.ECSOption | None:
    return next((option for option in message.options if isinstance(option, dns.edns.ECSOption)), None)


def scope(message: dns.message.Message) -> int:
    option = subnet_of(message)
    assert option is not None
    return option.scopelen


def soa_of(message: dns.message.Message) -> dns.rrset.RRset:
    (rrset,) = message.authority
    assert rrset.rdtype == dns.rdatatype.SOA
    assert rrset.name.to_text() == f"{ZONE}."
    return rrset


def raw(name: bytes = b"\x05hello\x04edge\x07example\x03org\x00", kind: int = 1, klass: int = 1, *, flags: int = 0x0100,
        counts: tuple[int, int, int, int] = (1, 0, 0, 0), rest: bytes = b"") -> bytes:  # fmt: skip
    return struct.pack("!6H", 4711, flags, *counts) + name + struct.pack("!HH", kind, klass) + rest


def opt(owner: bytes = b"\0", size: int = 1232, ttl: int = 0, options: bytes = b"") -> bytes:
    return owner + struct.pack("!HHIH", 41, size, ttl, len(options)) + options


def client_subnet(family: int, source: int, scope_length: int, address: bytes) -> bytes:
    data = struct.pack("!HBB", family, source, scope_length) + address
    return struct.pack("!HH", 8, len(data)) + data


# --- D: messages ---


@pytest.mark.parametrize("data", [b"\0", b"\0" * 11, raw(flags=0x8000), raw(flags=0x8180)])
def test_d1_short_messages_and_responses_are_dropped_and_counted(responder: Wired, data: bytes) -> None:
    assert responder.respond(data, RESOLVER, tcp=False) is None
    assert responder.counts["dropped"] == 1


@pytest.mark.parametrize("count", [2, 65535])
def test_d2_several_questions_are_formerr(responder: Wired, count: int) -> None:
    message = send(responder, raw(counts=(count, 0, 0, 0), rest=raw()[12:]))
    assert message.rcode() == dns.rcode.FORMERR


def test_d3_no_question_is_formerr(responder: Wired) -> None:
    assert send(responder, struct.pack("!6H", 1, 0, 0, 0, 0, 0)).rcode() == dns.rcode.FORMERR


def test_d3_a_cookie_alone_is_answered_with_a_cookie(make: Make) -> None:
    served = make(ZONE, locate, offer=Offer(cookies=Cookies([b"s" * 16])))
    cookie = struct.pack("!HH", 10, 8) + b"clientid"
    message = send(served, struct.pack("!6H", 1, 0, 0, 0, 0, 1) + opt(options=cookie))
    (option,) = message.options
    assert (message.rcode(), message.question, message.answer) == (dns.rcode.NOERROR, [], [])
    assert isinstance(option, dns.edns.CookieOption)
    assert (option.client, len(option.server)) == (b"clientid", 16)


@pytest.mark.parametrize("data", [
    raw(b"\xc0\x0c"), raw(b"\x40" + b"x" * 64 + b"\0"), raw((b"\x3f" + b"x" * 63) * 4 + b"\0"), raw()[:-1], raw()[:-4], raw()[:20],
])  # fmt: skip
def test_d4_unreadable_questions_are_formerr_without_echo(responder: Wired, data: bytes) -> None:
    reply = responder.respond(data, RESOLVER, tcp=False)
    assert reply is not None
    assert len(reply) == 12
    assert dns.message.from_wire(reply).rcode() == dns.rcode.FORMERR


@pytest.mark.parametrize("opcode", [1, 2, 3, 4, 5, 15])
def test_d5_other_opcodes_are_notimp_header_only(responder: Wired, opcode: int) -> None:
    reply = responder.respond(raw(flags=opcode << 11), RESOLVER, tcp=False)
    assert reply is not None
    message = dns.message.from_wire(reply[:12])
    assert (len(reply), message.rcode(), message.opcode()) == (12, dns.rcode.NOTIMP, opcode)


@pytest.mark.parametrize(("kind", "rcode"), [
    (128, dns.rcode.NOTIMP), (249, dns.rcode.NOTIMP), (250, dns.rcode.NOTIMP), (251, dns.rcode.REFUSED), (252, dns.rcode.REFUSED),
    (253, dns.rcode.NOTIMP), (254, dns.rcode.NOTIMP),
])  # fmt: skip
def test_d6_transfers_are_refused_and_other_meta_types_not_implemented(responder: Wired, kind: int, rcode: int) -> None:
    for tcp in (False, True):
        message = send(responder, raw(kind=kind), tcp=tcp)
        assert (message.rcode(), message.answer, message.flags & dns.flags.AA) == (rcode, [], 0)


@pytest.mark.parametrize("data", [
    raw(b"\x03www\x07example\x03org\x00"), raw(b"\0", kind=2), raw(klass=3), raw(klass=4), raw(klass=255), raw(klass=0),
])  # fmt: skip
def test_d7_other_zones_and_classes_are_refused(responder: Wired, data: bytes) -> None:
    message = send(responder, data)
    assert message.rcode() == dns.rcode.REFUSED
    assert not message.flags & dns.flags.AA
    assert message.answer + message.authority + message.additional == []


@pytest.mark.parametrize(("name", "kind"), [
    (ZONE, "A"), (ZONE, "TXT"), (HELLO, "MX"), (HELLO, "NS"), (HELLO, "SOA"), (f"nowhere.{ZONE}", "A"), (f"ns1.{ZONE}", "TXT"),
    (f"y.{ZONE}", "A"), (f"wide.{ZONE}", "A"),
])  # fmt: skip
def test_d8_a_name_without_the_type_is_nodata_with_soa(responder: Wired, name: str, kind: str) -> None:
    message = ask(responder, name, kind)
    assert (message.rcode(), message.answer) == (dns.rcode.NOERROR, [])
    assert message.flags & dns.flags.AA
    rrset = soa_of(message)
    assert rrset.ttl == rrset[0].minimum == NEGATIVE_TTL_S


@pytest.mark.parametrize("name", [f"none.{ZONE}", f"a.{HELLO}", f"z.y.{ZONE}", f"{'x.' * 100}{ZONE}"])
def test_d9_an_absent_name_is_nxdomain_with_soa(responder: Wired, name: str) -> None:
    message = ask(responder, name)
    assert message.rcode() == dns.rcode.NXDOMAIN
    assert message.flags & dns.flags.AA
    assert soa_of(message).ttl == NEGATIVE_TTL_S


def test_d9_an_empty_non_terminal_exists(responder: Wired) -> None:
    assert ask(responder, f"y.{ZONE}").rcode() == dns.rcode.NOERROR


@pytest.mark.parametrize("kind", ["TYPE666", "TYPE65280", "TYPE0", "TYPE65535"])
def test_d10_an_unknown_type_is_nodata(responder: Wired, kind: str) -> None:
    message = ask(responder, kind=kind)
    assert (message.rcode(), message.answer) == (dns.rcode.NOERROR, [])
    soa_of(message)


@pytest.mark.parametrize("flag", [0x0100, 0x0020, 0x0010, 0x0400, 0x0200, 0x0080, 0x0040, 0x07F0, 0x000F, 0])
def test_d11_flags_of_the_query_do_not_disturb(responder: Wired, flag: int) -> None:
    message = send(responder, raw(flags=flag))
    assert addresses(message) == ["192.0.2.1"]
    # RFC 4035 section 3.1.6: an authoritative response has CD clear.
    assert message.flags == dns.flags.QR | dns.flags.AA | (flag & dns.flags.RD)


def test_d12_case_is_echoed_and_does_not_matter(responder: Wired) -> None:
    name = b"\x05hElLO\x04EDge\x07exAMPle\x03ORG\x00"
    reply = responder.respond(raw(name), RESOLVER, tcp=False)
    assert reply is not None
    assert reply[12 : 12 + len(name)] == name
    assert addresses(dns.message.from_wire(reply)) == ["192.0.2.1"]


@pytest.mark.parametrize("name", [HELLO, ZONE, f"ns1.{ZONE}", f"y.{ZONE}"])
def test_d13_any_gets_one_hinfo(responder: Wired, name: str) -> None:
    message = ask(responder, name, "ANY")
    ((rrset,)) = message.answer
    assert rrset.ttl > 0
    assert [record.to_text() for record in rrset] == ['"RFC8482" ""']


def test_d13_any_of_an_absent_name_is_nxdomain(responder: Wired) -> None:
    assert ask(responder, f"none.{ZONE}", "ANY").rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize("want_dnssec", [True, False])
def test_d14_opt_is_answered_with_opt(responder: Wired, want_dnssec: bool) -> None:
    message = ask(responder, want_dnssec=want_dnssec, size=4096)
    assert (message.edns, message.payload, bool(message.ednsflags & dns.flags.DO)) == (0, 1232, want_dnssec)


@pytest.mark.parametrize("name", [HELLO, f"none.{ZONE}", "www.example.net"])
def test_d14_every_rcode_keeps_opt(responder: Wired, name: str) -> None:
    assert ask(responder, name).edns == 0


def test_d15_no_opt_no_opt_and_512_octets(responder: Wired) -> None:
    assert ask(responder, edns=False).edns == -1
    message = ask(responder, f"wide.{ZONE}", "AAAA", edns=False)
    assert message.flags & dns.flags.TC
    assert len(message.to_wire()) <= 512


@pytest.mark.parametrize("size", [0, 1, 511])
def test_d16_a_udp_size_below_512_is_512(responder: Wired, size: int) -> None:
    message = ask(responder, size=size)
    assert addresses(message) == ["192.0.2.1"]
    assert not message.flags & dns.flags.TC


@pytest.mark.parametrize("version", [1, 100, 255])
def test_d17_another_edns_version_is_badvers(responder: Wired, version: int) -> None:
    garbage = b"\0\x08\0\x01x"  # what version 1's options mean is not known
    message = send(responder, raw(counts=(1, 0, 0, 1), rest=opt(ttl=version << 16, options=garbage)))
    assert (message.rcode(), message.edns, message.answer) == (dns.rcode.BADVERS, 0, [])
    assert not message.flags & dns.flags.AA


@pytest.mark.parametrize("rest", [
    opt(b"\x01x\0"), opt(b"\xc0\x0c"), opt(options=b"abcd")[:-1], opt()[:-2], opt(options=b"\0\x0a\0\x09abc"), opt(options=b"\0\x0a\0"),
])  # fmt: skip
def test_d18_a_bad_opt_is_formerr(responder: Wired, rest: bytes) -> None:
    assert send(responder, raw(counts=(1, 0, 0, 1), rest=rest)).rcode() == dns.rcode.FORMERR


def test_d18_two_opts_are_formerr(responder: Wired) -> None:
    assert send(responder, raw(counts=(1, 0, 0, 2), rest=opt() + opt())).rcode() == dns.rcode.FORMERR


def test_d19_unknown_options_and_flags_are_ignored_and_not_echoed(responder: Wired) -> None:
    options = struct.pack("!HH", 65001, 4) + b"abcd" + struct.pack("!HH", 3, 0) + struct.pack("!HH", 9, 0)
    message = send(responder, raw(counts=(1, 0, 0, 1), rest=opt(ttl=0x7FFF, options=options)))
    assert (message.rcode(), list(message.options), message.ednsflags & 0xFFFF) == (dns.rcode.NOERROR, [], 0)
    assert addresses(message) == ["192.0.2.1"]


def test_d19_sixty_five_thousand_options_are_read(responder: Wired) -> None:
    options = struct.pack("!HH", 65001, 0) * (65000 // 4)
    assert addresses(send(responder, raw(counts=(1, 0, 0, 1), rest=opt(options=options)), tcp=True)) == ["192.0.2.1"]


OTHER = b"\x01x\0" + struct.pack("!HHIH", 16, 1, 0, 3) + b"\x02hi"


@pytest.mark.parametrize(("counts", "rest"), [
    ((1, 0, 0, 2), OTHER + opt()), ((1, 0, 0, 2), opt() + OTHER), ((1, 1, 1, 1), OTHER + b"\xc0\x0c" + OTHER[3:] + opt()),
    ((1, 0, 0, 1), opt() + b"trailing"), ((1, 0, 0, 1), opt() + b"\0" * 2000),
])  # fmt: skip
def test_d20_other_records_and_trailing_bytes_do_not_disturb(
    responder: Wired, counts: tuple[int, int, int, int], rest: bytes
) -> None:
    message = send(responder, raw(counts=counts, rest=rest))
    assert (addresses(message), message.edns) == (["192.0.2.1"], 0)


@pytest.mark.parametrize("size", [512, 1232, 4096, 65535])
def test_d21_what_does_not_fit_is_left_out_whole_with_tc(responder: Wired, size: int) -> None:
    query = dns.message.make_query(f"wide.{ZONE}", "AAAA", payload=size)
    reply = responder.respond(query.to_wire(), RESOLVER, tcp=False)
    assert reply is not None
    message = dns.message.from_wire(reply)
    assert len(reply) <= min(size, 1232)
    assert message.flags & dns.flags.TC
    assert message.answer == []


def test_d21_tcp_has_room_for_all(responder: Wired) -> None:
    message = ask(responder, f"wide.{ZONE}", "AAAA", tcp=True)
    assert len(addresses(message)) == len(MANY)
    assert not message.flags & dns.flags.TC


def test_the_apex_has_soa_and_ns_with_glue(responder: Wired) -> None:
    (soa,) = ask(responder, ZONE, "SOA").answer
    assert (soa[0].serial, soa[0].mname.to_text(), soa[0].minimum) == (42, f"ns1.{ZONE}.", NEGATIVE_TTL_S)
    message = ask(responder, ZONE, "NS")
    assert [record.target.to_text() for record in message.answer[0]] == [f"ns1.{ZONE}."]
    assert [rrset.to_text() for rrset in message.additional] == [
        f"ns1.{ZONE}. 300 IN A 192.0.2.53",
        f"ns1.{ZONE}. 300 IN AAAA 2001:db8::53",
    ]
    assert addresses(ask(responder, f"ns1.{ZONE}", "AAAA")) == ["2001:db8::53"]


def test_a_node_without_ipv6_has_no_aaaa_for_its_clients(responder: Wired) -> None:
    message = ask(responder, kind="AAAA", ecs="203.0.113.0/24")
    assert (message.rcode(), message.answer, scope(message)) == (dns.rcode.NOERROR, [], 0)
    assert addresses(ask(responder, kind="AAAA")) == ["2001:db8::1"]


@pytest.mark.parametrize(("name", "kind"), [(HELLO, "A"), (f"none.{ZONE}", "A"), (ZONE, "SOA")])
def test_before_the_first_view_the_zone_is_servfail(make: Make, name: str, kind: str) -> None:
    early = make(ZONE, locate)
    message = ask(early, name, kind)
    assert (message.rcode(), message.answer, message.authority) == (dns.rcode.SERVFAIL, [], [])
    assert ask(early, "www.example.net").rcode() == dns.rcode.REFUSED


# --- E: client subnet ---


@pytest.mark.parametrize(("ecs", "answer", "bits"), [
    ("203.0.113.0/24", "192.0.2.3", 24), ("2001:db8:61:100::/56", "192.0.2.2", 48), ("198.51.100.0/24", "192.0.2.1", 25),
    ("203.0.113.7/32", "192.0.2.3", 24),
])  # fmt: skip
def test_e1_the_answer_is_the_clients_and_the_scope_the_bits_used(
    responder: Wired, ecs: str, answer: str, bits: int
) -> None:
    message = ask(responder, ecs=ecs)
    assert addresses(message) == [answer]
    option = subnet_of(message)
    assert option is not None
    assert (f"{option.address}/{option.srclen}", option.scopelen) == (ecs, bits)


@pytest.mark.parametrize("edns", [True, False])
def test_e2_no_client_subnet_in_the_query_none_in_the_reply(responder: Wired, edns: bool) -> None:
    message = ask(responder, peer="203.0.113.9", edns=edns)
    assert addresses(message) == ["192.0.2.3"]
    assert subnet_of(message) is None


@pytest.mark.parametrize(("name", "kind"), [
    (ZONE, "SOA"), (ZONE, "NS"), (f"ns1.{ZONE}", "A"), (HELLO, "ANY"), (f"alone.{ZONE}", "A"),
])  # fmt: skip
def test_e3_static_answers_have_scope_0(responder: Wired, name: str, kind: str) -> None:
    message = ask(responder, name, kind, ecs="203.0.113.0/24")
    assert message.answer
    assert scope(message) == 0


@pytest.mark.parametrize("ecs", ["0.0.0.0/0", "::/0"])
def test_e4_source_0_is_answered_by_the_resolvers_place(responder: Wired, ecs: str) -> None:
    message = ask(responder, ecs=ecs, peer="203.0.113.9")
    assert (addresses(message), scope(message)) == (["192.0.2.3"], 0)


@pytest.mark.parametrize("option", [
    pytest.param(client_subnet(0, 0, 0, b""), id="E5 family 0"),
    pytest.param(client_subnet(3, 24, 0, b"\xcb\0\x71"), id="E5 family 3"),
    pytest.param(client_subnet(1, 24, 1, b"\xcb\0\x71"), id="E6 scope in the query"),
    pytest.param(client_subnet(1, 33, 0, b"\xcb\0\x71\0\0"), id="E7 source over 32"),
    pytest.param(client_subnet(2, 129, 0, b"\0" * 17), id="E7 source over 128"),
    pytest.param(client_subnet(1, 24, 0, b"\xcb\0\x71\0"), id="E7 too many octets"),
    pytest.param(client_subnet(1, 24, 0, b"\xcb\0"), id="E7 too few octets"),
    pytest.param(client_subnet(1, 20, 0, b"\xcb\0\x71"), id="E7 bits after the prefix"),
    pytest.param(struct.pack("!HH", 8, 0), id="E7 empty"),
    pytest.param(client_subnet(1, 24, 0, b"\xcb\0\x71") * 2, id="E13 two options"),
])  # fmt: skip
def test_e5_e6_e7_e13_bad_client_subnets_are_formerr(responder: Wired, option: bytes) -> None:
    message = send(responder, raw(counts=(1, 0, 0, 1), rest=opt(options=option)))
    assert (message.rcode(), message.answer, message.edns) == (dns.rcode.FORMERR, [], 0)


@pytest.mark.parametrize(("ecs", "block"), [
    ("10.1.2.0/24", 8), ("172.20.0.0/16", 12), ("192.168.7.0/24", 16), ("127.0.0.1/32", 8), ("169.254.1.0/24", 16),
    ("100.100.0.0/16", 10), ("fd00:1::/48", 7), ("fe80::/56", 10), ("::1/128", 128),
])  # fmt: skip
def test_e8_placeless_addresses_are_ignored_for_the_resolvers(responder: Wired, ecs: str, block: int) -> None:
    message = ask(responder, ecs=ecs, peer="203.0.113.9")
    assert (addresses(message), scope(message)) == (["192.0.2.3"], block)


@pytest.mark.parametrize(
    ("name", "kind"), [(f"none.{ZONE}", "A"), (HELLO, "TXT"), (f"nowhere.{ZONE}", "A"), (f"y.{ZONE}", "A")]
)
def test_e9_negative_answers_have_scope_0(responder: Wired, name: str, kind: str) -> None:
    assert scope(ask(responder, name, kind, ecs="203.0.113.0/24")) == 0


def test_e10_scopes_of_one_name_never_overlap(make: Make, tmp_path: Path) -> None:
    """A record inside a greater one splits it: the scopes are the leaves of the database's tree."""
    database = CityDatabase.open(
        write_city_database(tmp_path / "city.mmdb", {"198.51.0.0/16": (51.5, -0.1), "198.51.96.0/20": (35.6, 139.6)})
    )
    nested = make(ZONE, database.locate)
    nested.publish(FleetIndex.of(FleetView(42, ZONE, NODES, FUNCTIONS)), {})
    scopes: dict[ipaddress.IPv4Network, list[str]] = {}
    for third in range(256):
        message = ask(nested, ecs=f"198.51.{third}.0/24")
        scopes.setdefault(ipaddress.IPv4Network((f"198.51.{third}.0", scope(message)), strict=False), []).extend(
            addresses(message)
        )
    database.close()
    networks = list(scopes)
    assert ipaddress.IPv4Network("198.51.96.0/20") in scopes
    assert not any(one.overlaps(other) for one in networks for other in networks if one != other)
    assert all(len(set(answers)) == 1 for answers in scopes.values())


def test_e1_an_ipv4_address_written_as_ipv6_has_its_place(responder: Wired) -> None:
    message = send(
        responder,
        raw(counts=(1, 0, 0, 1), rest=opt(options=client_subnet(2, 120, 0, b"\0" * 10 + b"\xff\xff\xcb\0\x71"))),
    )
    assert (addresses(message), scope(message)) == (["192.0.2.3"], 120)


def test_a_resolvers_ipv6_zone_is_not_part_of_its_address(responder: Wired) -> None:
    reply = responder.responder.respond(raw(), "fe80::1%eth0", tcp=False)
    assert reply is not None
    assert dns.message.from_wire(reply).rcode() == dns.rcode.NOERROR


def test_e9_a_delegation_has_scope_0_and_a_glue_that_is_not_tailored(responder: Wired) -> None:
    responder.responder.use_records(
        [
            Record(encode_name(f"sub.{ZONE}"), 2, 300, (encode_name(f"ns.sub.{ZONE}"),)),
            Record(encode_name(f"ns.sub.{ZONE}"), 1, 300, (bytes([192, 0, 2, 77]),)),
        ]
    )
    for name in (f"sub.{ZONE}", f"deep.in.sub.{ZONE}", f"ns.sub.{ZONE}"):
        message = ask(responder, name, ecs="203.0.113.0/24")
        assert (message.rcode(), message.answer, message.flags & dns.flags.AA) == (dns.rcode.NOERROR, [], 0)
        assert [rrset.to_text() for rrset in message.authority] == [f"sub.{ZONE}. 300 IN NS ns.sub.{ZONE}."]
        assert [rrset.to_text() for rrset in message.additional] == [f"ns.sub.{ZONE}. 300 IN A 192.0.2.77"]
        assert scope(message) == 0
    assert soa_of(ask(responder, f"sub.{ZONE}", "DS"))


def test_e11_every_name_server_of_the_zone_answers_alike(make: Make) -> None:
    """Two routers with the same view give the same octets, the client subnet's scope included."""
    servers = [make(ZONE, locate) for _ in range(2)]
    for served in servers:
        served.publish(FleetIndex.of(FleetView(42, ZONE, NODES, FUNCTIONS)), {})
    for name, kind in ((HELLO, "A"), (HELLO, "AAAA"), (ZONE, "SOA"), (f"none.{ZONE}", "A"), (f"y.{ZONE}", "A")):
        for ecs in ("203.0.113.0/24", "2001:db8:61::/56", "0.0.0.0/0"):
            address, _, length = ecs.partition("/")
            query = dns.message.make_query(name, kind, use_edns=0, options=[dns.edns.ECSOption(address, int(length))])
            first, second = (served.respond(query.to_wire(), RESOLVER, tcp=False) for served in servers)
            assert first == second
            assert subnet_of(dns.message.from_wire(first or b"")) is not None


@pytest.mark.parametrize("kind", ["A", "AAAA", "TXT", "CNAME"])
def test_e12_of_a_cname_chain_only_the_first_is_told(responder: Wired, kind: str) -> None:
    responder.responder.use_records(
        [
            Record(encode_name(f"one.{ZONE}"), 5, 60, (encode_name(f"two.{ZONE}"),)),
            Record(encode_name(f"two.{ZONE}"), 5, 60, (encode_name(HELLO),)),
        ]
    )
    message = ask(responder, f"one.{ZONE}", kind, ecs="203.0.113.0/24")
    assert [rrset.to_text() for rrset in message.answer] == [f"one.{ZONE}. 60 IN CNAME two.{ZONE}."]
    assert (message.authority, scope(message)) == ([], 0)


# --- what is answered from ---


def test_a_verdict_changes_the_next_answer_and_its_ttl(responder: Wired) -> None:
    assert ask(responder).answer[0].ttl == 30
    index = FleetIndex.of(FleetView(42, ZONE, NODES, FUNCTIONS))
    responder.publish(index, {"london-1": Verdict.DOWN, "tokyo-1": Verdict.UP, "sydney-1": Verdict.UP})
    message = ask(responder)
    assert (addresses(message), message.answer[0].ttl) == (["192.0.2.3"], 5)


def test_a_function_that_leaves_the_view_leaves_the_zone(responder: Wired) -> None:
    ask(responder)
    responder.publish(FleetIndex.of(FleetView(43, ZONE, NODES, ())), {})
    assert ask(responder).rcode() == dns.rcode.NXDOMAIN
    assert ask(responder, ZONE, "SOA").answer[0][0].serial == 43


def test_clients_of_one_place_share_a_decision(responder: Wired) -> None:
    for host in range(20):
        ask(responder, peer=f"203.0.113.{host}")
    assert responder.counts["decisions"] == 1


def test_clients_of_one_place_are_spread_over_its_nodes(make: Make) -> None:
    pair = tuple(
        RoutedNode(f"tokyo-{n}", "tokyo", Location(35.6, 139.6), Ingress(80, (f"192.0.2.{n}",))) for n in (1, 2)
    )
    responder = make(ZONE, lambda ip: ClientLocation(str(ip), f"{ip}/32", "city", PLACES["203.0.113.0/24"]))
    function = RoutedFunction("hello", (HELLO,), ("tokyo-1", "tokyo-2"))
    responder.publish(FleetIndex.of(FleetView(1, ZONE, pair, (function,))), {})
    seen = {addresses(ask(responder, peer=f"203.0.113.{host}"))[0] for host in range(40)}
    assert seen == {"192.0.2.1", "192.0.2.2"}


def test_s2_random_names_leave_nothing_behind(responder: Wired) -> None:
    for number in range(300):
        ask(responder, f"r{number}.{ZONE}")
    assert len(responder.responder._answers) == 0
    assert len(responder.responder._templates) == 0
    assert set(responder.counts) == {"udp", "NXDOMAIN"}


def test_remembered_answers_are_bounded(responder: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlplane.router.responder.CACHE_MAX", 3)
    for number in range(1, 30):
        ask(responder, peer=f"{number}.0.0.1")
    assert len(responder.responder._answers) <= 3


def test_prepared_replies_are_bounded_over_all_shapes(responder: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlplane.router.templates.FILLED_MAX", 5)
    templates = responder.responder._templates
    for number in range(1, 40):
        ask(responder, ecs=f"{number}.0.0.0/24", size=600 + number % 3)
        shapes = [*templates._plain.values(), *templates._ipv4.values()]
        assert sum(len(template.filled) for template in shapes) <= 5
    monkeypatch.setattr("controlplane.router.templates.SHAPES_MAX", 3)
    for size in range(700, 720):
        assert addresses(ask(responder, ecs="203.0.113.0/24", size=size)) == ["192.0.2.3"]
        assert len(templates) <= 3


def test_an_error_beside_a_prepared_reply_is_servfail_and_counted(make: Make) -> None:
    broken = False

    def locate_or_fail(ip: ipaddress.IPv4Address) -> ClientLocation:
        if broken:
            raise RuntimeError(f"cannot locate {ip}")
        return locate(ip)

    served = make(ZONE, locate_or_fail)
    served.publish(FleetIndex.of(FleetView(1, ZONE, NODES, FUNCTIONS)), {})
    assert ask(served, ecs="203.0.113.0/24").rcode() == dns.rcode.NOERROR
    broken = True
    assert ask(served, ecs="198.51.100.0/24").rcode() == dns.rcode.SERVFAIL
    assert served.counts["errors"] == 2
    broken = False
    assert addresses(ask(served, ecs="198.51.100.0/24")) == ["192.0.2.1"]


def test_an_error_of_our_own_is_servfail_and_counted(make: Make) -> None:
    def broken(ip: object) -> ClientLocation:
        raise RuntimeError(f"cannot locate {ip}")

    faulty = make(ZONE, broken)
    faulty.publish(FleetIndex.of(FleetView(1, ZONE, NODES, FUNCTIONS)), {})
    for times in (1, 2, 3):
        assert ask(faulty).rcode() == dns.rcode.SERVFAIL
        assert faulty.counts["errors"] == times
    assert ask(faulty, ZONE, "SOA").rcode() == dns.rcode.NOERROR
