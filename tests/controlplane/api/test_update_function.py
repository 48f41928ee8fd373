import asyncio
from typing import Any

import grpc
import pytest

from nearhop.v1 import common_pb2, functions_pb2
from tests.controlplane.api.clients import Agent, Client, Router, failure, fresh

Hostnames = functions_pb2.UpdateFunctionRequest.Hostnames
ROUTE = common_pb2.PathRoute(hostname="www.example.net", path="/shop")


def update(client: Client, name: str = "hello", **more: Any) -> Any:
    request = functions_pb2.UpdateFunctionRequest(**{"request_id": fresh(), "name": name, **more})
    return client.functions.UpdateFunction(request, timeout=10)


async def test_what_is_set_changes_and_the_rest_stays(client: Client) -> None:
    made = await client.create(limits=common_pb2.Limits(cpu_ms=20, memory_mib=64), hostnames=["a.example.net"])
    changed = await update(client, limits=common_pb2.Limits(cpu_ms=30))
    assert (changed.limits.cpu_ms, changed.limits.memory_mib, changed.limits.instances) == (30, 64, 4)
    assert list(changed.hostnames) == ["hello.example.org", "a.example.net"]
    assert changed.revision > made.revision
    changed = await update(
        client, hostnames=Hostnames(hostnames=["hello.example.org", "b.example.net"], routes=[ROUTE])
    )
    assert list(changed.hostnames) == ["hello.example.org", "b.example.net"]
    assert list(changed.routes) == [ROUTE]
    assert changed.limits.cpu_ms == 30
    policy = common_pb2.RoutingPolicy(kind=common_pb2.RoutingPolicy.KIND_FAILOVER, regions=["tokyo"], answers=2)
    changed = await update(client, rate_limit=common_pb2.RateLimit(requests=7), routing=policy)
    assert (changed.rate_limit.requests, changed.rate_limit.period_s, changed.routing) == (7, 10, policy)
    assert await client.functions.GetFunction(functions_pb2.GetFunctionRequest(name="hello")) == changed


async def test_repeating_an_update_changes_nothing(client: Client) -> None:
    await client.create()
    request_id = fresh()
    first = await update(client, request_id=request_id, limits=common_pb2.Limits(cpu_ms=30))
    await update(client, limits=common_pb2.Limits(cpu_ms=40))
    assert await update(client, request_id=request_id, limits=common_pb2.Limits(cpu_ms=30)) == first
    found = await client.functions.GetFunction(functions_pb2.GetFunctionRequest(name="hello"))
    assert found.limits.cpu_ms == 40


async def test_an_update_of_another_revision_is_refused(client: Client) -> None:
    made = await client.create()
    changed = await update(client, expected_revision=made.revision, limits=common_pb2.Limits(cpu_ms=30))
    failed = await failure(update(client, expected_revision=made.revision, limits=common_pb2.Limits(cpu_ms=40)))
    assert (failed.code, failed.reason) == (grpc.StatusCode.ABORTED, "FUNCTION_CHANGED")
    await update(client, expected_revision=changed.revision, limits=common_pb2.Limits(cpu_ms=40))


async def test_a_hostname_and_a_route_have_one_function(client: Client) -> None:
    await client.create("one", hostnames=["a.example.net"], routes=[ROUTE])
    await client.create("two")
    for hostnames in (
        Hostnames(hostnames=["b.example.net", "a.example.net"]),
        Hostnames(routes=[ROUTE]),
        Hostnames(routes=[common_pb2.PathRoute(hostname="a.example.net", path="/")]),
    ):
        failed = await failure(update(client, "two", hostnames=hostnames))
        assert (failed.code, failed.reason) == (grpc.StatusCode.ALREADY_EXISTS, "HOSTNAME_TAKEN")
        assert "'one'" in failed.details
    assert (await failure(client.create("three", hostnames=["a.example.net"]))).reason == "HOSTNAME_TAKEN"
    other = common_pb2.PathRoute(hostname="www.example.net", path="/shop/sale")
    await update(client, "two", hostnames=Hostnames(hostnames=["b.example.net"], routes=[other]))
    # What is given up is free, and so is what a deleted function had.
    await update(client, "one", hostnames=Hostnames(hostnames=["c.example.net"]))
    await update(client, "two", hostnames=Hostnames(hostnames=["a.example.net"], routes=[ROUTE]))
    await client.functions.DeleteFunction(functions_pb2.DeleteFunctionRequest(request_id=fresh(), name="one"))
    await client.create("three", hostnames=["c.example.net", "b.example.net"])


async def test_one_of_many_at_once_gets_the_hostname(client: Client) -> None:
    names = [f"f{number}" for number in range(5)]
    await asyncio.gather(*(client.create(name) for name in names))
    wanted = Hostnames(hostnames=["a.example.net"])
    results = await asyncio.gather(*(update(client, name, hostnames=wanted) for name in names), return_exceptions=True)
    assert sum(isinstance(result, functions_pb2.Function) for result in results) == 1
    codes = {result.code() for result in results if isinstance(result, grpc.aio.AioRpcError)}
    assert codes == {grpc.StatusCode.ALREADY_EXISTS}


@pytest.mark.parametrize(
    "hostname",
    [
        "other.example.org", "v3--hello.example.org", "a.b.example.org", "example.org", "A.example.net", "a.example.net.",
        "*.example.net", "bücher.example.net", "localhost", "192.0.2.1", "a b.example.net", "", "a_b.example.net",
    ],
)  # fmt: skip
async def test_hostnames_that_are_nobodys_to_have(client: Client, hostname: str) -> None:
    await client.create()
    failed = await failure(update(client, hostnames=Hostnames(hostnames=[hostname])))
    assert list(failed.violations) == ["hostnames.hostnames[0]"]
    route = common_pb2.PathRoute(hostname=hostname, path="/a")
    failed = await failure(update(client, hostnames=Hostnames(routes=[route])))
    assert list(failed.violations) == ["hostnames.routes[0].hostname"]


async def test_every_wrong_field_is_named_at_once(client: Client) -> None:
    weighted = common_pb2.RoutingPolicy(
        kind=common_pb2.RoutingPolicy.KIND_WEIGHTED,
        allowed_regions=["tokyo"],
        denied_regions=["tokyo", "No"],
        answers=9,
        default_location=common_pb2.Location(latitude=91),
    )
    failed = await failure(
        update(
            client,
            "hello",
            request_id="",
            limits=common_pb2.Limits(instances=65, subrequests=10_001, request_body_bytes=1 << 40, concurrency=10_001),
            hostnames=Hostnames(
                hostnames=["a.example.net", "a.example.net"],
                routes=[common_pb2.PathRoute(hostname="a.example.net", path="no"), ROUTE, ROUTE],
            ),
            rate_limit=common_pb2.RateLimit(requests=1, period_s=3601),
            routing=weighted,
        )
    )
    assert set(failed.violations) == {
        "request_id", "limits.instances", "limits.subrequests", "limits.request_body_bytes", "limits.concurrency",
        "hostnames.hostnames[1]", "hostnames.routes[0].path", "hostnames.routes[2]", "rate_limit.period_s",
        "routing.weights", "routing.denied_regions[No]", "routing.denied_regions", "routing.answers",
        "routing.default_location.latitude",
    }  # fmt: skip
    many = Hostnames(hostnames=[f"a{n}.example.net" for n in range(17)], routes=[ROUTE] * 33)
    failed = await failure(update(client, hostnames=many, routing=common_pb2.RoutingPolicy(kind=2)))  # type: ignore[arg-type]
    assert set(failed.violations) == {"hostnames.hostnames", "hostnames.routes", "routing.regions"}


async def test_a_function_that_is_not_there(client: Client) -> None:
    failed = await failure(update(client, "nobody"))
    assert (failed.code, failed.reason) == (grpc.StatusCode.NOT_FOUND, "FUNCTION_NOT_FOUND")


async def test_nodes_and_routers_hear_of_it(client: Client) -> None:
    async with Agent(client.address, "tokyo-1") as agent, Router(client.address) as router:
        await client.create()
        await client.deployed((await client.version()).number)
        await update(
            client,
            limits=common_pb2.Limits(cpu_ms=30),
            hostnames=Hostnames(hostnames=["a.example.net"], routes=[ROUTE]),
            rate_limit=common_pb2.RateLimit(requests=5, period_s=60),
        )
        await agent.until(lambda agent: agent.snapshot.placements[0].limits.cpu_ms == 30)
        [placement] = agent.snapshot.placements
        assert list(placement.hostnames) == ["hello.example.org", "a.example.net"]
        assert (list(placement.routes), placement.rate_limit.requests) == ([ROUTE], 5)
        names = ["hello.example.org", "a.example.net", "www.example.net"]
        await router.until(lambda view: [list(function.hostnames) for function in view.functions] == [names])


async def test_a_policy_keeps_a_function_out_of_regions(client: Client) -> None:
    async with Agent(client.address, "tokyo-1") as tokyo, Agent(client.address, "london-1", region="london") as london:
        await client.create(routing=common_pb2.RoutingPolicy(allowed_regions=["tokyo"]))
        await client.deployed((await client.version()).number)
        await tokyo.until(lambda agent: agent.versions() == {"hello": [1]})
        assert london.versions() == {}
        await update(client, routing=common_pb2.RoutingPolicy(denied_regions=["tokyo"]))
        await london.until(lambda agent: agent.versions() == {"hello": [1]})
        await tokyo.until(lambda agent: agent.versions() == {})
