"""Databases for tests, of any age."""

import ipaddress
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

import maxminddb

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from mmdb_writer import MMDBWriter
    from netaddr import IPSet

OSAKA, LYON = (34.69, 135.5), (45.76, 4.84)


def write_city(
    path: Path,
    place: tuple[float, float],
    *,
    networks: tuple[str, ...] = ("0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3"),
    built: int = 2_000_000_000,
) -> Path:
    """Write a database in which *networks* are at *place*, and put it at *path* in one step."""
    record = {
        "city": {"names": {"en": "X"}},
        "location": {"latitude": place[0], "longitude": place[1]},
        "country": {"iso_code": "ZZ"},
    }
    return write(path, dict.fromkeys(networks, record), "Test-City", built)


def write(path: Path, records: dict[str, Any], kind: str, built: int = 2_000_000_000, *, ip_version: int = 6) -> Path:
    """Write *records* by network."""
    writer = MMDBWriter(ip_version, kind, ipv4_compatible=ip_version == 6)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    partial = path.with_suffix(".partial")
    with mock.patch("time.time", return_value=float(built)):
        writer.to_db_file(str(partial))
    return partial.replace(path)


def reshape(path: Path, record_size: int, aliases: tuple[str, ...] = ()) -> Path:
    """Rewrite the file of 24-bit records at *path* with records of another size, and with these IPv6 networks leading to where IPv4 begins."""
    data = path.read_bytes()
    with maxminddb.open_database(path) as reader:
        count = reader.metadata().node_count
    values = [int.from_bytes(data[at : at + 3]) for at in range(0, count * 6, 3)]
    nodes = [values[at : at + 2] for at in range(0, len(values), 2)]
    # What is no node is a negative number until it is known how many nodes there are.
    nodes = [[value if value < count else count - value - 1 for value in node] for node in nodes]
    ipv4 = 0
    for _ in range(96):
        ipv4 = nodes[ipv4][0]
    for alias in aliases:
        _lead(nodes, alias, ipv4)
    nodes = [[value if value >= 0 else len(nodes) - value - 1 for value in node] for node in nodes]
    metadata = data[count * 6 :].replace(b"record_size\xa1\x18", b"record_size\xa1" + bytes([record_size]))
    was, now = (key_count(number) for number in (count, len(nodes)))
    assert metadata.count(was) == 1
    path.write_bytes(b"".join(render_node(node, record_size) for node in nodes) + metadata.replace(was, now))
    return path


def key_count(number: int) -> bytes:
    """Render the metadata's entry of how many nodes there are."""
    octets = number.to_bytes((number.bit_length() + 7) // 8)
    return b"\x4anode_count" + bytes([0xC0 + len(octets)]) + octets


def _lead(nodes: list[list[int]], alias: str, to: int) -> None:
    network = ipaddress.ip_network(alias)
    bits = f"{int(network.network_address):0128b}"[: network.prefixlen]
    at = 0
    for bit in map(int, bits[:-1]):
        value = nodes[at][bit]
        if value < 0:
            nodes.append([value, value])
            nodes[at][bit] = value = len(nodes) - 1
        at = value
    nodes[at][int(bits[-1])] = to


def render_node(node: list[int], record_size: int) -> bytes:
    """Render the two records of *node*."""
    left, right = node
    if record_size == 28:
        return left.to_bytes(4)[1:] + bytes([left >> 24 << 4 | right >> 24]) + right.to_bytes(4)[1:]
    return left.to_bytes(record_size // 8) + right.to_bytes(record_size // 8)
