"""The way in for those who cannot delegate a zone: a request to a function's hostname is sent on to its nearest healthy node, with a 307.

The client is who opened the connection, or whom a trusted proxy names. The method, path and query stay; a request that has been at a node before, or
whose node is this router itself, would go round for ever and ends here.
"""

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from controlplane.model import RoutedNode
from controlplane.steering import ClientLocation, Decision

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

RETRY_AFTER_S = 5
PATH = "/v1/route"


class Decider(Protocol):
    """What a redirect asks the router."""

    def function_at(self, host: str) -> str | None:
        """Return the function whose hostname *host* is; None when it is nobody's."""

    def explain(self, function: str | None, ip: str) -> tuple[ClientLocation, Decision] | None:
        """See http.Source."""

    def count(self, function: str, client: ClientLocation, decision: Decision) -> None:
        """Count a client that was sent on."""


@dataclass(frozen=True, slots=True)
class RedirectConfig:
    """*location* is where a node is, for clients: {address}, {port}, {node}, {region} and {function} stand for themselves; path and query follow.

    A node serves by the Host header: with a location that holds an address, the function's clients must send its hostname themselves.
    """

    location: str = "http://{address}:{port}"
    trusted_proxies: tuple[str, ...] = ()


def location_reasons(location: str) -> list[str]:
    """Say why *location* is no template of a location."""
    try:
        made = location.format(address="192.0.2.1", port=80, node="n", region="r", function="f")
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        return [f"holds what is not known: {error}"]
    if not made.startswith(("http://", "https://")):
        return ["must begin with http:// or https://"]
    return ["must not end with a path"] if "/" in made.split("://", 1)[1] else []


class Redirects:
    """An ASGI application: requests to functions' hostnames are redirected, all others go to what *build* makes, given routes to add to its own."""

    def __init__(self, config: RedirectConfig, decider: Decider, build: Callable[[list[Route]], ASGIApp]) -> None:
        self._config = config
        self._decider = decider
        self._inner = build([Route(PATH, self._tell)])
        self._trusted = [ipaddress.ip_network(network) for network in config.trusted_proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        function = None
        if scope["type"] == "http":
            function = self._decider.function_at(host_of(Headers(scope=scope).get("host", "")))
        if function is None:
            await self._inner(scope, receive, send)
        else:
            await self._redirect(Request(scope), function)(scope, receive, send)

    async def _tell(self, request: Request) -> Response:
        """The form for programs: which nodes, and why, as JSON."""
        host, function = request.query_params.get("host", ""), request.query_params.get("function", "")
        function = function or self._decider.function_at(host_of(host)) or ""
        client = request.query_params.get("ip") or self._client(request)
        try:
            explained = self._decider.explain(function, client)
        except ValueError as error:
            return _refused(400, f"ip: {error}")
        except KeyError:
            return _refused(404, f"there is no function {function or host!r}")
        if explained is None or not explained[1].chosen:
            return _nowhere(explained)
        found, decision = explained
        self._decider.count(function, found, decision)
        return JSONResponse(
            {
                "function": function,
                "client": client,
                "nodes": [
                    {
                        "node": node.id,
                        "region": node.region,
                        "addresses": [*node.ingress.ipv4, *node.ingress.ipv6],
                        "port": node.ingress.port,
                        "location": self._location(node, function, client),
                    }
                    for node in decision.chosen
                ],
                "ttl_s": decision.ttl_s,
                "reason": decision.reason,
            },
            headers={"cache-control": "no-store"},
        )

    def _redirect(self, request: Request, function: str) -> Response:
        if "x-nearhop-node" in request.headers or "nearhop" in request.headers.get("via", "").lower():
            return _refused(508, "this request has been at a node already: a node's upstream is this router")
        client = self._client(request)
        explained = self._decider.explain(function, client)
        if explained is None or not explained[1].chosen:
            return _nowhere(explained)
        found, decision = explained
        node = decision.chosen[0]
        if request.scope.get("server") in [
            (address, node.ingress.port) for address in node.ingress.ipv4 + node.ingress.ipv6
        ]:
            return _refused(508, f"the address of node {node.id} is this router's own")
        self._decider.count(function, found, decision)
        path = request.scope.get("raw_path", request.url.path.encode()).decode("latin-1")
        query = request.scope["query_string"].decode("latin-1")
        target = self._location(node, function, client) + path + (f"?{query}" if query else "")
        return Response(
            status_code=307,
            headers={
                "location": target,
                "cache-control": "no-store",
                "x-nearhop-node": node.id,
                "x-nearhop-region": node.region,
            },
        )

    def _location(self, node: RoutedNode, function: str, client: str) -> str:
        address = _address_for(node, client)
        return self._config.location.format(
            address=f"[{address}]" if ":" in address else address,
            port=node.ingress.port,
            node=node.id,
            region=node.region,
            function=function,
        )

    def _client(self, request: Request) -> str:
        peer = request.client.host if request.client is not None else ""
        return true_client(peer, request.headers.getlist("x-forwarded-for"), self._trusted)


def host_of(header: str) -> str:
    """Return the name in a Host header, without port and final dot, in lower case."""
    name = header if header.startswith("[") else header.partition(":")[0]
    return name.rstrip(".").lower()


def true_client(peer: str, forwarded: Iterable[str], trusted: Iterable[Network]) -> str:
    """Return the nearest address that is not of a trusted proxy: a client can write what it likes farther left (RFC 7239 section 8.1)."""
    trusted = list(trusted)
    chain = [entry.strip() for header in forwarded for entry in header.split(",")]
    client = peer
    while chain and _is_in(client, trusted):
        if _read(chain[-1]) is None:
            break  # what a proxy wrote and is no address says nothing
        client = chain.pop()
    return client


def _is_in(text: str, networks: Iterable[Network]) -> bool:
    address = _read(text)
    return address is not None and any(address in network for network in networks)


def _read(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _address_for(node: RoutedNode, client: str) -> str:
    """Return the first address of the client's own family, else the first of the other."""
    first, second = (node.ingress.ipv6, node.ingress.ipv4) if ":" in client else (node.ingress.ipv4, node.ingress.ipv6)
    return next(iter(first or second), "")


def _nowhere(explained: tuple[ClientLocation, Decision] | None) -> Response:
    reason = "no routing view has been received yet" if explained is None else explained[1].reason
    return _refused(503, reason, {"retry-after": str(RETRY_AFTER_S)})


def _refused(status: int, error: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": error}, status_code=status, headers={"cache-control": "no-store", **(headers or {})})
