"""The few calls of etcd that the control plane makes, each bounded in time, with the store's own errors.

The channels are made here (members.py), not by etcd3aio: its reconnect backoff grows to two minutes and its answers end at 4 MiB.
"""

import asyncio
import contextlib
import copy
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from etcd3aio.errors import EtcdError
from etcd3aio.kv import KVService, SortOrder

from controlplane.store import keys
from controlplane.store.errors import (
    Conflict,
    Deposed,
    LeaseLost,
    StoreRefused,
    StoreUnavailable,
    TimedOut,
    TooLarge,
    from_grpc,
)
from controlplane.store.members import Member, Members

T = TypeVar("T")

CALL_TIMEOUT_S = 2.5
_MEMBER_TIMEOUT_S = 1.5  # of a call that can be repeated at the next member
_ELECTION_S = 3.0  # etcd elects within one or two
_PAUSE_S = 0.05
_PAGE = 256


@dataclass(frozen=True, slots=True)
class Item:
    """A key with its value; *revision* is that of its last change."""

    key: str
    value: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A range as it was at one revision of the store."""

    items: tuple[Item, ...]
    revision: int
    cluster: int


@dataclass(frozen=True, slots=True)
class Change:
    """A watched key that was written, or deleted (*value* None) at *revision*."""

    key: str
    value: bytes | None
    revision: int


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Holds while the key's last change is *revision*; 0: while there is no such key."""

    key: str
    revision: int


@dataclass(frozen=True, slots=True)
class Present:
    """Holds while there is such a key."""

    key: str


@dataclass(frozen=True, slots=True)
class Put:
    """Writes a key; it lives as long as *lease*, or for ever (0)."""

    key: str
    value: bytes
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Delete:
    """Deletes a key, or every key that starts with it when it ends in "/"."""

    key: str


class Store:
    """A connection to etcd. Nothing is sent before the first call; an absent etcd is each call's StoreUnavailable.

    What can be repeated without harm is asked of one member after the other; a commit goes to one of them only.
    """

    def __init__(
        self, endpoints: Sequence[str], credentials: grpc.ChannelCredentials | None = None, *, server_name: str = ""
    ) -> None:
        """*endpoints* are the members', each host:port. With *credentials* by TLS; every member's certificate must then hold *server_name*."""
        self.endpoints = tuple(endpoints)
        self._members = Members(endpoints, credentials, server_name=server_name)
        self._fence: Unchanged | None = None

    async def close(self) -> None:
        await self._members.close()

    def fenced(self, fence: Unchanged) -> "Store":
        """Return this store as its leader's: every commit fails with Deposed once *fence* does not hold any more."""
        store = copy.copy(self)
        store._fence = fence  # noqa: SLF001  # of this class
        return store

    async def get(self, key: str) -> Item | None:
        answer = await self._ask("get", lambda member, timeout: member.kv.get(key, timeout=timeout))
        return _item(answer.kvs[0]) if answer.kvs else None

    async def list(self, start: str, end: str = "", *, keys_only: bool = False) -> Listing:
        """Return every key from *start* up to *end* (empty: those that start with *start*), all as of one revision."""
        items: list[Item] = []
        begin, revision, limit, cluster = start, 0, _PAGE, 0
        while True:
            try:
                answer = await self._page(
                    begin, end or keys.range_end(start), revision=revision, limit=limit, keys_only=keys_only
                )
            except TooLarge:
                if limit == 1:
                    raise
                limit = max(1, limit // 8)
                continue
            revision, cluster = revision or answer.header.revision, answer.header.cluster_id
            items += map(_item, answer.kvs)
            if not answer.more:
                return Listing(tuple(items), revision, cluster)
            begin = items[-1].key + "\0"

    async def _page(self, begin: str, end: str, *, revision: int, limit: int, keys_only: bool) -> Any:
        return await self._ask(
            "list",
            lambda member, timeout: member.kv.get(
                begin,
                end,
                revision=revision,
                limit=limit,
                sort_order=SortOrder.ASCEND,
                keys_only=keys_only,
                timeout=timeout,
            ),
        )

    async def commit(self, compares: Sequence[Unchanged | Present], writes: Sequence[Put | Delete]) -> int:
        """Do all *writes* if every compare holds, and return their revision. Raises Conflict when one does not, Deposed when the fence does not."""
        fence = [self._fence] if self._fence else []
        member = self._members.current
        with self._leaving(member), self._errors("commit"):
            # One attempt: after a lost answer only the caller can tell whether the transaction happened.
            answer = await member.kv.txn(
                [_compare(compare) for compare in (*fence, *compares)],
                [_operation(write) for write in writes],
                [KVService.txn_op_get(compare.key) for compare in fence],
                timeout=CALL_TIMEOUT_S,
            )
        if not answer.succeeded:
            if self._fence and not _holds(self._fence, answer.responses[0].response_range):
                raise Deposed(f"{self._fence.key} is not this leader's any more")
            raise Conflict("the records have changed in the meantime")
        return int(answer.header.revision)

    async def grant(self, ttl_s: int) -> int:
        """Return a new lease that ends after *ttl_s* seconds without renewal."""
        answer = await self._ask("grant a lease", lambda member, timeout: member.lease.grant(ttl_s, timeout=timeout))
        return int(answer.ID)

    async def renew(self, lease: int) -> None:
        """Give *lease* its whole time again. Raises LeaseLost when it has ended."""
        answer = await self._ask("renew a lease", lambda member, timeout: _renewal(member, lease, timeout))
        if answer is None:
            raise StoreUnavailable("renew a lease: the stream ended without an answer")
        if answer.TTL <= 0:
            raise LeaseLost(f"lease {lease:x} has ended")

    async def revoke(self, lease: int) -> None:
        """End *lease* and delete the keys that are bound to it."""
        with contextlib.suppress(LeaseLost):
            await self._ask("revoke a lease", lambda member, timeout: member.lease.revoke(lease, timeout=timeout))

    async def compact(self, revision: int) -> None:
        """Forget the history before *revision*."""
        await self._ask("compact", lambda member, timeout: member.kv.compact(revision, timeout=timeout))

    async def watch(self, start: str, end: str, *, after: int) -> AsyncGenerator[tuple[Change, ...], None]:
        """Yield what changed from *start* up to *end* after revision *after*; the first is empty and says that the watch stands.

        It ends, without an error, whenever a change may have been missed: the stream broke, or the history was compacted away.
        """
        member = self._members.current
        departures = member.departures
        answers: AsyncIterator[Any] = member.watch.watch(start, end, start_revision=after + 1)
        try:
            while member.departures == departures and (answer := await self._answer(member, answers)) is not None:
                if answer.canceled or answer.compact_revision:
                    return
                yield tuple(_change(event) for event in answer.events)
        finally:
            await answers.aclose()  # type: ignore[attr-defined]  # it is an asynchronous generator, declared as less

    async def _answer(self, member: Member, answers: AsyncIterator[Any]) -> Any:
        try:
            with self._leaving(member), self._errors("watch"):
                async with asyncio.timeout(None) as bound:
                    with member.waiting(bound):
                        return await anext(answers, None)
        except StoreUnavailable:
            return None

    async def _ask(self, operation: str, call: Callable[[Member, float], Awaitable[T]]) -> T:
        """Do what can be done twice: once more, or with several members until they have had the time to elect a leader of theirs."""
        several = len(self._members) > 1
        timeout = _MEMBER_TIMEOUT_S if several else CALL_TIMEOUT_S
        give_up_at = time.monotonic() + (_ELECTION_S if several else 0.0)
        is_first = True
        while True:
            member = self._members.current
            try:
                with self._leaving(member), self._errors(operation):
                    async with asyncio.timeout(timeout):
                        return await call(member, timeout)
            except StoreUnavailable as error:
                once_more = is_first and not isinstance(error, TimedOut)
                if time.monotonic() >= give_up_at and not once_more:
                    raise
            is_first = False
            await asyncio.sleep(_PAUSE_S)

    @contextlib.contextmanager
    def _leaving(self, member: Member) -> Iterator[None]:
        try:
            yield
        except StoreUnavailable:
            self._members.failed(member)
            raise

    @contextlib.contextmanager
    def _errors(self, operation: str) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            raise from_grpc(error, operation) from error
        except EtcdError as error:
            cause = error.__cause__
            raise (
                from_grpc(cause, operation) if isinstance(cause, grpc.RpcError) else StoreRefused(str(error))
            ) from error
        except TimeoutError as error:
            raise TimedOut(f"{operation}: no answer from {', '.join(self.endpoints)} in time") from error


async def _renewal(member: Member, lease: int, timeout: float) -> Any:
    call = member.lease.keep_alive(lease)
    try:
        async with asyncio.timeout(timeout):
            return await anext(aiter(call), None)
    finally:
        call.cancel()


def _holds(compare: Unchanged, found: Any) -> bool:
    return bool(found.kvs and found.kvs[0].mod_revision == compare.revision)


def _item(kv: Any) -> Item:
    return Item(kv.key.decode(), kv.value, kv.mod_revision)


def _change(event: Any) -> Change:
    deleted = event.type == event.DELETE
    return Change(event.kv.key.decode(), None if deleted else event.kv.value, event.kv.mod_revision)


def _compare(compare: Unchanged | Present) -> Any:
    # etcd3aio builds compares on value, version and create_revision; the one on mod_revision is made from one of these.
    message = KVService.txn_compare_version(compare.key, 0)
    message.target = message.MOD
    match compare:
        case Unchanged(revision=revision):
            message.mod_revision = revision
        case Present():
            message.result = message.GREATER
            message.mod_revision = 0
    return message


def _operation(write: Put | Delete) -> Any:
    match write:
        case Put(key, value, lease):
            return KVService.txn_op_put(key, value, lease=lease)
        case Delete(key):
            return KVService.txn_op_delete(key, range_end=keys.range_end(key) if key.endswith("/") else None)
