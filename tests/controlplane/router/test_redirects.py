import ipaddress

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from controlplane.model import FleetView, Ingress, Location, RoutedFunction, RoutedNode, Verdict
from controlplane.router.redirects import RedirectConfig, Redirects, host_of, location_reasons, true_client
from controlplane.steering import ClientLocation, Decision, FleetIndex, decide, unlocated

NODES = (
    RoutedNode("tokyo-1", "tokyo", Location(35.7, 139.7), Ingress(7480, ("192.0.2.1",), ("2001:db8::1",))),
    RoutedNode("london-1", "london", Location(51.5, -0.1), Ingress(7480, ("192.0.2.2",))),
)
FUNCTIONS = (
    RoutedFunction("hello", ("hello.example.org", "www.example.com"), ("tokyo-1", "london-1")),
    RoutedFunction("nowhere", ("nowhere.example.org",), ()),
)


class Router:
    """Decides by a table of client addresses."""

    def __init__(self) -> None:
        self.index: FleetIndex | None = FleetIndex.of(FleetView(1, "example.org", NODES, FUNCTIONS))
        self.counted: list[tuple[str, str]] = []

    def function_at(self, host: str) -> str | None:
        return next((function.name for function in FUNCTIONS if host in function.hostnames), None)

    def explain(self, function: str | None, ip: str) -> tuple[ClientLocation, Decision] | None:
        client = unlocated(ipaddress.ip_address(ip))
        place = NODES[ip == "198.51.100.7"].location
        located = ClientLocation(client.ip, client.network, "city", place, "ZZ", "X")
        if self.index is None:
            return None
        if self.index.candidates(function) is None:
            raise KeyError(function)
        return located, decide(function, located, self.index, {node.id: Verdict.UP for node in NODES}, 0)

    def count(self, function: str, client: ClientLocation, decision: Decision) -> None:
        self.counted.append((function, decision.chosen[0].id))


async def other(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"other {request.url.path}")


def client(router: Router, *, peer: str = "203.0.113.1", **config: object) -> httpx.AsyncClient:
    app = Redirects(
        RedirectConfig(**config),  # type: ignore[arg-type]
        router,
        lambda routes: Starlette(routes=[*routes, Route("/{path:path}", other)]),
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(peer, 5)), base_url="http://192.0.2.53:7454")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
async def test_any_request_to_a_functions_hostname_is_sent_to_its_nearest_node(method: str) -> None:
    router = Router()
    async with client(router) as http:
        path = "/a%2Fb/%E6%9D%B1//c?x=1&y=%20&y"
        answer = await http.request(method, path, headers={"host": "WWW.example.com.:80"})
    assert (answer.status_code, answer.headers["location"]) == (307, f"http://192.0.2.1:7480{path}")
    assert (answer.headers["x-nearhop-node"], answer.headers["cache-control"]) == ("tokyo-1", "no-store")
    assert router.counted == [("hello", "tokyo-1")]


async def test_other_hosts_are_somebody_elses() -> None:
    async with client(Router()) as http:
        assert (await http.get("/healthz")).text == "other /healthz"


async def test_a_client_behind_a_trusted_proxy_is_who_that_proxy_says() -> None:
    headers = {"host": "hello.example.org", "x-forwarded-for": "10.9.9.9, 198.51.100.7"}
    async with client(Router()) as http:
        assert "192.0.2.1:" in (await http.get("/", headers=headers)).headers["location"]
    async with client(Router(), trusted_proxies=("203.0.113.0/24",)) as http:
        assert "192.0.2.2:" in (await http.get("/", headers=headers)).headers["location"]


async def test_a_client_with_ipv6_gets_the_nodes_ipv6_address_if_it_has_one() -> None:
    async with client(Router(), peer="2001:db8::9") as http:
        answer = await http.get("/x", headers={"host": "hello.example.org"})
    assert answer.headers["location"] == "http://[2001:db8::1]:7480/x"


async def test_the_operators_location() -> None:
    async with client(Router(), location="https://{function}.{node}.{region}.example.net") as http:
        answer = await http.get("/x?y", headers={"host": "hello.example.org"})
    assert answer.headers["location"] == "https://hello.tokyo-1.tokyo.example.net/x?y"


@pytest.mark.parametrize("header", [("x-nearhop-node", "tokyo-1"), ("via", "1.1 nearhop-tokyo")])
async def test_a_request_that_was_at_a_node_goes_round_no_more(header: tuple[str, str]) -> None:
    async with client(Router()) as http:
        answer = await http.get("/", headers={"host": "hello.example.org", header[0]: header[1]})
    assert answer.status_code == 508


async def test_a_node_that_is_the_router_itself_is_no_target() -> None:
    router = Router()
    async with client(router) as http:
        answer = await http.get("http://192.0.2.1:7480/", headers={"host": "hello.example.org"})
    assert (answer.status_code, router.counted) == (508, [])


async def test_without_a_node_or_a_view_it_says_so() -> None:
    router = Router()
    async with client(router) as http:
        answer = await http.get("/", headers={"host": "nowhere.example.org"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json() == {"error": "no node to choose from"}
        router.index = None
        answer = await http.get("/", headers={"host": "hello.example.org"})
        assert answer.json() == {"error": "no routing view has been received yet"}
        assert (await http.get("/v1/route?function=hello")).status_code == 503


async def test_the_form_for_programs() -> None:
    router = Router()
    async with client(router) as http:
        told = (await http.get("/v1/route?function=hello&ip=198.51.100.7")).json()
        assert (told["client"], told["ttl_s"]) == ("198.51.100.7", 30)
        assert told["nodes"] == [
            {
                "node": "london-1", "region": "london", "addresses": ["192.0.2.2"], "port": 7480,
                "location": "http://192.0.2.2:7480",
            }
        ]  # fmt: skip
        assert told["reason"].startswith("london-1 is 0 km")
        assert (await http.get("/v1/route?host=www.example.com")).json()["nodes"][0]["node"] == "tokyo-1"
        assert router.counted == [("hello", "london-1"), ("hello", "tokyo-1")]
        assert (await http.get("/v1/route?host=www.example.net")).status_code == 404
        assert (await http.get("/v1/route?function=hello&ip=nobody")).status_code == 400


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ([], "10.0.0.1"),
        (["198.51.100.1"], "198.51.100.1"),
        (["192.0.2.66, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        (["192.0.2.66", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        (["198.51.100.1, unknown"], "10.0.0.1"),
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    ],
)
def test_the_true_client_is_the_nearest_that_is_no_trusted_proxy(forwarded: list[str], expected: str) -> None:
    trusted = [ipaddress.ip_network("10.0.0.0/8")]
    assert true_client("10.0.0.1", forwarded, trusted) == expected
    assert true_client("192.0.2.9", forwarded, trusted) == "192.0.2.9"


def test_hosts() -> None:
    assert host_of("Hello.Example.org.:8080") == "hello.example.org"
    assert host_of("[2001:db8::1]:80") == "[2001:db8::1]:80"
    assert host_of("") == ""


@pytest.mark.parametrize(
    ("location", "good"),
    [
        ("https://{node}.example.org", True),
        ("http://{address}:{port}", True),
        ("ftp://{address}", False),
        ("http://{address}/path", False),
        ("http://{adress}", False),
        ("http://{}", False),
        ("http://{", False),
    ],
)
def test_what_a_location_may_be(location: str, good: bool) -> None:
    assert (location_reasons(location) == []) is good
