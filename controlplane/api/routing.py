"""The Routing service: the routers' own decision, made here with what they see, and explained."""

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from controlplane import steering
from controlplane.api import codec, validate
from controlplane.api.errors import NotFound, Precondition, no_function
from controlplane.api.flows import WINDOW_S, Flows, Picture
from controlplane.api.publisher import Publisher
from controlplane.api.routers import Router, Routers
from controlplane.geoip import Places, Sampler
from controlplane.steering import ClientLocation, FleetIndex, Outlook, simulate
from controlplane.store.cache import Cache
from nearhop.v1 import routing_pb2, routing_pb2_grpc

_INTERVAL_S, _INTERVAL_RANGE_S = 1.0, (0.2, 60.0)
_AT_LEAST_EVERY_S = 10.0

_SAMPLE, _SAMPLE_MAX = 10_000, 100_000
_BREATH = 100  # decisions between two turns of the other calls


class Routing(routing_pb2_grpc.RoutingServicer):
    def __init__(
        self,
        cache: Cache,
        publisher: Publisher,
        routers: Routers,
        places: Places,
        *,
        flows: Flows,
        clock: Callable[[], float],
    ) -> None:
        self._cache = cache
        self._publisher = publisher
        self._routers = routers
        self._places = places
        self._flows = flows
        self._clock = clock

    async def Explain(self, request: routing_pb2.ExplainRequest, _context: Any) -> routing_pb2.ExplainResponse:
        client = self._client(request)
        self._require_function(request.function)
        outlook = _outlook(self._router(request.router))
        fleet = self._publisher.current().fleet
        decision = steering.decide(request.function or None, client, fleet, outlook, self._clock())
        return _explanation(client, decision)

    async def Simulate(self, request: routing_pb2.SimulateRequest, _context: Any) -> routing_pb2.SimulateResponse:
        view = self._publisher.current().fleet
        check = validate.Check()
        if request.sample > _SAMPLE_MAX:
            check.add("sample", [f"is {request.sample}; at most {_SAMPLE_MAX} are allowed"])
        check.raise_if_any()
        self._require_function(request.function)
        if request.drain and request.drain not in {node.id for node in view.nodes}:
            raise NotFound("NODE_NOT_FOUND", f"there is no node {request.drain!r}", node=request.drain)
        clients = await self._sample(request.sample or _SAMPLE, request.seed)
        outlook = _outlook(self._router(request.router))
        now = await self._tally(request.function, FleetIndex.of(view), clients, outlook)
        answer = routing_pb2.SimulateResponse(sample=len(clients), now=_distribution(now.distribution()))
        if request.drain:
            index = FleetIndex.of(simulate.drained(view, request.drain))
            then = await self._tally(request.function, index, clients, outlook)
            answer.drained.CopyFrom(_distribution(then.distribution()))
            answer.moved = now.moved(then)
        return answer

    async def _sample(self, count: int, seed: int) -> list[ClientLocation]:
        city = self._places.city
        if city is None:
            raise Precondition(
                "NO_GEOIP_DATABASE", "this control plane has no City database, so there are no clients to draw"
            )
        sampler, clients = Sampler(seed), list[ClientLocation]()
        while len(clients) < count:
            drawn = sampler.clients(city, min(_BREATH, count - len(clients)))
            if not drawn:
                raise Precondition("NO_GEOIP_DATABASE", "the City database locates hardly any address")
            clients += map(self._places.apply, drawn)
            await asyncio.sleep(0)
            city = self._places.city or city
        return clients

    async def _tally(
        self, function: str, index: FleetIndex, clients: list[ClientLocation], outlook: Outlook
    ) -> simulate.Tally:
        tally = simulate.Tally()
        for number, client in enumerate(clients):
            tally.add(steering.decide(function or None, client, index, outlook, self._clock()))
            if number % _BREATH == 0:
                await asyncio.sleep(0)
        return tally

    def _require_function(self, function: str) -> None:
        if function and function not in self._cache.current().functions:
            raise no_function(function)

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
            check.add("country", validate.country_reasons(request.country))
        if not request.ip and request.country:
            check.raise_if_any()
            return self._places.apply(steering.of_country(request.country))
        address = _address(check, "ip", request.ip)
        resolver = _address(check, "resolver", request.resolver) if request.resolver else None
        check.raise_if_any()
        if resolver is not None and steering.placeless_prefix(address) is not None:
            address = resolver
        found = self._places.locate(address)
        if not request.country:
            return found
        only = replace(steering.of_country(request.country), ip=found.ip, network=found.network)
        return self._places.apply(only)

    def _router(self, name: str) -> Router | None:
        if name:
            router = self._routers.get(name)
            if router is None:
                raise NotFound("ROUTER_NOT_CONNECTED", f"no router {name!r} is connected", router=name)
            return router
        return next(iter(self._routers.all()), None)


def _address(check: validate.Check, field: str, text: str) -> steering.Address:
    """Read an address, or a prefix, which stands for its first address as it does in ECS; what is neither goes to *check*."""
    try:
        return ipaddress.ip_interface(text).network[0] if "/" in text else ipaddress.ip_address(text)
    except ValueError:
        check.add(field, [f"{text!r} is not an IP address or prefix"])
        return ipaddress.IPv4Address(0)


def _outlook(router: Router | None) -> Outlook:
    """Return what *router* has told of the nodes."""
    if router is None:
        return Outlook()
    return Outlook(router.health(), reasons={node: found.reason for node, found in router.verdicts.items()})


def _distribution(found: simulate.Distribution) -> routing_pb2.Distribution:
    return routing_pb2.Distribution(
        nodes=[
            routing_pb2.NodeShare(
                node=node.node,
                region=node.region,
                share=node.share,
                median_km=_or_none(node.median_km),
                p95_km=_or_none(node.p95_km),
            )
            for node in found.nodes
        ],
        median_km=_or_none(found.median_km),
        p95_km=_or_none(found.p95_km),
        unlocated=found.unlocated,
        unanswered=found.unanswered,
    )


def _or_none(number: float | None) -> float:
    return -1 if number is None else number


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
            asn=client.asn,
        ),
        candidates=[
            routing_pb2.Candidate(
                node=candidate.node,
                region=candidate.region,
                distance_km=_or_none(candidate.distance_km),
                chosen=candidate.chosen,
                eligible=candidate.eligible,
                reason=candidate.reason,
                verdict=codec.verdict(candidate.verdict),
                load=_or_none(candidate.load),
            )
            for candidate in decision.candidates
        ],
        answers=[address for node in decision.chosen for address in node.ingress.ipv4 + node.ingress.ipv6],
        ttl_s=decision.ttl_s,
        scope_prefix_length=decision.scope,
        reason=decision.reason,
    )
