"""The RouterControl service: one stream a router. The routing view goes out, verdicts on the nodes come in."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from controlplane.api import codec, validate
from controlplane.api.errors import Refusal
from controlplane.api.flows import CountKey, FlowKey, Flows, Meter
from controlplane.api.publisher import Publisher
from controlplane.api.routers import Router, Routers
from controlplane.api.streams import receive
from controlplane.model import Verdict
from nearhop import log, names, tasks
from nearhop.errors import InvalidInput, Violation
from nearhop.v1 import router_control_pb2, router_control_pb2_grpc

_log = log.get(__name__)

_ADDRESS_CHARACTERS = 256
_ANSWERS_MAX = 8_000
_REASONS = frozenset(("nearest", "hash", "emergency", "none"))


class RouterControl(router_control_pb2_grpc.RouterControlServicer):
    def __init__(self, publisher: Publisher, routers: Routers, flows: Flows) -> None:
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
                    tasks.spawn(group, self._push(context), name=f"router {router.id}: views"),
                    tasks.spawn(group, self._ended(), name=f"router {router.id}: end"),
                ]
                await self._listen(context, router, meter)
                for task in others:
                    task.cancel()
        finally:
            self._routers.remove(router)
            self._flows.close(meter)
            _log.info("a router has disconnected", router=router.id)

    async def _push(self, context: Any) -> None:
        desired, sent = self._publisher.current(), -1
        while True:
            if desired.fleet.epoch > sent:
                await context.write(desired.routing)
                sent = desired.fleet.epoch
            desired = await self._publisher.newer(desired)

    async def _listen(self, context: Any, router: Router, meter: Meter) -> None:
        while (message := await receive(context)) is not None:
            match message.WhichOneof("message"):
                case "report":
                    router.epoch = message.report.epoch
                    router.verdicts = {
                        verdict.node: codec.read_witness(verdict, router.id) for verdict in message.report.verdicts
                    }
                    meter.hear(read_answers(message.report.answers), time.monotonic())
                    meter.cut(frozenset(node for node, verdict in router.health().items() if verdict is Verdict.DOWN))
                case "hello":
                    raise InvalidInput([Violation("hello", "was said already")])
                case _:
                    continue  # of a newer router: nothing that this control plane could answer

    async def _ended(self) -> None:
        await self._stop.wait()
        if self._why is not None:
            raise self._why


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
