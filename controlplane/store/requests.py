"""Answers to mutating calls, kept by request_id so that a repeated call gets the first one's answer.

An answer is written in the transaction that it reports, under a lease that all answers of an hour share.
"""

import asyncio
import base64
import binascii
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from controlplane.store import keys
from controlplane.store.client import Put, Store, Unchanged
from controlplane.store.errors import CodecError

KEPT_S = 3600  # at least; at most twice that
_SCHEMA = "answer/1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; *fingerprint* tells which call with which arguments it was."""

    fingerprint: str
    payload: bytes


def fingerprint(method: str, arguments: bytes) -> str:
    """Return a digest of a call, the same for the same call only."""
    return hashlib.sha256(method.encode() + b"\0" + arguments).hexdigest()


class Requests:
    """Looks answers up and prepares their writing."""

    def __init__(self, store: Store, *, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._monotonic = monotonic
        self._lease = 0
        self._fresh_until = 0.0
        self._granting = asyncio.Lock()

    async def find(self, request_id: str) -> tuple[Answer, int] | None:
        """Return the answer and the revision of the transaction that it reports."""
        item = await self._store.get(keys.request(request_id))
        return None if item is None else (_decode(item.value), item.revision)

    async def writing(self, request_id: str, answer: Answer) -> tuple[Unchanged, Put]:
        """Return the compare (no answer yet) and the write to add to the transaction that *answer* reports."""
        key = keys.request(request_id)
        return Unchanged(key, 0), Put(key, _encode(answer), lease=await self._shared_lease())

    def forget_lease(self) -> None:
        """Take a new lease next time: etcd has lost this one."""
        self._fresh_until = 0.0

    async def _shared_lease(self) -> int:
        async with self._granting:
            if self._monotonic() >= self._fresh_until:
                self._lease = await self._store.grant(2 * KEPT_S)
                self._fresh_until = self._monotonic() + KEPT_S
            return self._lease


def _encode(answer: Answer) -> bytes:
    payload = base64.b64encode(answer.payload).decode()
    return json.dumps({"schema": _SCHEMA, "fingerprint": answer.fingerprint, "payload": payload}).encode()


def _decode(value: bytes) -> Answer:
    try:
        fields = json.loads(value)
        if fields["schema"] != _SCHEMA:
            raise CodecError(f"has the schema {fields['schema']!r} where {_SCHEMA!r} is expected")
        return Answer(fields["fingerprint"], base64.b64decode(fields["payload"]))
    except (ValueError, TypeError, KeyError, binascii.Error) as error:
        raise CodecError(f"not an answer: {error!r}") from error
