import ipaddress

import pytest

from controlplane.model import Location
from controlplane.steering import ClientLocation, Target, given, of_country, unlocated


@pytest.mark.parametrize(("network", "length"), [("192.0.2.0/24", 24), ("2001:db8::/32", 32), ("0.0.0.0/0", 0)])
def test_prefix_length_is_that_of_the_network(network: str, length: int) -> None:
    assert ClientLocation("192.0.2.1", network, "none").prefix_length == length


def test_without_a_database_a_client_is_its_resolvers_view_of_it() -> None:
    assert unlocated(ipaddress.ip_address("198.51.100.77")).network == "198.51.100.0/24"
    assert unlocated(ipaddress.ip_address("2001:db8:1:2ff::1")).network == "2001:db8:1:200::/56"


def test_a_given_place_has_no_address_that_a_decision_could_depend_on() -> None:
    client = given(Location(35.68, 139.69), "JP")
    assert (client.ip, client.prefix_length, client.source, client.country) == ("", 0, "given", "JP")


def test_a_target_says_what_it_is() -> None:
    assert Target(node="tokyo-1").words == "node tokyo-1"
    assert Target(region="tokyo").words == "region tokyo"
    assert Target(location=Location(1.5, -2)).words == "1.5, -2"


def test_a_client_of_a_country_has_no_address() -> None:
    client = of_country("JP")
    assert (client.ip, client.source, client.country, client.prefix_length) == ("", "country", "JP", 0)
