"""The Routing service: the routers' own decision, made here with what they see, and explained."""

import ipaddress
from collections.abc import Callable
from typing import Any

from controlplane import steering
from controlplane.api import codec
from controlplane.api.errors import NotFound, no_function
from controlplane.api.publisher import Publisher
from controlplane.api.routers import Router, Routers
from controlplane.store.cache import Cache
from nearhop.errors import InvalidInput, Violation
from nearhop.v1 import routing_pb2, routing_pb2_grpc

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
        try:
            address = ipaddress.ip_address(request.ip)
        except ValueError:
            raise InvalidInput([Violation("ip", f"{request.ip!r} is not an IP address")]) from None
        if request.function and request.function not in self._cache.current().functions:
            raise no_function(request.function)
        router = self._router(request.router)
        client = self._locate(address)
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

    def _router(self, name: str) -> Router | None:
        if name:
            router = self._routers.get(name)
            if router is None:
                raise NotFound("ROUTER_NOT_CONNECTED", f"no router {name!r} is connected", router=name)
            return router
        return next(iter(self._routers.all()), None)


def _explanation(client: steering.ClientLocation, decision: steering.Decision) -> routing_pb2.ExplainResponse:
    return routing_pb2.ExplainResponse(
        client=routing_pb2.ClientLocation(
            ip=client.ip,
            network=client.network,
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
