"""The RouterControl service: one stream a router. The routing view goes out, verdicts on the nodes come in."""

import asyncio
import time
from collections.abc import Coroutine, Iterable
from typing import Any, get_args

from controlplane.api import codec, validate
from controlplane.api.errors import Refusal
from controlplane.api.flows import CountKey, FlowKey, Flows, Meter
from controlplane.api.publisher import Publisher
from controlplane.api.routers import Router, Routers
from controlplane.api.signals import signals
from controlplane.api.streams import receive
from controlplane.model import Verdict
from controlplane.steering import ReasonKind
from controlplane.store.cache import Cache
from nearhop import log, names, tasks
from nearhop.errors import InvalidInput, Violation
from nearhop.v1 import router_control_pb2, router_control_pb2_grpc

_log = log.get(__name__)

_ADDRESS_CHARACTERS = 256
_ANSWERS_MAX = 8_000
_REASONS = frozenset(get_args(ReasonKind))
SIGNALS_EVERY_S = 1.0  # at least: a router takes them for old after three of these


class RouterControl(router_control_pb2_grpc.RouterControlServicer):
    def __init__(self, cache: Cache, publisher: Publisher, routers: Routers, flows: Flows) -> None:
        self._cache = cache
        self._publisher = publisher
        self._routers = routers
        self._flows = flows
        self._stop: asyncio.Event = asyncio.Event()
        self._why: Refusal | None = None

    def end_all(self, why: Refusal) -> None:
        """End every stream because this control plane stops."""
        self._why = why
        self._stop.set()

    async def Sync(self, _requests: Any, context: Any) -> None:  # type: ignore[override]  # the reader and writer form
        router = read_hello(await receive(context))
        self._publisher.current()
        self._routers.add(router)
        meter = self._flows.open()
        _log.info("a router has connected", router=router.id, epoch=router.epoch)
        try:
            async with asyncio.TaskGroup() as group:
                others = [
                    tasks.spawn(group, self._push(context, router), name=f"router {router.id}: views"),
                    tasks.spawn(group, self._ended(), name=f"router {router.id}: end"),
                ]
                await self._listen(context, router, meter)
                for task in others:
                    task.cancel()
        finally:
            self._routers.remove(router)
            self._flows.close(meter)
            _log.info("a router has disconnected", router=router.id)

    async def _push(self, context: Any, router: Router) -> None:
        sent, told = -1, None
        while True:
            desired, tick = self._publisher.current(), self._routers.tick()
            now = signals(self._cache.view, self._routers.all(), router.id)
            news = router_control_pb2.Signals(unchanged=True) if now == told else now
            if desired.fleet.epoch > sent:
                message = router_control_pb2.RoutingView(signals=news)
                message.MergeFrom(desired.routing)
                sent = desired.fleet.epoch
            else:
                message = router_control_pb2.RoutingView(
                    epoch=sent, zone=desired.fleet.zone, signals=news, signals_only=True
                )
            await context.write(message)
            told = now
            await _first(self._publisher.newer(desired), tick.wait())

    async def _listen(self, context: Any, router: Router, meter: Meter) -> None:
        while (message := await receive(context)) is not None:
            match message.WhichOneof("message"):
                case "report":
                    router.epoch = message.report.epoch
                    router.verdicts = {
                        verdict.node: codec.read_witness(verdict, router.id) for verdict in message.report.verdicts
                    }
                    self._take_sights(router, message.report)
                    meter.hear(read_answers(message.report.answers), time.monotonic())
                    meter.cut(frozenset(node for node, verdict in router.health().items() if verdict is Verdict.DOWN))
                case "hello":
                    raise InvalidInput([Violation("hello", "was said already")])
                case _:
                    continue  # of a newer router: nothing that this control plane could answer

    def _take_sights(self, router: Router, report: router_control_pb2.RouterReport) -> None:
        seen = tuple(report.seen_up), tuple(report.seen_down)
        if seen != (router.seen_up, router.seen_down):
            router.seen_up, router.seen_down = seen
            self._routers.sights_changed()

    async def _ended(self) -> None:
        await self._stop.wait()
        if self._why is not None:
            raise self._why


async def _first(*waits: Coroutine[Any, Any, Any]) -> None:
    """Wait for the first of *waits*, SIGNALS_EVERY_S at most."""
    async with asyncio.TaskGroup() as group:
        others = [tasks.spawn(group, wait, name="router: news") for wait in waits]
        try:
            await asyncio.wait(others, timeout=SIGNALS_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in others:
                task.cancel()


def read_answers(counts: Iterable[router_control_pb2.AnswerCount]) -> dict[CountKey, int]:
    """Return what a report says of answers; what is no name, country or reason is left out."""
    found: dict[CountKey, int] = {}
    for count in counts:
        if len(found) >= _ANSWERS_MAX:
            break
        if count.reason in _REASONS and _is_sound(count):
            found[CountKey(FlowKey(count.country, count.node, count.function), count.reason)] = count.count
    return found


def _is_sound(count: router_control_pb2.AnswerCount) -> bool:
    return (
        not (count.country and validate.country_reasons(count.country))
        and not (count.node and names.node_id_reasons(count.node))
        and not (count.function and names.function_name_reasons(count.function))
    )


def read_hello(message: Any) -> Router:
    """Return the router that the first message of a stream introduces. Raises InvalidInput with every wrong field."""
    if message is None or not message.HasField("hello"):
        raise InvalidInput([Violation("hello", "must be the first message")])
    hello = message.hello
    check = validate.Check()
    check.add("hello.router", names.node_id_reasons(hello.router))
    check.length("hello.dns", hello.dns, _ADDRESS_CHARACTERS)
    check.length("hello.http", hello.http, _ADDRESS_CHARACTERS)
    check.raise_if_any()
    return Router(hello.router, hello.dns, hello.http, hello.epoch)
