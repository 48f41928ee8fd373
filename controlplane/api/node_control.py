"""The NodeControl service: one stream an agent. Reports come in; snapshots and bundles go out."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from controlplane.api import codec, validate
from controlplane.api.errors import Precondition, Unavailable
from controlplane.api.logs import Logs
from controlplane.api.publisher import Publisher
from controlplane.api.scheduled import Outbox, Scheduled
from controlplane.api.sessions import HealthRecord, Session, Sessions
from controlplane.api.streams import receive
from controlplane.model import Event, EventKind, Node, NodeReport
from controlplane.store import codec as records
from controlplane.store import events
from controlplane.store.bundles import CHUNK_BYTES, BundleStore
from controlplane.store.cache import Cache
from controlplane.store.client import Put, Store, Unchanged
from controlplane.store.errors import CodecError, Conflict, StoreUnavailable
from controlplane.store.keys import Key, Kind
from nearhop import log, names, tasks
from nearhop.errors import InvalidInput, Violation
from nearhop.v1 import node_control_pb2, node_control_pb2_grpc

_log = log.get(__name__)

_BUNDLES_AT_ONCE = 8  # over all sessions: each may hold a whole bundle in memory
_BUNDLES_PENDING = 10_000  # a session; a refusal would be final, and a fresh node asks for all it is to run
_RETRY_S = 0.5
_CATCH_UP_S = 3.0

Send = Callable[[node_control_pb2.NodeInstruction], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a Hello says."""

    node: Node
    report: NodeReport
    agent_version: str


class NodeControl(node_control_pb2_grpc.NodeControlServicer):
    def __init__(
        self,
        store: Store,
        cache: Cache,
        publisher: Publisher,
        bundles: BundleStore,
        sessions: Sessions,
        *,
        logs: Logs,
        scheduled: Scheduled,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._cache = cache
        self._publisher = publisher
        self._bundles = bundles
        self._sessions = sessions
        self._logs = logs
        self._scheduled = scheduled
        self._clock = clock
        self._loading = asyncio.Semaphore(_BUNDLES_AT_ONCE)

    async def Sync(self, _requests: Any, context: Any) -> None:  # type: ignore[override]  # the reader and writer form
        introduction = read_hello(await receive(context), now=self._clock())
        self._cache.current()
        session = await self._sessions.open(introduction.report)
        try:
            await self._serve(context, session, introduction)
        finally:
            self._sessions.close(session)

    async def _serve(self, context: Any, session: Session, introduction: Introduction) -> None:
        await self._require_known_past(introduction)
        health = HealthRecord(self._store, session, self._sessions.beat, lambda: self._cache.view)
        await health.begin()
        try:
            await self._catch_up(health.revision)
            await self._register(introduction.node, health)
            _log.info(
                "a node has connected", node=session.node, instance=session.instance, agent=introduction.agent_version
            )
            await self._converse(context, session, health, introduction.report.snapshot_revision)
        finally:
            self._sessions.close(
                session
            )  # before the lease: with etcd gone that takes its time, and the agent may be back
            _log.info("a node has disconnected", node=session.node, instance=session.instance)
            if not self._sessions.stopping:
                await health.finish()

    async def _converse(self, context: Any, session: Session, health: HealthRecord, known: int) -> None:
        writing = asyncio.Lock()

        async def send(instruction: node_control_pb2.NodeInstruction) -> None:
            async with writing:
                await context.write(instruction)

        wanted: asyncio.Queue[str] = asyncio.Queue(_BUNDLES_PENDING)
        beat = self._sessions.beat
        await send(_welcome(session, beat.heartbeat_interval_s, beat.lease_ttl_s))
        with self._scheduled.outbox(session) as box:
            async with asyncio.TaskGroup() as group:
                others = [
                    tasks.spawn(group, work, name=f"session {session.node}: {name}")
                    for name, work in (
                        ("end", session.ended()),
                        ("health", health.run()),
                        ("snapshots", self._push(session.node, known, send)),
                        ("bundles", self._send_bundles(wanted, send)),
                        ("log interest", self._send_log_interest(send)),
                        ("scheduled calls", self._send_scheduled(box, send)),
                        ("scheduled results", self._scheduled.settle(box)),
                    )
                ]
                await self._listen(context, session, wanted, box, send)
                for task in others:
                    task.cancel()

    async def _listen(
        self, context: Any, session: Session, wanted: asyncio.Queue[str], box: Outbox, send: Send
    ) -> None:
        while (message := await receive(context)) is not None:
            match message.WhichOneof("message"):
                case "report":
                    session.hear(
                        codec.read_report(
                            message.report, node=session.node, instance=session.instance, now=self._clock()
                        )
                    )
                case "bundle_request":
                    try:
                        wanted.put_nowait(message.bundle_request.digest)
                    except asyncio.QueueFull:
                        await send(_refusal(message.bundle_request.digest, "too many bundles were asked for at once"))
                case "log":
                    self._logs.heard(session.node, message.log)
                case "scheduled_result":
                    box.hear(message.scheduled_result)
                case "hello":
                    raise InvalidInput([Violation("hello", "was said already")])
                case _:
                    continue  # of a newer agent: nothing that this control plane could answer

    async def _push(self, node: str, known: int, send: Send) -> None:
        desired = self._publisher.current()
        while node not in desired.draining:  # it has just joined: an empty snapshot would stop what it runs
            desired = await self._publisher.newer(desired)
        # *known* is what another control plane has called the same or an older state: this one's cache is past it (_catch_up).
        sent = desired.snapshot(node, not_before=known)
        await send(node_control_pb2.NodeInstruction(snapshot=sent))
        while True:
            desired = await self._publisher.newer(desired)
            snapshot = desired.snapshot(node)
            if snapshot.revision > sent.revision and not _same_content(snapshot, sent):
                await send(node_control_pb2.NodeInstruction(snapshot=snapshot))
                sent = snapshot

    async def _send_log_interest(self, send: Send) -> None:
        told: frozenset[str] = frozenset()
        while True:
            told = await self._logs.other(told)
            interest = node_control_pb2.LogInterest(functions=sorted(told))
            await send(node_control_pb2.NodeInstruction(log_interest=interest))

    async def _send_scheduled(self, box: Outbox, send: Send) -> None:
        while True:
            event = await self._scheduled.claim(box)
            await send(node_control_pb2.NodeInstruction(scheduled=event))

    async def _send_bundles(self, wanted: asyncio.Queue[str], send: Send) -> None:
        while True:
            digest = await wanted.get()
            async with self._loading:
                await self._send_bundle(digest, send)

    async def _send_bundle(self, digest: str, send: Send) -> None:
        try:
            data = await self._load(digest)
        except CodecError as error:
            _log.error("a bundle cannot be read", digest=digest, error=str(error))
            await send(_refusal(digest, str(error)))
            return
        if data is None:
            await send(_refusal(digest, "there is no such bundle"))
            return
        for offset in range(0, len(data), CHUNK_BYTES):
            part = data[offset : offset + CHUNK_BYTES]
            chunk = node_control_pb2.BundleChunk(
                digest=digest, offset=offset, data=part, last=offset + len(part) == len(data)
            )
            await send(node_control_pb2.NodeInstruction(bundle_chunk=chunk))

    async def _load(self, digest: str) -> bytes | None:
        if names.digest_reasons(digest):
            return None
        while True:
            try:
                return await self._bundles.get(digest)
            except StoreUnavailable:
                await asyncio.sleep(_RETRY_S)  # a refusal would be final; the agent can wait

    async def _require_known_past(self, introduction: Introduction) -> None:
        said = introduction.report.snapshot_revision
        if said <= self._cache.view.revision:
            return
        listing = await self._store.list(f"/nearhop/nodes/{introduction.node.id}/")
        if said > listing.revision:
            raise Precondition(
                "SNAPSHOT_FROM_THE_FUTURE",
                f"the agent has a snapshot of revision {said}, and the store is at {listing.revision}: it is another store, or one restored from "
                "a backup; remove the agent's spooled snapshot to make it start anew",
            )

    async def _catch_up(self, revision: int) -> None:
        """Wait until the cache holds *revision*, at which the node was taken: what is derived from it is no older than what the node has."""
        await self._cache.reached(revision, timeout=_CATCH_UP_S)
        if self._cache.view.revision < revision:
            message = (
                f"this control plane has seen the store up to revision {self._cache.view.revision} only, not {revision}"
            )
            raise Unavailable("CONTROL_PLANE_BEHIND", message)

    async def _register(self, introduced: Node, health: HealthRecord) -> None:
        path = str(Key(Kind.NODES, introduced.id))
        for _ in range(5):
            item = await self._store.get(path)
            known = None if item is None else records.decode(Node, item.value)
            if known is not None and (node := _keeping(introduced, known)) == known:
                break
            node = introduced if known is None else node
            joined = events.puts(_joined(node, self._clock())) if known is None else []
            with contextlib.suppress(Conflict):
                revision = await self._store.commit(
                    [health.owned, Unchanged(path, item.revision if item else 0)],
                    [Put(path, records.encode(node)), *joined],
                )
                await self._cache.reached(revision)
                break
        else:
            raise Conflict(f"the record of node {introduced.id} kept changing")
        self._warn_of_twins(introduced)

    def _warn_of_twins(self, node: Node) -> None:
        mine = {(address, node.ingress.port) for address in node.ingress.ipv4 + node.ingress.ipv6}
        for other in self._cache.view.nodes.values():
            ingress = other.record.ingress
            theirs = {(address, ingress.port) for address in ingress.ipv4 + ingress.ipv6}
            if other.record.id != node.id and mine & theirs:
                _log.warning("two nodes have the same ingress address", node=node.id, other=other.record.id)


def read_hello(message: Any, *, now: float) -> Introduction:
    """Return what the first message of a stream says. Raises InvalidInput with every wrong field."""
    if message is None or not message.HasField("hello"):
        raise InvalidInput([Violation("hello", "must be the first message")])
    hello = message.hello
    check = validate.Check()
    check.add("hello.node", names.node_id_reasons(hello.node))
    check.add("hello.region", names.region_reasons(hello.region))
    check.add("hello.site", names.label_reasons(hello.site) if hello.site else [])
    check.add("hello.instance", names.request_id_reasons(hello.instance))
    check.length("hello.agent_version", hello.agent_version, 64)
    if not hello.HasField("location"):
        check.add("hello.location", ["must be given: it is what clients are sent by"])
    location = validate.location(check, "hello.location", hello.location)
    ingress = validate.ingress(check, "hello.ingress", hello.ingress)
    check.raise_if_any()
    return Introduction(
        Node(hello.node, hello.region, hello.site, location, ingress),
        NodeReport(hello.node, hello.instance, hello.snapshot_revision, reported_at=now),
        hello.agent_version,
    )


def _joined(node: Node, now: float) -> Event:
    message = f"introduced itself for the first time, in region {node.region}"
    return Event(EventKind.NODE_JOINED, now, message, node=node.id, region=node.region)


def _keeping(introduced: Node, known: Node) -> Node:
    """Return the node as it introduces itself now, with what an operator has said of it."""
    return Node(
        introduced.id, introduced.region, introduced.site, introduced.location, introduced.ingress, known.draining
    )


def _same_content(snapshot: node_control_pb2.Snapshot, other: node_control_pb2.Snapshot) -> bool:
    revision, snapshot.revision = snapshot.revision, other.revision
    same = snapshot == other
    snapshot.revision = revision
    return same


def _welcome(session: Session, heartbeat_interval_s: float, lease_ttl_s: float) -> node_control_pb2.NodeInstruction:
    return node_control_pb2.NodeInstruction(
        welcome=node_control_pb2.Welcome(
            session=session.id, heartbeat_interval_s=heartbeat_interval_s, lease_ttl_s=lease_ttl_s
        )
    )


def _refusal(digest: str, reason: str) -> node_control_pb2.NodeInstruction:
    return node_control_pb2.NodeInstruction(
        bundle_refusal=node_control_pb2.BundleRefusal(digest=digest[:64], reason=reason)
    )
