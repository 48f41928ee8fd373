"""The Functions service."""

import time
from typing import Any

from controlplane.api import codec, validate
from controlplane.api.authentication import actor
from controlplane.api.errors import AlreadyExists, no_function
from controlplane.api.mutations import Mutations, Proposal
from controlplane.model import Event, EventKind, Function
from controlplane.store import codec as records
from controlplane.store import events, keys
from controlplane.store.cache import Cache
from controlplane.store.client import Delete, Put, Unchanged
from controlplane.store.keys import Key, Kind
from nearhop import names
from nearhop.v1 import functions_pb2, functions_pb2_grpc


class Functions(functions_pb2_grpc.FunctionsServicer):
    def __init__(self, mutations: Mutations, cache: Cache, zone: str) -> None:
        self._mutations = mutations
        self._cache = cache
        self._zone = zone

    async def CreateFunction(
        self, request: functions_pb2.CreateFunctionRequest, _context: Any
    ) -> functions_pb2.Function:
        check = validate.Check()
        check.request_id(request.request_id)
        check.add("name", names.function_name_reasons(request.name))
        limits = validate.limits(check, request.limits)
        check.raise_if_any()

        async def propose() -> Proposal[functions_pb2.Function]:
            path = str(Key(Kind.FUNCTIONS, request.name))
            if await self._mutations.store.get(path) is not None:
                raise AlreadyExists(
                    "FUNCTION_EXISTS", f"there is a function {request.name!r} already", function=request.name
                )
            hostnames = (f"{request.name}.{self._zone}",)
            function = Function(request.name, hostnames, time.time(), request.request_id, limits)
            return Proposal([Unchanged(path, 0)], [Put(path, records.encode(function))], codec.function(function, None))

        return await self._mutations.run(request, propose, functions_pb2.Function)

    async def GetFunction(self, request: functions_pb2.GetFunctionRequest, _context: Any) -> functions_pb2.Function:
        if request.name not in self._cache.current().functions:
            raise no_function(request.name)
        return self._message(request.name)

    async def ListFunctions(
        self, _request: functions_pb2.ListFunctionsRequest, _context: Any
    ) -> functions_pb2.ListFunctionsResponse:
        return functions_pb2.ListFunctionsResponse(
            functions=[self._message(name) for name in sorted(self._cache.current().functions)]
        )

    async def DeleteFunction(
        self, request: functions_pb2.DeleteFunctionRequest, context: Any
    ) -> functions_pb2.DeleteFunctionResponse:
        check = validate.Check()
        check.request_id(request.request_id)
        check.raise_if_any()

        async def propose() -> Proposal[functions_pb2.DeleteFunctionResponse]:
            path = str(Key(Kind.FUNCTIONS, request.name))
            item = await self._mutations.store.get(path)
            if item is None:
                raise no_function(request.name)
            message = "deleted, with its versions and its deployment"
            event = Event(EventKind.FUNCTION_DELETED, time.time(), message, function=request.name, actor=actor(context))
            gone = (path, str(Key(Kind.DEPLOYMENTS, request.name)), keys.versions_of(request.name))
            return Proposal(
                [Unchanged(path, item.revision)],
                [*(Delete(key) for key in gone), *events.puts(event)],
                functions_pb2.DeleteFunctionResponse(),
            )

        return await self._mutations.run(request, propose, functions_pb2.DeleteFunctionResponse)

    def _message(self, name: str) -> functions_pb2.Function:
        view = self._cache.view
        stored, deployment = view.functions[name], view.deployments.get(name)
        return codec.function(stored.record, deployment.record if deployment else None, stored.revision)
