"""The router's HTTP side: health, metrics and /v1/explain, for people and monitors. It answers from the same values as DNS."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controlplane.monitoring import Metric, respond
from controlplane.steering import ClientLocation, Decision

ENDPOINTS = ("/healthz", "/metrics", "/v1/explain?ip=ADDRESS&function=NAME", "/v1/route?function=NAME")


class Source(Protocol):
    """What the HTTP side asks the router."""

    def explain(self, function: str | None, ip: str) -> tuple[ClientLocation, Decision] | None:
        """Decide as DNS would; None before the first view. Raises ValueError for what is no address, KeyError for an unknown function."""

    def status(self) -> dict[str, object]:
        """Return the state in a form for JSON; "ready" tells whether answers can be given."""

    def metrics(self) -> list[Metric]:
        """Return all metrics."""


def application(source: Source, more: Sequence[Route] = ()) -> Starlette:
    """Build the ASGI application, with *more* routes beside its own."""

    async def healthz(_: Request) -> Response:
        status = source.status()
        return JSONResponse(status, status_code=200 if status["ready"] else 503)

    async def metrics(_: Request) -> Response:
        return respond(source.metrics())

    async def explain(request: Request) -> Response:
        function = request.query_params.get("function") or None
        try:
            explained = source.explain(function, request.query_params.get("ip", ""))
        except ValueError as error:
            return JSONResponse({"error": f"ip: {error}"}, status_code=400)
        except KeyError:
            return JSONResponse({"error": f'function: there is none named "{function}"'}, status_code=404)
        if explained is None:
            return JSONResponse({"error": "no routing view has been received yet"}, status_code=503)
        return JSONResponse(explanation(function, *explained))

    async def missing(_: Request, __: Exception) -> Response:
        return JSONResponse({"error": "not found", "endpoints": ENDPOINTS}, status_code=404)

    routes = [Route("/healthz", healthz), Route("/metrics", metrics), Route("/v1/explain", explain), *more]
    return Starlette(routes=routes, exception_handlers={404: missing})


def explanation(function: str | None, client: ClientLocation, decision: Decision) -> dict[str, object]:
    """Put a decision into the words of the contract's ExplainResponse."""
    return {
        "function": function,
        "client": {
            "ip": client.ip,
            "network": client.network,
            "source": client.source,
            "location": asdict(client.location) if client.location else None,
            "country": client.country,
            "city": client.city,
            "asn": client.asn,
        },
        "candidates": [asdict(candidate) for candidate in decision.candidates],
        "answers": [address for node in decision.chosen for address in (*node.ingress.ipv4, *node.ingress.ipv6)],
        "ttl_s": decision.ttl_s,
        "scope_prefix_length": decision.scope,
        "reason": decision.reason,
    }
