"""The Functions service."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from controlplane.api import codec, validate, validate_function
from controlplane.api.authentication import actor
from controlplane.api.errors import Aborted, AlreadyExists, no_function
from controlplane.api.logs import Logs
from controlplane.api.mutations import Mutations, Proposal
from controlplane.api.purges import Purges
from controlplane.api.secrets import Safe, SecretCalls
from controlplane.api.sessions import Sessions
from controlplane.model import Event, EventKind, Function
from controlplane.store import claims, events, keys
from controlplane.store import codec as records
from controlplane.store.cache import Cache
from controlplane.store.client import Delete, Put, Unchanged
from controlplane.store.keys import Key, Kind
from nearhop import names
from nearhop.v1 import functions_pb2, functions_pb2_grpc


class Functions(functions_pb2_grpc.FunctionsServicer):
    """*logs* streams the functions' logs, *safe* seals their secrets."""

    def __init__(
        self,
        mutations: Mutations,
        cache: Cache,
        zone: str,
        *,
        safe: Safe,
        purges: Purges,
        logs: Logs,
        sessions: Sessions,
    ) -> None:
        self._mutations = mutations
        self._cache = cache
        self._zone = zone
        self._secrets = SecretCalls(mutations, cache, safe)
        self._purges = purges
        self._logs = logs
        self._sessions = sessions

    async def CreateFunction(
        self, request: functions_pb2.CreateFunctionRequest, _context: Any
    ) -> functions_pb2.Function:
        check = validate.Check()
        check.request_id(request.request_id)
        check.add("name", names.function_name_reasons(request.name))
        own = f"{request.name}.{self._zone}"
        function = Function(
            name=request.name,
            hostnames=(own, *validate_function.hostnames(check, "hostnames", request.hostnames, self._zone)),
            created_at=time.time(),
            request_id=request.request_id,
            limits=validate.limits(check, request.limits),
            routes=validate_function.routes(check, "routes", request.routes, self._zone),
            rate_limit=validate_function.rate_limit(check, request.rate_limit),
            routing=validate_function.routing(check, request.routing),
        )
        check.raise_if_any()

        async def propose() -> Proposal[functions_pb2.Function]:
            path = str(Key(Kind.FUNCTIONS, request.name))
            if await self._mutations.store.get(path) is not None:
                raise AlreadyExists(
                    "FUNCTION_EXISTS", f"there is a function {request.name!r} already", function=request.name
                )
            claimed, claims = await self._claims(None, function)
            return Proposal(
                [Unchanged(path, 0), *claimed],
                [Put(path, records.encode(function)), *claims],
                codec.function(function, None),
            )

        return await self._mutations.run(request, propose, functions_pb2.Function)

    async def UpdateFunction(
        self, request: functions_pb2.UpdateFunctionRequest, _context: Any
    ) -> functions_pb2.Function:
        # Every field is judged before the store is asked, and once more on top of the record that it changes.
        self._updated(request, None)

        async def propose() -> Proposal[functions_pb2.Function]:
            item = await self._mutations.store.get(str(Key(Kind.FUNCTIONS, request.name)))
            if item is None:
                raise no_function(request.name)
            if request.expected_revision not in {0, item.revision}:
                raise Aborted(
                    "FUNCTION_CHANGED",
                    f"function {request.name!r} is at revision {item.revision}, not {request.expected_revision}: read it again",
                    function=request.name,
                )
            before = records.decode(Function, item.value)
            after = self._updated(request, before)
            claimed, claims = await self._claims(before, after)
            deployment = self._cache.current().deployments.get(request.name)
            return Proposal(
                [Unchanged(item.key, item.revision), *claimed],
                [Put(item.key, records.encode(after)), *claims],
                codec.function(after, deployment.record if deployment else None),
            )

        return await self._mutations.run(request, propose, functions_pb2.Function)

    def _updated(self, request: functions_pb2.UpdateFunctionRequest, before: Function | None) -> Function:
        """Return *before* as *request* wants it. Raises InvalidInput."""
        check = validate.Check()
        check.request_id(request.request_id)
        check.add("name", names.function_name_reasons(request.name))
        own = f"{request.name}.{self._zone}"
        after = before or Function(request.name, (own,), 0.0, request.request_id)
        if request.HasField("limits"):
            after = replace(after, limits=validate.limits(check, request.limits, after.limits))
        if request.HasField("hostnames"):
            given = [name for name in request.hostnames.hostnames if name != own]  # its own name it has anyway
            hostnames = validate_function.hostnames(check, "hostnames.hostnames", given, self._zone)
            routes = validate_function.routes(check, "hostnames.routes", request.hostnames.routes, self._zone)
            after = replace(after, hostnames=(own, *hostnames), routes=routes)
        if request.HasField("rate_limit"):
            after = replace(after, rate_limit=validate_function.rate_limit(check, request.rate_limit))
        if request.HasField("routing"):
            after = replace(after, routing=validate_function.routing(check, request.routing))
        check.raise_if_any()
        return after

    async def _claims(self, before: Function | None, after: Function) -> tuple[list[Unchanged], list[Put | Delete]]:
        try:
            return await claims.changes(self._mutations.store, before, after)
        except claims.Claimed as error:
            raise AlreadyExists("HOSTNAME_TAKEN", str(error), function=error.function) from error

    async def PurgeCache(
        self, request: functions_pb2.PurgeCacheRequest, _context: Any
    ) -> functions_pb2.PurgeCacheResponse:
        return await self._purges.purge(request)

    async def PutSecret(
        self, request: functions_pb2.PutSecretRequest, _context: Any
    ) -> functions_pb2.PutSecretResponse:
        return await self._secrets.put(request)

    async def DeleteSecret(
        self, request: functions_pb2.DeleteSecretRequest, _context: Any
    ) -> functions_pb2.DeleteSecretResponse:
        return await self._secrets.delete(request)

    async def ListSecrets(
        self, request: functions_pb2.ListSecretsRequest, _context: Any
    ) -> functions_pb2.ListSecretsResponse:
        return self._secrets.list(request)

    async def TailLogs(
        self, request: functions_pb2.TailLogsRequest, _context: Any
    ) -> AsyncIterator[functions_pb2.LogEntries]:
        view = self._cache.current()
        if request.function not in view.functions:
            raise no_function(request.function)
        yield functions_pb2.LogEntries(elsewhere=sorted(node for node in view.health if not self._sessions.holds(node)))
        async for entries in self._logs.tail(request.function):
            yield entries

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
            gone = (
                path,
                str(Key(Kind.DEPLOYMENTS, request.name)),
                str(Key(Kind.CRONS, request.name)),
                keys.versions_of(request.name),
                keys.secrets_of(request.name),
            )
            freed = claims.all_of(records.decode(Function, item.value))
            return Proposal(
                [Unchanged(path, item.revision)],
                [*(Delete(key) for key in gone), *freed, *events.puts(event)],
                functions_pb2.DeleteFunctionResponse(),
            )

        return await self._mutations.run(request, propose, functions_pb2.DeleteFunctionResponse)

    def _message(self, name: str) -> functions_pb2.Function:
        view = self._cache.view
        stored, deployment = view.functions[name], view.deployments.get(name)
        return codec.function(stored.record, deployment.record if deployment else None, stored.revision)
