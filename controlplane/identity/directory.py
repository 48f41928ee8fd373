"""The control plane's copy of who is known: follows the store, authenticates callers, and says at any time whether a caller still holds.

With the store gone the last copy stays in force.
"""

import asyncio
import contextlib
import dataclasses
import random
from collections.abc import Callable

from controlplane.identity import tokens
from controlplane.identity.joining import revocation
from controlplane.identity.principal import Anonymous, ApiCaller, PartCaller, Principal
from controlplane.identity.records import (
    PARTS,
    ROOT,
    TOKENS,
    ApiTokenRecord,
    PartRecord,
    decode,
    encode,
    part_key,
    token_key,
)
from controlplane.store import keys
from controlplane.store.client import Put, Store, Unchanged
from controlplane.store.errors import CodecError, Conflict, StoreError
from nearhop import log, tasks

_log = log.get(__name__)

RELIST_S = 5.0  # a watch that went silent must not keep a revocation from its 10 seconds
_RETRY_S = 1.0
_USED_STEP_S = 60.0  # last_used_at is told to the minute
_ASKING = 8  # unknown tokens at a time: whoever guesses must not crowd the store


class Directory:
    """Known parts and API tokens. *changed* is set at every change; whoever waits for it clears it."""

    def __init__(self, store: Store, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._values: dict[str, PartRecord | ApiTokenRecord] = {}
        self._used: dict[str, float] = {}
        self._asking = asyncio.Semaphore(_ASKING)
        self.changed = asyncio.Event()

    async def authenticate(self, text: str) -> Principal:
        """Return the holder of the API token *text*, or nobody with the reason. Raises StoreError when only the store could tell."""
        presented = tokens.parse_api(text)
        if presented is None:
            return Anonymous("this is no API token")
        record = self._values.get(token_key(presented.id)) or await self._fetch(presented.id)
        if not isinstance(record, ApiTokenRecord) or not tokens.matches(presented, record.digest):
            return Anonymous("the API token is unknown: never made, or revoked")
        caller = ApiCaller(record.id, record.name, record.role, frozenset(record.functions), record.expires_at)
        if reason := self.refusal(caller):
            return Anonymous(reason)
        self._used[record.id] = self._clock()
        return caller

    def refusal(self, caller: Principal) -> str:
        """Say why *caller* no longer holds; empty while it does."""
        match caller:
            case ApiCaller():
                if token_key(caller.token_id) not in self._values:
                    return "the API token is unknown: never made, or revoked"
                if caller.expires_at is not None and self._clock() >= caller.expires_at:
                    return f"the API token {caller.name!r} has expired"
            case PartCaller():
                if self._clock() >= caller.not_after:
                    return f"the certificate of {caller} has expired"
                known = self._values.get(part_key(caller.part))
                if isinstance(known, PartRecord):
                    return revocation(known, caller)
            case Anonymous():
                pass  # has nothing that could end
        return ""

    async def run(self) -> None:
        """Follow the store until cancelled."""
        async with asyncio.TaskGroup() as group:
            tasks.spawn(group, self._follow(), name="directory")
            tasks.spawn(group, self._note_uses(), name="token uses")

    async def load(self) -> int:
        """Read everything anew, and return the revision that was read. Raises StoreError."""
        listing = await self._store.list(ROOT)
        values: dict[str, PartRecord | ApiTokenRecord] = {}
        for item in listing.items:
            value = self._read(item.key, item.value) or self._values.get(item.key)
            if value is not None:
                values[item.key] = value
        self._replace(values)
        return listing.revision

    async def _follow(self) -> None:
        while True:
            try:
                revision = await self.load()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RELIST_S * random.uniform(0.8, 1.0)):  # noqa: S311  # jitter
                        await self._watch(revision)
            except StoreError as error:
                _log.warning("identities cannot be read; the last known ones stay", error=str(error))
                await asyncio.sleep(_RETRY_S * random.uniform(0.5, 1.0))  # noqa: S311  # jitter

    async def _watch(self, revision: int) -> None:
        changes = self._store.watch(ROOT, keys.range_end(ROOT), after=revision)
        async with contextlib.aclosing(changes):
            async for batch in changes:
                values = dict(self._values)
                for change in batch:
                    if change.value is None:
                        values.pop(change.key, None)
                    elif (value := self._read(change.key, change.value)) is not None:
                        values[change.key] = value
                self._replace(values)

    def _replace(self, values: dict[str, PartRecord | ApiTokenRecord]) -> None:
        if values != self._values:
            self._values = values
            self.changed.set()

    def _read(self, key: str, value: bytes) -> PartRecord | ApiTokenRecord | None:
        try:
            if key.startswith(PARTS):
                return decode(PartRecord, value)
            if key.startswith(TOKENS):
                return decode(ApiTokenRecord, value)
        except CodecError as error:
            _log.error("a record cannot be read; its last good value stays", key=key, error=str(error))
        return None

    async def _fetch(self, token_id: str) -> ApiTokenRecord | None:
        # Made a moment ago through another control plane, perhaps.
        key = token_key(token_id)
        async with self._asking:
            item = await self._store.get(key)
        value = self._read(key, item.value) if item else None
        if not isinstance(value, ApiTokenRecord):
            return None
        self._values[key] = value
        return value

    async def _note_uses(self) -> None:
        while True:
            await asyncio.sleep(_USED_STEP_S * random.uniform(0.4, 0.6))  # noqa: S311  # jitter
            used, self._used = self._used, {}
            for token_id, at in used.items():
                try:
                    await self.note_use(token_id, at)
                except StoreError as error:
                    _log.warning("a token's last use was not noted", token=token_id, error=str(error))

    async def note_use(self, token_id: str, at: float) -> None:
        """Note that a token was used at *at*, unless it was noted within the minute, or is gone. Raises StoreError."""
        key = token_key(token_id)
        item = await self._store.get(key)
        if item is None:
            return
        record = decode(ApiTokenRecord, item.value)
        if record.last_used_at is not None and at < record.last_used_at + _USED_STEP_S:
            return
        with contextlib.suppress(Conflict):  # another control plane has noted a use just now, or the token was revoked
            await self._store.commit(
                [Unchanged(key, item.revision)], [Put(key, encode(dataclasses.replace(record, last_used_at=at)))]
            )
