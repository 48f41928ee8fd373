import ipaddress

import pytest

from controlplane.model import Location
from controlplane.router.origins import Address, Origins
from controlplane.steering import ClientLocation

TOKYO, LONDON = Location(35.68, 139.69), Location(51.5, -0.12)
NETWORKS = {
    "198.51.0.0/17": LONDON, "198.51.128.0/18": TOKYO, "198.51.192.0/24": LONDON, "203.0.113.7/32": TOKYO, "2001:db8::/32": TOKYO,
}  # fmt: skip


class Located:
    """Looks addresses up, and tells which it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.origins = Origins(self.locate)

    def locate(self, ip: Address) -> ClientLocation:
        self.asked.append(str(ip))
        for network, location in NETWORKS.items():
            if ip in ipaddress.ip_network(network):
                return ClientLocation(str(ip), network, "city", location)
        return ClientLocation(str(ip), str(ipaddress.ip_network((ip, 16), strict=False)), "none")

    def peer(self, text: str) -> tuple[str, int]:
        origin = self.origins.of_peer(text)
        return origin.client.network, origin.scope


def test_a_network_is_looked_up_once() -> None:
    located = Located()
    for third in range(128):
        assert located.peer(f"198.51.{third}.1") == ("198.51.0.0/17", 17)
    assert located.asked == ["198.51.0.1"]
    assert located.peer("198.51.128.1") == ("198.51.128.0/18", 18)
    assert located.peer("198.51.192.1") == ("198.51.192.0/24", 24)
    assert located.peer("203.0.113.7") == ("203.0.113.7/32", 32)
    assert located.peer("203.0.113.8") == ("203.0.0.0/16", 16)
    assert len(located.asked) == 5


def test_places_are_told_apart_by_number() -> None:
    origins = Located().origins
    london, tokyo = origins.of_peer("198.51.0.1"), origins.of_peer("198.51.128.1")
    assert origins.of_peer("198.51.192.1").place == london.place != tokyo.place
    assert origins.of_peer("198.51.192.1").key != london.key  # another scope
    assert origins.of_subnet(bytes([198, 51, 0, 0])).key == london.key


def test_an_ipv4_address_written_as_ipv6_tells_its_scope_in_ipv6() -> None:
    located = Located()
    assert located.peer("::ffff:198.51.0.9") == ("198.51.0.0/17", 96 + 17)
    assert located.peer("2001:db8::1%eth0") == ("2001:db8::/32", 32)


def test_what_is_known_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlplane.router.origins.REMEMBERED", 3)
    located = Located()
    for second in range(20):
        located.peer(f"11.{second}.0.1")
        assert sum(map(len, located.origins._networks.values())) <= 3
        assert len(located.origins._places) <= 3
    assert located.peer("11.19.7.7") == ("11.19.0.0/16", 16)
    assert len(located.asked) == 20
