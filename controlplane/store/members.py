"""The members of the etcd cluster: a connection to each, one of them in use until it fails a call.

Each has a channel of its own, so that hostnames are resolved again by gRPC itself, and so that a member that hangs is left for the next.
"""

import asyncio
import contextlib
import random
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
from etcd3aio.kv import KVService
from etcd3aio.lease import LeaseService
from etcd3aio.watch import WatchService

_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),  # also how long one attempt to connect may take
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.use_local_subchannel_pool", 1),
]


class Watch(WatchService):
    """Raises at the first break, so that the next watch can go to another member; etcd3aio's own would knock at the same one for ever.

    etcd ends it when the member loses its leader: behind a partition it would be silent.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        super().__init__(channel, max_attempts=1)
        self._metadata = (("hasleader", "true"),)

    @staticmethod
    def _is_transient_error(exc: grpc.aio.AioRpcError) -> bool:  # noqa: ARG004  # etcd3aio's signature
        return False


class Member:
    """One member's services. Each call is attempted once."""

    def __init__(self, endpoint: str, channel: grpc.aio.Channel) -> None:
        self.endpoint = endpoint
        self.kv = KVService(channel, max_attempts=1)
        self.lease = LeaseService(channel, max_attempts=1)
        self.watch = Watch(channel)
        self.departures = 0  # how often it was left
        self._channel = channel
        self._waiting: set[asyncio.Timeout] = set()

    @contextlib.contextmanager
    def waiting(self, bound: asyncio.Timeout) -> Iterator[None]:
        """Let *bound* run out when the member is left, as long as the context lasts."""
        self._waiting.add(bound)
        try:
            yield
        finally:
            self._waiting.discard(bound)

    def leave(self) -> None:
        """Wake those who wait for this member."""
        self.departures += 1
        for bound in self._waiting:
            bound.reschedule(asyncio.get_running_loop().time())

    async def close(self) -> None:
        await self._channel.close(None)


class Members:
    """All members, the one in use first of all a random one: several control planes spread over them."""

    def __init__(
        self, endpoints: Sequence[str], credentials: grpc.ChannelCredentials | None = None, *, server_name: str = ""
    ) -> None:
        self._members = [Member(endpoint, _channel(endpoint, credentials, server_name)) for endpoint in endpoints]
        self._turn = random.randrange(len(self._members))  # noqa: S311  # no secret

    def __len__(self) -> int:
        return len(self._members)

    @property
    def current(self) -> Member:
        return self._members[self._turn]

    def failed(self, member: Member) -> None:
        """Go on to the next member, unless somebody else has left *member* already."""
        if member is self.current and len(self) > 1:
            self._turn = (self._turn + 1) % len(self)
            member.leave()

    async def close(self) -> None:
        for member in self._members:
            await member.close()


def _channel(endpoint: str, credentials: grpc.ChannelCredentials | None, server_name: str) -> grpc.aio.Channel:
    target = f"dns:///{endpoint}"
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=_OPTIONS)
    options = [*_OPTIONS, ("grpc.ssl_target_name_override", server_name)]
    return grpc.aio.secure_channel(target, credentials, options=options)
