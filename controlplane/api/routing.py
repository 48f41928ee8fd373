"""The Routing service: the routers' own decision, made here with what they see, and explained."""

import ipaddress
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

from controlplane import steering
from controlplane.api import codec
from controlplane.api.errors import NotFound, no_function
from controlplane.api.publisher import Publisher
from controlplane.api.routers import Router, Routers
from controlplane.model import Location
from controlplane.store.cache import Cache
from nearhop.errors import InvalidInput, Violation
from nearhop.v1 import routing_pb2, routing_pb2_grpc

_COUNTRY = re.compile(r"[A-Z]{2}")

Locate = Callable[[ipaddress.IPv4Address | ipaddress.IPv6Address], steering.ClientLocation]


class Routing(routing_pb2_grpc.RoutingServicer):
    def __init__(
        self, cache: Cache, publisher: Publisher, routers: Routers, locate: Locate, *, clock: Callable[[], float]
    ) -> None:
        self._cache = cache
        self._publisher = publisher
        self._routers = routers
        self._locate = locate
        self._clock = clock

    async def Explain(self, request: routing_pb2.ExplainRequest, _context: Any) -> routing_pb2.ExplainResponse:
        client = _given(request) if request.HasField("location") else self._located(request.ip)
        if request.function and request.function not in self._cache.current().functions:
            raise no_function(request.function)
        router = self._router(request.router)
        fleet = self._publisher.current().fleet
        decision = steering.decide(
            request.function or None, client, fleet, router.health() if router else {}, self._clock()
        )
        return _explanation(client, decision)

    async def ListRouters(
        self, _request: routing_pb2.ListRoutersRequest, _context: Any
    ) -> routing_pb2.ListRoutersResponse:
        zone = self._publisher.current().fleet.zone
        return routing_pb2.ListRoutersResponse(
            routers=[
                routing_pb2.Router(
                    id=router.id,
                    dns=router.dns,
                    http=router.http,
                    epoch=router.epoch,
                    zone=zone,
                    verdicts=map(codec.witness, router.verdicts.values()),
                )
                for router in self._routers.all()
            ]
        )

    async def WatchFlows(
        self, _request: routing_pb2.WatchFlowsRequest, context: Any
    ) -> AsyncIterator[routing_pb2.Flows]:
        await context.abort(
            grpc.StatusCode.UNIMPLEMENTED, "this control plane does not collect the routers' answer counts"
        )
        yield routing_pb2.Flows()

    def _located(self, ip: str) -> steering.ClientLocation:
        try:
            return self._locate(ipaddress.ip_address(ip))
        except ValueError:
            raise InvalidInput([Violation("ip", f"{ip!r} is not an IP address")]) from None

    def _router(self, name: str) -> Router | None:
        if name:
            router = self._routers.get(name)
            if router is None:
                raise NotFound("ROUTER_NOT_CONNECTED", f"no router {name!r} is connected", router=name)
            return router
        return next(iter(self._routers.all()), None)


def _given(request: routing_pb2.ExplainRequest) -> steering.ClientLocation:
    if request.ip:
        raise InvalidInput([Violation("ip", "must be empty when location is given")])
    place = Location(request.location.latitude, request.location.longitude)
    violations = []
    if not -90 <= place.latitude <= 90:
        violations.append(Violation("location.latitude", "must be within -90 and 90"))
    if not -180 <= place.longitude <= 180:
        violations.append(Violation("location.longitude", "must be within -180 and 180"))
    if request.country and not _COUNTRY.fullmatch(request.country):
        violations.append(Violation("country", "must be ISO 3166-1 alpha-2 in upper case"))
    if violations:
        raise InvalidInput(violations)
    # No network: the decision is for everybody at that place.
    return steering.ClientLocation("", "0.0.0.0/0", "given", location=place, country=request.country)


def _explanation(client: steering.ClientLocation, decision: steering.Decision) -> routing_pb2.ExplainResponse:
    return routing_pb2.ExplainResponse(
        client=routing_pb2.ClientLocation(
            ip=client.ip,
            network="" if client.source == "given" else client.network,
            source=client.source,
            location=codec.location(client.location) if client.location else None,
            country=client.country,
            city=client.city,
        ),
        candidates=[
            routing_pb2.Candidate(
                node=candidate.node,
                region=candidate.region,
                distance_km=-1 if candidate.distance_km is None else candidate.distance_km,
                chosen=candidate.chosen,
                eligible=candidate.eligible,
                reason=candidate.reason,
            )
            for candidate in decision.candidates
        ],
        answers=[address for node in decision.chosen for address in node.ingress.ipv4 + node.ingress.ipv6],
        ttl_s=decision.ttl_s,
        scope_prefix_length=decision.scope,
        reason=decision.reason,
    )
