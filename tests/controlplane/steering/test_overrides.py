import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.model import Location
from controlplane.steering import ClientLocation, Overrides, Target, of_country
from controlplane.steering.countries import COUNTRIES
from nearhop.errors import InvalidInput

PARIS = Location(48.86, 2.35)


def client(ip: str = "198.51.100.7", network: str = "198.51.100.0/22", **said: Any) -> ClientLocation:
    said.setdefault("location", PARIS)
    said.setdefault("country", "FR")
    return ClientLocation(ip, network, "city", **said)


def test_an_empty_file_leaves_a_located_client_as_it_is() -> None:
    assert Overrides.parse({}).apply(client()) == client()


def test_the_longest_prefix_wins_and_the_network_is_narrowed_to_where_it_holds() -> None:
    overrides = Overrides.parse(
        {"prefixes": {"198.51.100.0/24": {"region": "tokyo"}, "198.51.100.128/25": {"node": "london-1"}}}
    )
    low = overrides.apply(client())
    assert (low.source, low.target, low.location, low.fallback) == ("operator", Target(region="tokyo"), None, PARIS)
    assert low.why == "the operator's file places 198.51.100.0/24 at region tokyo"
    assert low.network == "198.51.100.0/25"
    high = overrides.apply(client("198.51.100.200"))
    assert (high.target, high.network) == (Target(node="london-1"), "198.51.100.128/25")


def test_a_network_beside_the_prefixes_is_narrowed_until_it_holds_none_of_them() -> None:
    overrides = Overrides.parse({"prefixes": {"198.51.100.0/24": {"region": "tokyo"}}})
    beside = overrides.apply(client("198.51.101.7", "198.51.96.0/20"))
    assert (beside.source, beside.location, beside.network) == ("city", PARIS, "198.51.101.0/24")
    far = overrides.apply(client("198.51.107.7", "198.51.96.0/20"))
    assert far.network == "198.51.104.0/21"


def test_a_place_takes_the_place_of_the_databases() -> None:
    found = Overrides.parse({"prefixes": {"2001:db8::/32": {"location": [35.7, 139.7]}}}).apply(
        client("2001:db8::1", "2001:db8::/48")
    )
    assert (found.location, found.target, found.network) == (Location(35.7, 139.7), None, "2001:db8::/48")
    assert found.why == "the operator's file places 2001:db8::/32 at 35.7, 139.7"


def test_prefixes_come_before_systems_and_systems_before_countries() -> None:
    raw: dict[str, Any] = {
        "countries": {"FR": {"region": "c"}},
        "asns": {"64500": {"region": "b"}},
        "prefixes": {"198.51.100.0/24": {"region": "a"}},
    }
    found = Overrides.parse(raw).apply(client(asn=64500))
    assert found.target == Target(region="a")
    del raw["prefixes"]
    found = Overrides.parse(raw).apply(client(asn=64500))
    assert (found.target, found.why) == (Target(region="b"), "the operator's file places AS64500 at region b")
    assert found.network == "198.51.100.0/22"
    found = Overrides.parse(raw).apply(client(asn=64501))
    assert (found.target, found.why) == (Target(region="c"), "the operator's file places FR at region c")


def test_a_country_alone_gets_the_operators_default_or_its_principal_city() -> None:
    overrides = Overrides.parse({"country_defaults": {"US": [39, -95.5]}})
    assert overrides.apply(of_country("US")).location == Location(39, -95.5)
    assert overrides.apply(of_country("JP")).location == COUNTRIES["JP"]
    assert overrides.apply(of_country("JP")).source == "country"
    assert overrides.apply(of_country("ZZ")).location is None


def test_a_target_falls_back_to_the_countrys_place_where_the_database_has_none() -> None:
    overrides = Overrides.parse({"countries": {"JP": {"region": "osaka"}}})
    assert overrides.apply(of_country("JP")).fallback == COUNTRIES["JP"]


@pytest.mark.parametrize(
    ("raw", "wrong"),
    [
        ({"prefix": {}}, "prefix: is not known"),
        ({"prefixes": []}, "prefixes: must be a table"),
        ({"prefixes": {"198.51.100.1/24": {"region": "a"}}}, "has host bits set"),
        ({"prefixes": {"somewhere": {"region": "a"}}}, "somewhere"),
        ({"prefixes": {"198.51.100.0/24": {}}}, "exactly one of node, region and location"),
        ({"prefixes": {"198.51.100.0/24": {"node": "a", "region": "b"}}}, "exactly one of"),
        ({"prefixes": {"198.51.100.0/24": {"nod": "a"}}}, '"nod" is not known'),
        ({"prefixes": {"198.51.100.0/24": {"node": 7}}}, "must be text"),
        ({"prefixes": {"198.51.100.0/24": {"node": "A b"}}}, "node:"),
        ({"prefixes": {"198.51.100.0/24": {"region": "A b"}}}, "region:"),
        ({"prefixes": {"198.51.100.0/24": "tokyo"}}, "exactly one of"),
        ({"prefixes": {"2001:db8::/32": {"region": "a"}, "2001:0db8::/32": {"region": "b"}}}, "is there twice"),
        ({"asns": {"0": {"region": "a"}}}, "must be a number from 1"),
        ({"asns": {"AS1": {"region": "a"}}}, "must be a number from 1"),
        ({"asns": {"4294967296": {"region": "a"}}}, "must be a number from 1"),
        ({"countries": {"jp": {"region": "a"}}}, "ISO 3166-1"),
        ({"countries": {"JPN": {"region": "a"}}}, "ISO 3166-1"),
        ({"country_defaults": {"JP": [91, 0]}}, "is not on the earth"),
        ({"country_defaults": {"JP": [0, float("nan")]}}, "is not on the earth"),
        ({"country_defaults": {"JP": [1]}}, "must be [latitude, longitude]"),
        ({"country_defaults": {"JP": [True, False]}}, "must be [latitude, longitude]"),
        ({"country_defaults": {"JP": {"latitude": 1}}}, "must be [latitude, longitude]"),
    ],
)
def test_what_is_wrong_is_said(raw: dict[str, object], wrong: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Overrides.parse(raw)
    assert wrong in str(caught.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        Overrides.parse({"x": 1, "asns": {"y": {"region": "a"}}, "countries": {"zz": {"z": 1}}})
    assert len(caught.value.violations) == 4


prefixes = st.integers(0, 255).flatmap(
    lambda first: st.integers(0, 24).map(
        lambda length: str(ipaddress.ip_network((first << 24 | 0x00A50F00, length), strict=False))
    )
)


@given(st.sets(prefixes, max_size=8), st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_every_address_of_the_answered_network_gets_the_longest_match(
    cidrs: set[str], address: int, length: int
) -> None:
    overrides = Overrides.parse({"prefixes": {cidr: {"region": f"r{n}"} for n, cidr in enumerate(sorted(cidrs))}})
    ip = ipaddress.ip_address(address)
    network = str(ipaddress.ip_network((ip, length), strict=False))
    found = overrides.apply(client(str(ip), network))
    narrowed = ipaddress.ip_network(found.network)
    assert narrowed.subnet_of(ipaddress.ip_network(network))  # type: ignore[arg-type]
    matching = [ipaddress.ip_network(cidr) for cidr in cidrs if ip in ipaddress.ip_network(cidr)]
    longest = max(matching, key=lambda net: net.prefixlen, default=None)
    assert (longest is None) == (found.target is None)
    for cidr in map(ipaddress.ip_network, cidrs):
        # Nothing in the network is said to be elsewhere than all of it.
        assert not (cidr.subnet_of(narrowed) and cidr != narrowed)  # type: ignore[arg-type]
    if longest is not None:
        assert f"places {longest} at" in found.why
        assert narrowed.subnet_of(longest)  # type: ignore[arg-type]
