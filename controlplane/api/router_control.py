"""The RouterControl service: one stream a router. The routing view goes out, verdicts on the nodes come in."""

import asyncio
from typing import Any

from controlplane.api import codec, validate
from controlplane.api.errors import Refusal
from controlplane.api.publisher import Publisher
from controlplane.api.routers import Router, Routers
from controlplane.api.streams import receive
from nearhop import log, names, tasks
from nearhop.errors import InvalidInput, Violation
from nearhop.v1 import router_control_pb2_grpc

_log = log.get(__name__)

_ADDRESS_CHARACTERS = 256


class RouterControl(router_control_pb2_grpc.RouterControlServicer):
    def __init__(self, publisher: Publisher, routers: Routers) -> None:
        self._publisher = publisher
        self._routers = routers
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
        _log.info("a router has connected", router=router.id, epoch=router.epoch)
        try:
            async with asyncio.TaskGroup() as group:
                others = [
                    tasks.spawn(group, self._push(context), name=f"router {router.id}: views"),
                    tasks.spawn(group, self._ended(), name=f"router {router.id}: end"),
                ]
                await self._listen(context, router)
                for task in others:
                    task.cancel()
        finally:
            self._routers.remove(router)
            _log.info("a router has disconnected", router=router.id)

    async def _push(self, context: Any) -> None:
        desired, sent = self._publisher.current(), -1
        while True:
            if desired.fleet.epoch > sent:
                await context.write(desired.routing)
                sent = desired.fleet.epoch
            desired = await self._publisher.newer(desired)

    async def _listen(self, context: Any, router: Router) -> None:
        while (message := await receive(context)) is not None:
            match message.WhichOneof("message"):
                case "report":
                    router.epoch = message.report.epoch
                    router.verdicts = {
                        verdict.node: codec.read_witness(verdict, router.id) for verdict in message.report.verdicts
                    }
                case "hello":
                    raise InvalidInput([Violation("hello", "was said already")])
                case _:
                    continue  # of a newer router: nothing that this control plane could answer

    async def _ended(self) -> None:
        await self._stop.wait()
        if self._why is not None:
            raise self._why


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
