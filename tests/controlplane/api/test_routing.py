import ipaddress

import grpc

from controlplane.api.routing import Routing
from controlplane.model import Location
from controlplane.server import ControlPlane
from controlplane.steering import ClientLocation
from nearhop.v1 import common_pb2, nodes_pb2, routing_pb2
from tests.controlplane.api.clients import Agent, Client, Router, failure
from tests.harness.eventually import eventually

LONDON = common_pb2.Location(latitude=51.5, longitude=-0.1)


def in_paris(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ClientLocation:
    return ClientLocation(str(ip), "203.0.113.0/24", "city", Location(48.86, 2.35), "FR", "Paris")


def routing(plane: ControlPlane) -> Routing:
    """The service itself, with a client location of the test's choice."""
    return Routing(plane.cache, plane.publisher, plane.routers, in_paris, clock=lambda: 0.0)


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


async def test_a_client_at_a_given_place_needs_no_address(client: Client) -> None:
    async with Agent(client.address, "tokyo-1"), Agent(client.address, "london-1", region="london", location=LONDON):

        async def explained() -> routing_pb2.ExplainResponse:
            request = routing_pb2.ExplainRequest(location=common_pb2.Location(latitude=48.9, longitude=2.4), country="FR")
            answer = await client.routing.Explain(request)
            assert len(answer.candidates) == 2
            return answer

        answer = await eventually(explained, within=5)
        assert answer.candidates[0].node == "london-1"
        assert (answer.client.source, answer.client.network, answer.scope_prefix_length) == ("given", "", 0)
        assert answer.reason.endswith("km from FR")


async def test_a_senseless_place_is_refused_with_every_reason(client: Client) -> None:
    nowhere = common_pb2.Location(latitude=91, longitude=float("nan"))
    failed = await failure(client.routing.Explain(routing_pb2.ExplainRequest(location=nowhere, country="fr")))
    assert failed.code == grpc.StatusCode.INVALID_ARGUMENT
    assert list(failed.violations) == ["location.latitude", "location.longitude", "country"]
    both = routing_pb2.ExplainRequest(ip="192.0.2.1", location=LONDON)
    assert list((await failure(client.routing.Explain(both))).violations) == ["ip"]


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
