import dns.name
import pytest

from controlplane.model import RoutedFunction
from controlplane.router.wire import encode_name
from controlplane.router.zone import Absent, Apex, EmptyNonTerminal, Found, FunctionName, NameServer, Outside, Zone

ZONE = Zone.of(
    "edge.example.org",
    [
        RoutedFunction("hello", ("hello.edge.example.org", "hello.shop.example", "deep.a.b.edge.example.org"), ()),
        RoutedFunction("late", ("hello.edge.example.org", "b.edge.example.org", "edge.example.org"), ()),
    ],
)


@pytest.mark.parametrize(("name", "found"), [
    ("edge.example.org", Apex()),
    ("ns1.edge.example.org", NameServer()),
    ("hello.edge.example.org", FunctionName("hello")),
    ("deep.a.b.edge.example.org", FunctionName("hello")),
    ("a.b.edge.example.org", EmptyNonTerminal()),
    ("b.edge.example.org", FunctionName("late")),
    ("x.hello.edge.example.org", Absent()),
    ("nothing.edge.example.org", Absent()),
    ("hello.shop.example", Outside()),
    ("example.org", Outside()),
    (".", Outside()),
    ("xedge.example.org", Outside()),
])  # fmt: skip
def test_every_name_is_found_for_what_it_is(name: str, found: Found) -> None:
    assert ZONE.find(encode_name(name)) == found


@pytest.mark.parametrize(
    "name", [rb"x\004edge.example.org", rb"\004edge\007example\003org.", rb"hello\.edge.example.org"]
)
def test_the_zones_octets_inside_a_label_are_not_the_zone(name: bytes) -> None:
    wire = dns.name.from_text(name.decode()).to_wire()
    assert wire is not None
    assert ZONE.find(wire) == Outside()


def test_a_dot_or_nul_inside_a_label_is_another_name() -> None:
    for label in (rb"hel\.lo", rb"hello\000"):
        wire = dns.name.from_text(label.decode() + ".edge.example.org.").to_wire()
        assert wire is not None
        assert ZONE.find(wire) == Absent()
