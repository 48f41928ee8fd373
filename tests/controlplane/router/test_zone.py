import dns.name
import pytest

from controlplane.model import RoutedFunction
from controlplane.router.wire import Type, encode_name
from controlplane.router.zone import Absent, Delegated, Entry, Outside, Record, Zones

ZONE = "edge.example.org"
SHOP = "shop.example"
SERVERS = ((Type.A, b"\xc0\0\2\x35"), (Type.AAAA, b"\x20\x01" + bytes(14)))
FUNCTIONS = [
    RoutedFunction("hello", (f"hello.{ZONE}", f"hello.{SHOP}", f"deep.a.b.{ZONE}", "hello.other.example"), ()),
    RoutedFunction("late", (f"hello.{ZONE}", f"b.{ZONE}", SHOP), ()),
]
RECORDS = [
    Record(encode_name(f"www.{SHOP}"), Type.CNAME, 60, (encode_name(f"hello.{ZONE}"),)),
    Record(encode_name(f"*.wild.{SHOP}"), 16, 60, (b"\x02hi",)),
    Record(encode_name(f"hello.{ZONE}"), 16, 60, (b"\x02hi",)),
    Record(encode_name(f"sub.{ZONE}"), Type.NS, 60, (encode_name(f"ns.sub.{ZONE}"), encode_name("ns.other.example"))),
    Record(encode_name(f"ns.sub.{ZONE}"), Type.A, 60, (b"\xc0\0\2\x36",)),
    Record(encode_name("stray.other.example"), Type.A, 60, (b"\xc0\0\2\x37",)),
]
ZONES = Zones.of([ZONE, SHOP], FUNCTIONS, RECORDS, servers=SERVERS, serial=7)


def found(name: str) -> Entry | Delegated | Absent | Outside:
    return ZONES.find(encode_name(name))


@pytest.mark.parametrize(("name", "function", "kinds"), [
    (ZONE, None, {Type.SOA, Type.NS}),
    (SHOP, "late", {Type.SOA, Type.NS}),
    (f"ns1.{ZONE}", None, {Type.A, Type.AAAA}),
    (f"hello.{ZONE}", "hello", {16}),
    (f"v12--hello.{ZONE}", "hello", set()),
    (f"hello.{SHOP}", "hello", set()),
    (f"deep.a.b.{ZONE}", "hello", set()),
    (f"a.b.{ZONE}", None, set()),
    (f"b.{ZONE}", "late", set()),
    (f"www.{SHOP}", None, {Type.CNAME}),
    (f"x.wild.{SHOP}", None, {16}),
    (f"x.y.wild.{SHOP}", None, {16}),
    (f"wild.{SHOP}", None, set()),
])  # fmt: skip
def test_every_name_is_found_for_what_it_has(name: str, function: str | None, kinds: set[int]) -> None:
    entry = found(name)
    assert isinstance(entry, Entry)
    assert (entry.function, set(entry.replies)) == (function, kinds)
    assert entry.apex == encode_name(SHOP if name.endswith(SHOP) else ZONE)


@pytest.mark.parametrize("name", [
    f"x.hello.{ZONE}", f"nothing.{ZONE}", f"v1--nothing.{ZONE}", f"v1--b.a.{ZONE}", f"vx--hello.{ZONE}", f"v1-hello.{ZONE}", f"v1--www.{SHOP}",
    f"v1234567890--hello.{ZONE}", f"v1--ns1.{ZONE}",
])  # fmt: skip
def test_what_is_not_there_is_absent_from_its_zone(name: str) -> None:
    assert found(name) == Absent(encode_name(SHOP if name.endswith(SHOP) else ZONE))


@pytest.mark.parametrize(
    "name", ["hello.other.example", "stray.other.example", "example.org", ".", "xedge.example.org"]
)
def test_other_zones_names_are_outside(name: str) -> None:
    assert found(name) == Outside()


@pytest.mark.parametrize("name", [f"sub.{ZONE}", f"ns.sub.{ZONE}", f"a.b.sub.{ZONE}"])
def test_a_delegation_covers_all_below_it_and_has_its_glue(name: str) -> None:
    cut = found(name)
    assert isinstance(cut, Delegated)
    assert (cut.apex, cut.at) == (encode_name(ZONE), encode_name(f"sub.{ZONE}"))
    assert (len(cut.referral.authority), len(cut.referral.additional), cut.referral.authoritative) == (2, 1, False)


def test_an_operators_name_servers_replace_ns1() -> None:
    apex = encode_name(ZONE)
    name_server = encode_name(f"a.{ZONE}")
    zones = Zones.of(
        [ZONE],
        records=[Record(apex, Type.NS, 60, (name_server,)), Record(name_server, Type.A, 60, (b"\xc0\0\2\x36",))],
        servers=SERVERS,
    )
    assert zones.find(encode_name(f"ns1.{ZONE}")) == Absent(apex)
    entry = zones.find(apex)
    assert isinstance(entry, Entry)
    assert name_server in entry.replies[Type.SOA].answer[0]
    assert len(entry.replies[Type.NS].additional) == 1


@pytest.mark.parametrize(
    "name", [rb"x\004edge.example.org", rb"\004edge\007example\003org.", rb"hello\.edge.example.org"]
)
def test_the_zones_octets_inside_a_label_are_not_the_zone(name: bytes) -> None:
    wire = dns.name.from_text(name.decode()).to_wire()
    assert wire is not None
    assert ZONES.find(wire) == Outside()


def test_a_dot_or_nul_inside_a_label_is_another_name() -> None:
    for label in (rb"hel\.lo", rb"hello\000"):
        wire = dns.name.from_text(label.decode() + ".edge.example.org.").to_wire()
        assert wire is not None
        assert ZONES.find(wire) == Absent(encode_name(ZONE))
