"""Purging what nodes' edge caches keep for a function: its epoch grows, and the call waits until the connected nodes serve under the new one."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

from controlplane.api import validate
from controlplane.api.errors import Unavailable, no_function
from controlplane.api.mutations import Mutations, Proposal
from controlplane.api.sessions import Sessions
from controlplane.model import Function, PlacementState
from controlplane.placement import place
from controlplane.store import codec
from controlplane.store.cache import Cache
from controlplane.store.client import Put, Unchanged
from controlplane.store.keys import Key, Kind
from nearhop import names
from nearhop.v1 import functions_pb2

WITHIN_S = 10.0
_LOOK_EVERY_S = 0.02


class Purges:
    """Runs purges; *sessions* hears what nodes have taken over."""

    def __init__(self, mutations: Mutations, cache: Cache, sessions: Sessions, *, within_s: float = WITHIN_S) -> None:
        self._mutations = mutations
        self._cache = cache
        self._sessions = sessions
        self._within_s = within_s

    async def purge(self, request: functions_pb2.PurgeCacheRequest) -> functions_pb2.PurgeCacheResponse:
        """Raises Unavailable, with their names, when connected nodes have not confirmed in time; they do it when they can."""
        check = validate.Check()
        check.request_id(request.request_id)
        check.add("name", names.function_name_reasons(request.name))
        check.raise_if_any()

        async def propose() -> Proposal[functions_pb2.PurgeCacheResponse]:
            item = await self._mutations.store.get(str(Key(Kind.FUNCTIONS, request.name)))
            if item is None:
                raise no_function(request.name)
            before = codec.decode(Function, item.value)
            after = replace(before, cache_epoch=before.cache_epoch + 1)
            return Proposal(
                [Unchanged(item.key, item.revision)],
                [Put(item.key, codec.encode(after))],
                functions_pb2.PurgeCacheResponse(cache_epoch=after.cache_epoch),
            )

        answer = await self._mutations.run(request, propose, functions_pb2.PurgeCacheResponse)
        await self._confirmed(request.name, answer.cache_epoch)
        return answer

    async def _confirmed(self, function: str, epoch: int) -> None:
        try:
            async with asyncio.timeout(self._within_s):
                while not self._seen(function, epoch) or any(self._behind(function)):
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError:
            behind = ", ".join(self._behind(function))
            raise Unavailable(
                "PURGE_UNCONFIRMED",
                f"the purge is decided, but not confirmed within {self._within_s:g} s by: {behind or 'this control plane'}; "
                "they forget what they keep when they hear of it",
            ) from None

    def _seen(self, function: str, epoch: int) -> bool:
        stored = self._cache.view.functions.get(function)
        return stored is None or stored.record.cache_epoch >= epoch

    def _behind(self, function: str) -> Iterator[str]:
        """Yield the connected nodes that do not serve under the record's present state yet."""
        view = self._cache.view
        stored = view.functions.get(function)
        if stored is None or function not in view.deployments:
            return
        for node in place(stored.record, (node.record for node in view.nodes.values())):
            health = view.health.get(node)
            if health is None:
                continue
            report = self._sessions.report(node, health.record) or health.record
            status = report.placement(function)
            switching = status is not None and status.state is PlacementState.PENDING
            if report.snapshot_revision < stored.revision or switching:
                yield node
