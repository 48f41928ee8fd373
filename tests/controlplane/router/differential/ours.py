"""Our server with the zone that the others serve."""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controlplane.geoip import CityDatabase
from controlplane.model import FleetView, Ingress, Location, RoutedFunction, RoutedNode, Verdict
from controlplane.router.cookies import Cookies
from controlplane.router.records import RecordText, parse
from controlplane.router.responder import Offer
from controlplane.steering import FleetIndex
from tests.controlplane.router.citydb import write_city_database
from tests.controlplane.router.differential.peers import NAME_SERVER, NETS, RECORDS, SERIAL, SITES, ZONE
from tests.controlplane.router.wired import Wired

PLACES = {"lon": (51.5, -0.12), "syd": (-33.87, 151.2), "tok": (35.68, 139.69)}


def view() -> FleetView:
    nodes = tuple(
        RoutedNode(f"{site}-1", site, Location(*PLACES[site]), Ingress(80, (ipv4,), (ipv6,)))
        for site, (ipv4, ipv6) in SITES.items()
    )
    every = tuple(node.id for node in nodes)
    functions = (
        RoutedFunction("alone", (f"alone.{ZONE}",), ("lon-1",)),
        RoutedFunction("hello", (f"hello.{ZONE}",), every),
    )
    return FleetView(SERIAL, ZONE, nodes, functions)


def places() -> dict[str, tuple[float, float]]:
    """Everybody is in London but for the networks that the others are told of too."""
    everywhere = dict.fromkeys(("0.0.0.0/1", "128.0.0.0/1", "2000::/3", "4000::/2"), PLACES["lon"])
    return {**everywhere, **{net: PLACES[site] for net, site in NETS.items()}}


@contextmanager
def ours_served(folder: Path) -> Iterator[Wired]:
    database = CityDatabase.open(write_city_database(folder / "city.mmdb", places()))
    texts = [RecordText(f"{owner}.{ZONE}", kind, data, ttl) for owner, ttl, kind, data in RECORDS]
    servers = [ipaddress.ip_address(address) for address in NAME_SERVER]
    with Wired(ZONE, database.locate, servers, offer=Offer(cookies=Cookies([b"0123456789abcdef"]))) as served:
        served.responder.use_records(parse(texts, [ZONE]))
        fleet = view()
        served.publish(FleetIndex.of(fleet), {node.id: Verdict.UP for node in fleet.nodes})
        yield served
    database.close()
