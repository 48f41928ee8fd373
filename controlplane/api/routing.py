"""The Routing service: the routers' own decision, made here with what they see, and explained."""

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from controlplane import steering
from controlplane.api import codec, validate
from controlplane.api.errors import NotFound, no_function
from controlplane.api.flows import WINDOW_S, Flows, Picture
from controlplane.api.publisher import Publisher
from controlplane.api.routers import Router, Routers
from controlplane.store.cache import Cache
from nearhop.v1 import routing_pb2, routing_pb2_grpc

_INTERVAL_S, _INTERVAL_RANGE_S = 1.0, (0.2, 60.0)
_AT_LEAST_EVERY_S = 10.0

Locate = Callable[[ipaddress.IPv4Address | ipaddress.IPv6Address], steering.ClientLocation]


class Routing(routing_pb2_grpc.RoutingServicer):
    def __init__(
        self,
        cache: Cache,
        publisher: Publisher,
        routers: Routers,
        locate: Locate,
        *,
        flows: Flows,
        clock: Callable[[], float],
    ) -> None:
        self._cache = cache
        self._publisher = publisher
        self._routers = routers
        self._locate = locate
        self._flows = flows
        self._clock = clock

    async def Explain(self, request: routing_pb2.ExplainRequest, _context: Any) -> routing_pb2.ExplainResponse:
        client = self._client(request)
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
        self, request: routing_pb2.WatchFlowsRequest, _context: Any
    ) -> AsyncIterator[routing_pb2.Flows]:
        check = validate.Check()
        low, high = _INTERVAL_RANGE_S
        if request.interval_s and not low <= request.interval_s <= high:
            check.add("interval_s", [f"is {request.interval_s:g}; {low:g} to {high:g} is allowed"])
        check.raise_if_any()
        sent, sent_at = None, 0.0
        while True:
            now = time.monotonic()
            picture = self._flows.picture(now, request.function)
            if picture != sent or now - sent_at >= _AT_LEAST_EVERY_S:
                yield _flows(picture)
                sent, sent_at = picture, now
            await asyncio.sleep(request.interval_s or _INTERVAL_S)

    def _client(self, request: routing_pb2.ExplainRequest) -> steering.ClientLocation:
        check = validate.Check()
        if request.HasField("location"):
            if request.ip:
                check.add("ip", ["must be empty when location is given"])
            location = validate.location(check, "location", request.location)
            check.add("country", validate.country_reasons(request.country) if request.country else [])
            check.raise_if_any()
            return steering.given(location, request.country)
        if request.country:
            check.add("country", ["goes with location, which is missing"])
        try:
            address = ipaddress.ip_address(request.ip)
        except ValueError:
            check.add("ip", [f"{request.ip!r} is not an IP address"])
        check.raise_if_any()
        return self._locate(address)

    def _router(self, name: str) -> Router | None:
        if name:
            router = self._routers.get(name)
            if router is None:
                raise NotFound("ROUTER_NOT_CONNECTED", f"no router {name!r} is connected", router=name)
            return router
        return next(iter(self._routers.all()), None)


def _flows(picture: Picture) -> routing_pb2.Flows:
    return routing_pb2.Flows(
        window_s=WINDOW_S,
        flows=[
            routing_pb2.Flow(country=key.country, node=key.node, function=key.function, answers_per_s=rate)
            for key, rate in picture.flows
        ],
        other_answers_per_s=picture.other,
    )


def _explanation(client: steering.ClientLocation, decision: steering.Decision) -> routing_pb2.ExplainResponse:
    return routing_pb2.ExplainResponse(
        client=routing_pb2.ClientLocation(
            ip=client.ip,
            network=client.network if client.ip else "",
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
