"""The few calls of etcd that the control plane makes, each bounded in time, with the store's own errors.

The channel is made here, not by etcd3aio: its reconnect backoff grows to two minutes and its answers end at 4 MiB.
"""

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from etcd3aio.errors import EtcdError
from etcd3aio.kv import KVService, SortOrder
from etcd3aio.lease import LeaseService
from etcd3aio.watch import WatchService

from controlplane.store import keys
from controlplane.store.errors import Conflict, LeaseLost, StoreRefused, StoreUnavailable, TooLarge, from_grpc
from nearhop.errors import InvalidInput, Violation

CALL_TIMEOUT_S = 2.5
_PAGE = 256
_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),  # also how long one attempt to connect may take
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.use_local_subchannel_pool", 1),
]


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
    """A connection to etcd. Nothing is sent before the first call; an absent etcd is each call's StoreUnavailable."""

    def __init__(
        self, endpoints: Sequence[str], credentials: grpc.ChannelCredentials | None = None, *, server_name: str = ""
    ) -> None:
        """With *credentials* by TLS; every member's certificate must then hold *server_name*."""
        self.endpoints = tuple(endpoints)
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(target(endpoints), options=_OPTIONS)
        else:
            options = [*_OPTIONS, ("grpc.ssl_target_name_override", server_name)]
            self._channel = grpc.aio.secure_channel(target(endpoints), credentials, options=options)
        self._kv = KVService(self._channel)
        self._lease = LeaseService(self._channel)
        self._watch = WatchService(self._channel, max_reconnect_backoff_seconds=1.0)

    async def close(self) -> None:
        await self._channel.close(None)

    async def get(self, key: str) -> Item | None:
        with self._errors("get"):
            answer = await self._kv.get(key, timeout=CALL_TIMEOUT_S)
        return _item(answer.kvs[0]) if answer.kvs else None

    async def list(self, start: str, end: str = "", *, keys_only: bool = False) -> Listing:
        """Return every key from *start* up to *end* (empty: those that start with *start*), all as of one revision."""
        items: list[Item] = []
        begin, revision, limit, cluster = start, 0, _PAGE, 0
        while True:
            try:
                with self._errors("list"):
                    answer = await self._kv.get(
                        begin,
                        end or keys.range_end(start),
                        revision=revision,
                        limit=limit,
                        sort_order=SortOrder.ASCEND,
                        keys_only=keys_only,
                        timeout=CALL_TIMEOUT_S,
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

    async def commit(self, compares: Sequence[Unchanged | Present], writes: Sequence[Put | Delete]) -> int:
        """Do all *writes* if every compare holds, and return their revision. Raises Conflict when one does not."""
        with self._errors("commit"):
            # One attempt: after a lost answer only the caller can tell whether the transaction happened.
            answer = await self._kv.txn(
                [_compare(compare) for compare in compares],
                [_operation(write) for write in writes],
                timeout=CALL_TIMEOUT_S,
                max_attempts=1,
            )
        if not answer.succeeded:
            raise Conflict("the records have changed in the meantime")
        return int(answer.header.revision)

    async def grant(self, ttl_s: int) -> int:
        """Return a new lease that ends after *ttl_s* seconds without renewal."""
        with self._errors("grant a lease"):
            return int((await self._lease.grant(ttl_s, timeout=CALL_TIMEOUT_S)).ID)

    async def renew(self, lease: int) -> None:
        """Give *lease* its whole time again. Raises LeaseLost when it has ended."""
        call = self._lease.keep_alive(lease)
        try:
            with self._errors("renew a lease"):
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    answer = await anext(aiter(call), None)
        finally:
            call.cancel()
        if answer is None:
            raise StoreUnavailable("renew a lease: the stream ended without an answer")
        if answer.TTL <= 0:
            raise LeaseLost(f"lease {lease:x} has ended")

    async def revoke(self, lease: int) -> None:
        """End *lease* and delete the keys that are bound to it."""
        with contextlib.suppress(LeaseLost), self._errors("revoke a lease"):
            await self._lease.revoke(lease, timeout=CALL_TIMEOUT_S)

    async def compact(self, revision: int) -> None:
        """Forget the history before *revision*."""
        with self._errors("compact"):
            await self._kv.compact(revision, timeout=CALL_TIMEOUT_S)

    async def watch(self, start: str, end: str, *, after: int) -> AsyncGenerator[tuple[Change, ...], None]:
        """Yield what changed from *start* up to *end* after revision *after*; the first is empty and says that the watch stands.

        It ends, without an error, whenever a change may have been missed: the stream broke, or the history was compacted away.
        """
        stands = False
        answers: AsyncIterator[Any] = self._watch.watch(start, end, start_revision=after + 1)
        try:
            with self._errors("watch"):
                async for answer in answers:
                    # etcd3aio reconnects by itself, and resumes where it believes to have been: a second `created` is a gap.
                    if answer.canceled or answer.compact_revision or (answer.created and stands):
                        return
                    stands = True
                    yield tuple(_change(event) for event in answer.events)
        finally:
            await answers.aclose()  # type: ignore[attr-defined]  # it is an asynchronous generator, declared as less

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
            raise StoreUnavailable(f"{operation}: no answer from {', '.join(self.endpoints)} in time") from error


def target(endpoints: Sequence[str]) -> str:
    """Return gRPC's name for *endpoints*, each host:port. Several must be addresses, since gRPC resolves one name only."""
    hosts = [endpoint.rpartition(":")[0].strip("[]") for endpoint in endpoints]
    versions = {_ip_version(host) for host in hosts}
    if versions in ({4}, {6}):
        return f"ipv{versions.pop()}:{','.join(endpoints)}"
    if len(endpoints) == 1:
        return f"dns:///{endpoints[0]}"
    raise InvalidInput([Violation("etcd", "several endpoints must all be IPv4 or all IPv6 addresses with a port")])


def _ip_version(host: str) -> int:
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return 0


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
