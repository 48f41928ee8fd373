from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.egress.addresses import Rules, embedded, judge, judge_port
from node.special import SPECIAL_V4

NONE = Rules()


def refused(text: str, rules: Rules = NONE) -> bool:
    return judge("x.example.org", (ip_address(text),), rules) is not None


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.0.1", "169.254.169.254", "169.254.170.2",
        "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1",
        "203.0.113.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "168.63.129.16",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1",
        "3fff::1", "5f00::1", "100::1", "2002:808:808::1", "2001:20::1",
    ],
)  # fmt: skip
def test_what_is_not_public_is_refused(text: str) -> None:
    assert refused(text)


@pytest.mark.parametrize(
    "text", ["1.1.1.1", "8.8.8.8", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_what_is_public_is_not(text: str) -> None:
    assert not refused(text)


def test_a_name_with_one_refused_address_is_refused_whole() -> None:
    refusal = judge("twin.example.org", (ip_address("8.8.8.8"), ip_address("10.0.0.1")), NONE)
    assert refusal is not None
    assert refusal.reason == "egress_address"
    assert "twin.example.org" in refusal.message
    assert "10.0.0.1" in refusal.message


def test_a_name_without_an_address() -> None:
    refusal = judge("x.example.org", (), NONE)
    assert refusal is not None
    assert refusal.reason == "egress_unresolved"


def test_the_fleet_is_refused_wherever_it_is_and_exceptions_count() -> None:
    rules = Rules(
        allow=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")),
        own=frozenset({ip_address("1.2.3.4"), ip_address("10.0.0.1"), ip_address("2606:4700::1")}),
    )
    assert refused("1.2.3.4", rules)
    assert refused("::ffff:1.2.3.4", rules)
    assert refused("2606:4700::1", rules)
    assert not refused("10.0.0.1", rules)  # the operator's word stands above the list
    assert not refused("::ffff:10.0.0.1", rules)
    assert not refused("2001:db8::1", rules)
    assert refused("192.168.0.1", rules)


def test_ports() -> None:
    for port in (22, 25, 2379, 2380, 0, -1, 65536, 7400):
        refusal = judge_port(port, NONE)
        assert refusal is not None
        assert refusal.reason == "egress_port"
    assert judge_port(443, NONE) is None


@given(st.ip_addresses(v=4))
def test_no_spelling_of_an_address_is_judged_otherwise(address: IPv4Address) -> None:
    plain = refused(str(address))
    assert plain == any(address in network for network in SPECIAL_V4)
    number = int(address)
    for spelled in (IPv6Address(0xFFFF << 32 | number), IPv6Address(int(IPv6Address("64:ff9b::")) | number)):
        assert embedded(spelled) == address
        assert refused(str(spelled)) == plain
    for tunnel in (
        IPv6Address(0x2002 << 112 | number << 80),
        IPv6Address(0x20010000 << 96 | (~number & 0xFFFFFFFF)),
    ):
        assert embedded(tunnel) == address
        assert refused(str(tunnel))


@given(st.ip_addresses(v=6))
def test_outside_of_global_unicast_nothing_is_reached(address: IPv6Address) -> None:
    if int(address) >> 125 != 1 and embedded(address) is None:
        assert refused(str(address))
