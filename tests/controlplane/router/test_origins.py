import ipaddress

import pytest

from controlplane.model import Location
from controlplane.router.origins import Address, Origin, Origins
from controlplane.steering import ClientLocation

TOKYO, LONDON = Location(35.68, 139.69), Location(51.5, -0.12)
NETWORKS = {
    "198.51.0.0/17": LONDON, "198.51.128.0/18": TOKYO, "198.51.192.0/24": LONDON, "203.0.113.7/32": TOKYO, "2001:db8::/32": TOKYO,
}  # fmt: skip


class Located:
    """Looks addresses up, and tells which it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.origins = Origins(self.locate, self.record_of)

    def locate(self, ip: Address) -> ClientLocation:
        self.asked.append(str(ip))
        for network, location in NETWORKS.items():
            if ip in ipaddress.ip_network(network):
                return ClientLocation(str(ip), network, "city", location)
        return ClientLocation(str(ip), str(ipaddress.ip_network((ip, 16), strict=False)), "none")

    def record_of(self, packed: bytes) -> tuple[object, int] | None:
        """Know a record for each place; all but one of the networks."""
        address = ipaddress.ip_address(packed)
        for network, location in NETWORKS.items():
            if address in ipaddress.ip_network(network):
                return location, int(network.partition("/")[2])
        return ("beside", 16) if address in ipaddress.ip_network("198.0.0.0/8") else None

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


def like(located: Located, text: str) -> tuple[Origin, Origin]:
    packed = ipaddress.ip_address(text).packed
    return located.origins.like_subnet(packed), Located().origins.of_subnet(packed)


def test_a_record_is_read_once_for_all_of_its_networks() -> None:
    located = Located()
    for third in range(128):
        assert located.origins.like_subnet(bytes([198, 51, third, 0])).scope == 17
    assert located.asked == ["198.51.0.0"]
    for text in ("198.51.192.0", "198.51.128.0", "203.0.113.7", "2001:db8::"):
        found, alone = like(located, text)
        assert (found.client.location, found.scope, found.placeless) == (alone.client.location, alone.scope, False)
        assert found.key == found.place << 8 | found.scope
    assert located.asked == ["198.51.0.0", "198.51.128.0"]


@pytest.mark.parametrize("text", ["198.52.0.0", "203.0.0.0", "::ffff:203.0.113.7"])
def test_who_has_no_place_or_no_record_is_located_alone(text: str) -> None:
    located = Located()
    found, alone = like(located, text)
    assert found == alone
    assert len(located.asked) == 1


def test_networks_without_a_place_are_told_apart_though_of_one_record() -> None:
    located = Located()
    first, second = (located.origins.like_subnet(bytes([198, second, 0, 0])) for second in (52, 53))
    assert (first.client.network, second.client.network) == ("198.52.0.0/16", "198.53.0.0/16")
    assert first.key != second.key


def test_a_block_without_a_place_is_never_like_another() -> None:
    located = Located()
    located.origins = Origins(located.locate, lambda packed: (TOKYO, 18))
    assert not located.origins.like_subnet(bytes([198, 51, 128, 0])).placeless
    assert located.origins.like_subnet(bytes([10, 51, 128, 0])).placeless


def test_what_is_known_of_records_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlplane.router.origins.REMEMBERED", 2)
    origins = Origins(
        lambda address: ClientLocation(str(address), f"{address}/32", "city", LONDON), lambda packed: (packed[1], 32)
    )
    for second in range(20):
        assert origins.like_subnet(bytes([11, second, 0, 0])).scope == 32
        assert max(len(origins._alike), len(origins._first)) <= 2
