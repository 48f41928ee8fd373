"""The Deployments service: starts deployments and streams how they go. Ending them is the controller's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from controlplane.api import codec, validate
from controlplane.api.authentication import actor
from controlplane.api.errors import NotFound, Precondition, no_function
from controlplane.api.mutations import Mutations, Proposal
from controlplane.api.versions import no_version
from controlplane.controllers.deployments import Rollouts, end_of
from controlplane.model import Deployment, Event, EventKind, Gradual, Share
from controlplane.rollout import abort, begin, describe, pause, promote, resume, rollback_target, supersede
from controlplane.store import codec as records
from controlplane.store import events
from controlplane.store.cache import Cache
from controlplane.store.client import Present, Put, Unchanged
from controlplane.store.keys import Key, Kind
from controlplane.store.view import View
from nearhop import names
from nearhop.v1 import deployments_pb2, deployments_pb2_grpc

_COALESCE_S = 0.01
_APPEARS_WITHIN_S = 3.0
_UNDER_WAY = (deployments_pb2.Deployment.PHASE_PROGRESSING, deployments_pb2.Deployment.PHASE_PAUSED)

_CHANGES = frozenset(deployments_pb2.ChangeRolloutRequest.Change.values()) - {0}

Choose = Callable[[Deployment | None], tuple[Share, ...]]


class Deployments(deployments_pb2_grpc.DeploymentsServicer):
    def __init__(self, mutations: Mutations, cache: Cache, rollouts: Rollouts) -> None:
        self._mutations = mutations
        self._cache = cache
        self._rollouts = rollouts

    async def Deploy(
        self, request: deployments_pb2.DeployRequest, context: Any
    ) -> AsyncIterator[deployments_pb2.Deployment]:
        check = _checked(request)
        if request.version == 0:
            check.add("version", ["must be the number of a version; they count from 1"])
        if request.HasField("gradual"):
            validate.gradual(check, request.gradual)
        check.raise_if_any()
        started = await self._start(request, lambda _: (Share(request.version, 100),), actor(context))
        async for message in self._follow(request.function, started.generation):
            yield message

    async def Rollback(
        self, request: deployments_pb2.RollbackRequest, context: Any
    ) -> AsyncIterator[deployments_pb2.Deployment]:
        _checked(request).raise_if_any()

        def choose(last: Deployment | None) -> tuple[Share, ...]:
            if last is None:
                raise Precondition("NEVER_DEPLOYED", f"function {request.function!r} was never deployed")
            shares = (Share(request.to_version, 100),) if request.to_version else rollback_target(last)
            if not shares:
                raise Precondition(
                    "NOTHING_BEFORE", f"no version of {request.function!r} was in force before the present one"
                )
            return shares

        started = await self._start(request, choose, actor(context))
        async for message in self._follow(request.function, started.generation):
            yield message

    async def GetDeployment(
        self, request: deployments_pb2.GetDeploymentRequest, _context: Any
    ) -> deployments_pb2.Deployment:
        view = self._cache.current()
        self._require(view, request.function)
        return self._message(view, request.function)

    async def WatchDeployment(
        self, request: deployments_pb2.GetDeploymentRequest, _context: Any
    ) -> AsyncIterator[deployments_pb2.Deployment]:
        view = self._cache.current()
        self._require(view, request.function)
        async for message in self._follow(request.function, view.deployments[request.function].record.generation):
            yield message

    async def ChangeRollout(
        self, request: deployments_pb2.ChangeRolloutRequest, context: Any
    ) -> deployments_pb2.Deployment:
        check = _checked(request)
        if request.change not in _CHANGES:
            check.add("change", ["must be one of the known ones"])
        check.raise_if_any()
        who = actor(context)
        return await self._mutations.run(request, lambda: self._change(request, who), deployments_pb2.Deployment)

    async def _change(
        self, request: deployments_pb2.ChangeRolloutRequest, who: str
    ) -> Proposal[deployments_pb2.Deployment]:
        path = str(Key(Kind.DEPLOYMENTS, request.function))
        item = await self._mutations.store.get(path)
        last = None if item is None else records.decode(Deployment, item.value)
        if item is None or last is None or last.rollout is None or last.ended:
            raise Precondition("NO_ROLLOUT", f"no gradual deployment of {request.function!r} is under way")
        rollout, now = last.rollout, self._rollouts.clock()
        match request.change:
            case deployments_pb2.ChangeRolloutRequest.CHANGE_PAUSE:
                fresh = pause(last, rollout, item.revision)
            case deployments_pb2.ChangeRolloutRequest.CHANGE_RESUME:
                fresh = resume(last, rollout, item.revision, now)
            case deployments_pb2.ChangeRolloutRequest.CHANGE_PROMOTE:
                fresh = promote(last, rollout, item.revision, now)
            case _:
                fresh = abort(last, who, now)
        told = [replace(end_of(fresh), actor=who)] if fresh.ended else []
        return Proposal(
            [Unchanged(path, item.revision)],
            [Put(path, records.encode(fresh)), *events.puts(*told)],
            codec.deployment(fresh),
        )

    async def _start(self, request: Any, choose: Choose, who: str) -> deployments_pb2.Deployment:
        return await self._mutations.run(
            request, lambda: self._propose(request, choose, who), deployments_pb2.Deployment
        )

    async def _propose(self, request: Any, choose: Choose, who: str) -> Proposal[deployments_pb2.Deployment]:
        store = self._mutations.store
        function = await store.get(str(Key(Kind.FUNCTIONS, request.function)))
        if function is None:
            raise no_function(request.function)
        path = str(Key(Kind.DEPLOYMENTS, request.function))
        item = await store.get(path)
        last = None if item is None else records.decode(Deployment, item.value)
        shares = choose(last)
        versions = [(share.version, str(Key(Kind.VERSIONS, request.function, share.version))) for share in shares]
        for number, version in versions:
            if await store.get(version) is None:
                raise no_version(request.function, number)
        fresh = begin(
            last,
            request.function,
            shares,
            request_id=request.request_id,
            now=self._rollouts.clock(),
            gradual=_gradual(request),
        )
        return Proposal(
            [
                Unchanged(function.key, function.revision),
                Unchanged(path, item.revision if item else 0),
                *(Present(version) for _, version in versions),
            ],
            [Put(path, records.encode(fresh)), *events.puts(*_begun(request, last, fresh, who))],
            codec.deployment(fresh),
        )

    async def _follow(self, function: str, generation: int) -> AsyncIterator[deployments_pb2.Deployment]:
        view, sent = await self._appeared(function, generation), None
        while True:
            message = self._message_of(view, function, generation)
            if message != sent:
                yield message
                sent = message
            if message.phase not in _UNDER_WAY:
                return
            await self._cache.newer(view)
            await asyncio.sleep(_COALESCE_S)
            view = self._cache.view

    async def _appeared(self, function: str, generation: int) -> View:
        """Return a view that holds the deployment, or the newest one when it takes too long: this control plane may be behind the store."""
        view = self._cache.current()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_APPEARS_WITHIN_S):
                while (stored := view.deployments.get(function)) is None or stored.record.generation < generation:
                    view = await self._cache.newer(view)
        return view

    def _message_of(self, view: View, function: str, generation: int) -> deployments_pb2.Deployment:
        self._require(view, function)
        record = view.deployments[function].record
        if record.generation == generation:
            return self._message(view, function)
        for past in record.past:
            if past.generation == generation:
                return codec.ended_deployment(function, past)
        raise NotFound("DEPLOYMENT_FORGOTTEN", f"generation {generation} of {function!r} ended too long ago")

    def _message(self, view: View, function: str) -> deployments_pb2.Deployment:
        stored = view.deployments[function]
        now = None if stored.record.ended else self._rollouts.judge(stored, view)
        return codec.deployment(stored.record, now)

    def _require(self, view: View, function: str) -> None:
        if function not in view.functions:
            raise no_function(function)
        if function not in view.deployments:
            raise NotFound("NEVER_DEPLOYED", f"function {function!r} was never deployed", function=function)


def _begun(request: Any, last: Deployment | None, fresh: Deployment, who: str) -> list[Event]:
    """Return the events of *fresh* taking the place of *last*."""
    superseded = [last] if last is not None and not last.ended else []
    back = isinstance(request, deployments_pb2.RollbackRequest)
    started = Event(
        EventKind.ROLLBACK if back else EventKind.DEPLOY_STARTED,
        fresh.created_at,
        f"back to {describe(fresh.shares)}" if back else f"version {fresh.version} is being deployed{_how(fresh)}",
        function=fresh.function,
        version=fresh.version,
        actor=who,
    )
    return [*(end_of(supersede(item, fresh.generation, fresh.created_at)) for item in superseded), started]


def _how(fresh: Deployment) -> str:
    steps = fresh.rollout.gradual.steps if fresh.rollout else ()
    return f" in steps of {', '.join(map(str, steps))} %" if steps else ""


def _gradual(request: Any) -> Gradual | None:
    asked = isinstance(request, deployments_pb2.DeployRequest) and request.HasField("gradual")
    return codec.gradual(request.gradual) if asked else None


def _checked(request: Any) -> validate.Check:
    check = validate.Check()
    check.request_id(request.request_id)
    check.add("function", names.function_name_reasons(request.function))
    return check
