from ipaddress import IPv4Address, IPv4Network, ip_network

from hypothesis import given
from hypothesis import strategies as st

from node.sandbox.egress import denied_networks, deny_net
from node.special import SPECIAL_V4


def test_nothing_exempt_denies_every_special_range() -> None:
    assert set(denied_networks([])) == set(SPECIAL_V4)
    assert "169.254.0.0/16" in deny_net([]).split(",")
    assert "[::1]" in deny_net([]).split(",")


def test_a_hole_in_a_range_leaves_the_rest_denied() -> None:
    left = denied_networks([ip_network("127.0.0.1/32"), ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")])
    assert not any(IPv4Address("127.0.0.1") in network for network in left)
    assert any(IPv4Address("127.0.0.2") in network for network in left)
    assert not any(network.overlaps(IPv4Network("10.0.0.0/8")) for network in left)
    assert "[::1]" not in deny_net([ip_network("::1/128")]).split(",")


def test_this_machine_is_denied_by_its_public_addresses_too() -> None:
    entries = deny_net(
        [ip_network("203.0.114.9/32")], ["203.0.114.7", "203.0.114.9", "127.0.0.1", "2001:db8::5%eth0"]
    ).split(",")
    assert "203.0.114.7" in entries
    assert "203.0.114.9" not in entries
    assert "127.0.0.1" not in entries  # its range is denied already
    assert "[2001:db8::5]" in entries


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(8, 32)), max_size=4), st.integers(0, 2**32 - 1))
def test_an_address_is_denied_when_it_is_special_and_not_exempt(holes: list[tuple[int, int]], number: int) -> None:
    exempt = [IPv4Network((base, bits), strict=False) for base, bits in holes]
    for address in (IPv4Address(number), *(network.network_address for network in exempt)):
        want = any(address in network for network in SPECIAL_V4) and not any(address in network for network in exempt)
        assert any(address in network for network in denied_networks(exempt)) == want
