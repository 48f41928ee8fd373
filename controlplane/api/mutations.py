"""Every mutating call: one transaction that compares what it was decided on, writes the change, and writes the answer under its request_id.

A repeated call finds the answer and changes nothing, also when it is this one that repeats itself: after a lost race, and once after a lost answer
(a member of etcd that has just died). A call that loses a race decides again on what is there then.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from controlplane.api.errors import Refusal
from controlplane.store.cache import Cache
from controlplane.store.client import Delete, Present, Put, Store, Unchanged
from controlplane.store.errors import Conflict, LeaseLost, StoreUnavailable
from controlplane.store.requests import Answer, Requests, fingerprint
from nearhop.errors import InvalidInput, Violation

M = TypeVar("M", bound=Message)

_ATTEMPTS = 6
_LOST_ANSWERS = 1


@dataclass(frozen=True, slots=True)
class Proposal(Generic[M]):
    """What a call wants to write, on what it has decided that, and what it will answer."""

    compares: Sequence[Unchanged | Present]
    writes: Sequence[Put | Delete]
    answer: M


class Mutations:
    """Runs mutating calls."""

    def __init__(self, store: Store, cache: Cache, requests: Requests) -> None:
        self.store = store
        self._cache = cache
        self._requests = requests

    async def run(self, request: Any, propose: Callable[[], Awaitable[Proposal[M]]], answer: type[M]) -> M:
        """Do what *propose* proposes, unless *request*'s request_id has been answered already, and return the *answer*.

        Raises InvalidInput when the request_id was used for a call with other arguments, Conflict after several lost races.
        """
        print_ = _fingerprint(request)
        lost = 0
        for attempt in range(_ATTEMPTS):
            if (found := await self._find(request.request_id, print_, answer)) is not None:
                return found
            try:
                proposal = await propose()
            except Refusal:
                # It may be this very call, done by its first copy a moment ago, that stands in its own way.
                if (found := await self._find(request.request_id, print_, answer)) is not None:
                    return found
                raise
            try:
                return await self._commit(request.request_id, print_, proposal)
            except LeaseLost:
                self._requests.forget_lease()
            except StoreUnavailable:
                lost += 1
                if lost > _LOST_ANSWERS:
                    raise
            except Conflict:
                if attempt == _ATTEMPTS - 1:
                    raise
            await asyncio.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311  # jitter
        raise Conflict("the answers' lease kept ending")

    async def _commit(self, request_id: str, print_: str, proposal: Proposal[M]) -> M:
        compare, put = await self._requests.writing(request_id, Answer(print_, proposal.answer.SerializeToString()))
        revision = await self.store.commit([compare, *proposal.compares], [put, *proposal.writes])
        await self._cache.reached(revision)
        return _stamp(proposal.answer, revision)

    async def _find(self, request_id: str, print_: str, kind: type[M]) -> M | None:
        found = await self._requests.find(request_id)
        if found is None:
            return None
        answer, revision = found
        if answer.fingerprint != print_:
            reason = "was used before for another call or with other arguments; choose a fresh one for each call"
            raise InvalidInput([Violation("request_id", reason)])
        await self._cache.reached(revision)
        return _stamp(kind.FromString(answer.payload), revision)


def _fingerprint(request: Any) -> str:
    bare = type(request)()
    bare.CopyFrom(request)
    bare.ClearField("request_id")
    return fingerprint(type(request).DESCRIPTOR.full_name, bare.SerializeToString(deterministic=True))


def _stamp(answer: M, revision: int) -> M:
    if "revision" in answer.DESCRIPTOR.fields_by_name:
        answer.revision = revision  # type: ignore[attr-defined]  # just looked up
    return answer
