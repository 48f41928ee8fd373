"""One leader among several control planes, by a key under the leader's lease: whoever makes the key leads until its lease ends.

The revision of the key is the term. Every write of a leader carries a compare on it (Store.fenced), so that one that was paused for longer than its
lease, and does not know yet that it was followed, changes nothing. The clock only makes a leader stop early; safety does not rest on it.
"""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any

from controlplane.store import keys
from controlplane.store.client import Put, Store, Unchanged
from controlplane.store.errors import Conflict, Deposed, LeaseLost, StoreError, StoreUnavailable
from nearhop import log, tasks

_log = log.get(__name__)

TTL_S = 4  # etcd grants no lease under 2 s, and its own elections take one
_RETRY_S = 0.5
_RESIGN_S = 2.0
_SCHEMA = "leader/1"

Work = Callable[[Store], Coroutine[Any, Any, None]]


class Election:
    """Candidate *candidate* for the work of one controller. *leads* tells whether it leads now, as far as it knows."""

    def __init__(self, store: Store, controller: str, candidate: str, *, ttl_s: int = TTL_S) -> None:
        self._store = store
        self._key = keys.leader(controller)
        self._controller = controller
        self._candidate = candidate
        self._ttl_s = ttl_s
        self.leads = asyncio.Event()
        self.terms = 0

    async def run(self, work: Work) -> None:
        """Do *work*, with a store that is fenced by the term, whenever this candidate leads; until cancelled."""
        while True:
            try:
                await self._campaign(work)
            except Conflict:
                _log.debug("another candidate was first", controller=self._controller)
            except StoreError as error:
                _log.warning("no election without the store", controller=self._controller, error=str(error))
            # Several that wait for the same key must not always grasp at it together.
            await asyncio.sleep(_RETRY_S * random.uniform(0.1, 1.0))  # noqa: S311  # jitter

    async def _campaign(self, work: Work) -> None:
        if (found := await self._store.get(self._key)) is not None:
            await self._gone(found.revision)
            return
        await self._grasp(work)

    async def _grasp(self, work: Work) -> None:
        granted_at = time.monotonic()
        lease = await self._store.grant(self._ttl_s)
        try:
            # Lost races and lost answers alike end here: what was made without our knowing ends with the lease.
            term = await self._store.commit([Unchanged(self._key, 0)], [Put(self._key, self._value(), lease)])
            await self._lead(work, Unchanged(self._key, term), lease, granted_at)
        finally:
            await self._resign(lease)

    async def _lead(self, work: Work, fence: Unchanged, lease: int, renewed_at: float) -> None:
        self.terms += 1
        _log.info("this control plane leads", controller=self._controller, term=fence.revision)
        self.leads.set()
        try:
            async with asyncio.TaskGroup() as group:
                working = tasks.spawn(group, work(self._store.fenced(fence)), name=f"{self._controller}: term")
                await self._hold(fence, lease, renewed_at)
                working.cancel()
        except* Deposed:
            pass  # a write was refused before the lease was missed
        finally:
            self.leads.clear()
            _log.info("this control plane leads no more", controller=self._controller, term=fence.revision)

    async def _hold(self, fence: Unchanged, lease: int, renewed_at: float) -> None:
        """Return when the term is over: the lease has ended, or might have, or the key is another's."""
        while True:
            # Reckoned from before the renewal was sent: etcd's clock for this lease began later.
            until = asyncio.get_running_loop().time() + renewed_at + self._ttl_s - time.monotonic()
            try:
                async with asyncio.timeout_at(until):
                    await asyncio.sleep(self._ttl_s / 3)
                    renewed_at = await self._renewed(fence, lease)
            except (TimeoutError, LeaseLost, Deposed):
                return

    async def _renewed(self, fence: Unchanged, lease: int) -> float:
        while True:
            began = time.monotonic()
            try:
                await self._store.renew(lease)
                found = await self._store.get(self._key)
            except StoreUnavailable:
                await asyncio.sleep(0.1)
                continue
            if found is None or found.revision != fence.revision:
                raise Deposed(f"{self._key} is another's")
            return began

    async def _resign(self, lease: int) -> None:
        try:
            async with asyncio.timeout(_RESIGN_S):
                await self._store.revoke(lease)
        except (StoreError, TimeoutError) as error:
            _log.warning(
                "a lease could not be revoked; it ends by itself", controller=self._controller, error=str(error)
            )

    async def _gone(self, revision: int) -> None:
        """Return when the leader's key was deleted, or in any case after a while."""
        changes = self._store.watch(self._key, self._key + "\0", after=revision)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._ttl_s), contextlib.aclosing(changes):
                async for batch in changes:
                    if any(change.value is None for change in batch):
                        return

    def _value(self) -> bytes:
        return json.dumps({"schema": _SCHEMA, "record": {"candidate": self._candidate}}).encode()


def leader(value: bytes) -> str:
    """Return the candidate that a leader's key names."""
    return str(json.loads(value)["record"]["candidate"])
