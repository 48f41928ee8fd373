import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from controlplane.model import FleetView, Ingress, Location, RoutedNode, Verdict
from controlplane.monitoring import HttpServer, Metric, plain
from controlplane.router.config import Endpoint
from controlplane.router.http import application
from controlplane.router.sockets import bind_tcp, bound
from controlplane.steering import ClientLocation, Decision, decide

NODE = RoutedNode("tokyo-1", "tokyo", Location(35.6, 139.6), Ingress(80, ("192.0.2.1",), ("2001:db8::1",)))


class Source:
    """A router with one node and no function but "hello"."""

    ready = True

    def explain(self, function: str | None, ip: str) -> tuple[ClientLocation, Decision] | None:
        if ip == "x":
            raise ValueError("'x' is no address")
        if function not in (None, "hello"):
            raise KeyError(function)
        client = ClientLocation(ip, "203.0.113.0/24", "city", Location(34.7, 135.5), "JP", "Osaka")
        return (
            (client, decide(None, client, FleetView(1, "example.org", (NODE,)), {"tokyo-1": Verdict.UP}, 5.0))
            if self.ready
            else None
        )

    def status(self) -> dict[str, object]:
        return {"ready": self.ready}

    def metrics(self) -> list[Metric]:
        return [plain("nearhop_test", "gauge", "Test.", 1)]


@pytest.fixture
async def source() -> Source:
    return Source()


@pytest.fixture
async def client(source: Source) -> AsyncIterator[httpx.AsyncClient]:
    sock = bind_tcp(Endpoint("127.53.5.1", 0))
    url = f"http://{bound(sock)}"
    server = HttpServer(application(source), sock)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(server.run_until_told())
        async with httpx.AsyncClient(base_url=url, trust_env=False) as made:
            yield made
        server.stop()
    sock.close()


async def test_explain_tells_client_candidates_and_answers(client: httpx.AsyncClient) -> None:
    told = (await client.get("/v1/explain", params={"ip": "203.0.113.9", "function": "hello"})).json()
    assert told["client"] == {
        "ip": "203.0.113.9", "network": "203.0.113.0/24", "source": "city", "country": "JP", "city": "Osaka", "asn": 0,
        "location": {"latitude": 34.7, "longitude": 135.5},
    }  # fmt: skip
    (candidate,) = told["candidates"]
    assert (candidate["node"], candidate["chosen"], candidate["eligible"], candidate["reason"]) == (
        "tokyo-1",
        True,
        True,
        "eligible and nearest",
    )
    assert round(candidate["distance_km"]) == 386
    assert (told["function"], told["answers"], told["ttl_s"], told["scope_prefix_length"]) == (
        "hello",
        ["192.0.2.1", "2001:db8::1"],
        30,
        0,
    )
    assert told["reason"] == "tokyo-1 is 386 km from Osaka"


@pytest.mark.parametrize(("params", "status", "error"), [
    ({"ip": "x"}, 400, "ip: 'x' is no address"), ({"ip": "192.0.2.1", "function": "gone"}, 404, 'function: there is none named "gone"'),
])  # fmt: skip
async def test_explain_says_what_is_wrong(
    client: httpx.AsyncClient, params: dict[str, str], status: int, error: str
) -> None:
    response = await client.get("/v1/explain", params=params)
    assert (response.status_code, response.json()) == (status, {"error": error})


async def test_health_follows_readiness(client: httpx.AsyncClient, source: Source) -> None:
    assert (await client.get("/healthz")).status_code == 200
    source.ready = False
    assert (await client.get("/healthz")).status_code == 503
    assert (await client.get("/v1/explain?ip=192.0.2.1")).status_code == 503


async def test_metrics_are_text(client: httpx.AsyncClient) -> None:
    response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "nearhop_test 1\n" in response.text


async def test_other_paths_name_the_endpoints(client: httpx.AsyncClient) -> None:
    response = await client.get("/anything")
    assert response.status_code == 404
    assert response.json()["endpoints"][0] == "/healthz"
