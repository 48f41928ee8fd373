"""The agents' sessions: who is connected, which of two agents of one name stays, and each one's lease and report in the store.

The report in the store says who owns the node: its agent's process (instance) and the stream (session) that the agent has opened last, on whichever
control plane. Another process is refused while the owner's lease lives; the same process takes over at once, and the older session ends.
"""

import asyncio
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from controlplane.api.errors import Aborted, AlreadyExists, Refusal
from controlplane.model import NodeReport
from controlplane.store import codec
from controlplane.store.client import Item, Put, Store, Unchanged
from controlplane.store.errors import CodecError, Conflict, LeaseLost, StoreError
from controlplane.store.keys import Key, Kind
from controlplane.store.view import View
from nearhop import log

_log = log.get(__name__)

_TAKEOVER_S = 1.0  # how long a newcomer waits for the end of a session whose process may have just died
_LOOK_AGAIN_S = 0.1
_VALUE_BYTES = 1 << 20  # etcd refuses requests over 1.5 MiB


@dataclass(frozen=True, slots=True)
class Beat:
    """How often agents report, how long their lease lives without, how often a report is written that says nothing new."""

    heartbeat_interval_s: float = 2.0
    lease_ttl_s: float = 6.0
    rewrite_s: float = 10.0


class Session:
    """One agent's stream. *report* is the last one, *heard_at* its monotonic time."""

    def __init__(self, report: NodeReport) -> None:
        self.node = report.node
        self.instance = report.instance
        self.id = secrets.token_hex(8)
        self.report = replace(report, session=self.id)
        self.heard_at = time.monotonic()
        self.reported = asyncio.Event()
        self.closed = asyncio.Event()
        self._end: asyncio.Future[Refusal] = asyncio.get_running_loop().create_future()

    def hear(self, report: NodeReport) -> None:
        self.report = replace(report, session=self.id)
        self.heard_at = time.monotonic()
        self.reported.set()

    def end(self, why: Refusal) -> None:
        """Ask the stream to end with *why*."""
        if not self._end.done():
            self._end.set_result(why)

    async def ended(self) -> None:
        """Wait until the stream is asked to end, and raise the reason."""
        raise await self._end


class Sessions:
    """The sessions of this control plane, one a node."""

    def __init__(self, beat: Beat) -> None:
        self.beat = beat
        self.stopping = False
        self._live: dict[str, Session] = {}
        self._last: dict[str, NodeReport] = {}

    def __len__(self) -> int:
        return len(self._live)

    def holds(self, node: str) -> bool:
        """Tell whether *node*'s session is here."""
        return node in self._live

    def report(self, node: str, stored: NodeReport | None = None) -> NodeReport | None:
        """Return the freshest report of *node*: of its session here, else the *stored* one of a session elsewhere, else the last one heard here."""
        live = self._live.get(node)
        return live.report if live else stored or self._last.get(node)

    async def open(self, hello: NodeReport) -> Session:
        """Begin a session. Raises AlreadyExists while another agent of the same name is alive."""
        while (other := self._live.get(hello.node)) is not None:
            if other.instance == hello.instance or self._overdue(other):
                other.end(Aborted("SESSION_REPLACED", "the agent has opened another session"))
                break
            try:
                async with asyncio.timeout(_TAKEOVER_S):
                    await other.closed.wait()
            except TimeoutError:
                raise _connected(hello.node) from None
        session = Session(hello)
        self._live[hello.node] = session
        return session

    def close(self, session: Session) -> None:
        self._last[session.node] = session.report
        session.closed.set()
        if self._live.get(session.node) is session:
            del self._live[session.node]

    def end_all(self, why: Refusal) -> None:
        """End every session because this control plane stops; the leases live on, the agents come back."""
        self.stopping = True
        for session in self._live.values():
            session.end(why)

    def _overdue(self, session: Session) -> bool:
        return time.monotonic() - session.heard_at > self.beat.lease_ttl_s


class HealthRecord:
    """A session's lease and its report in the store, under /nearhop/health/<id>.

    Written by compare: a session that finds another session's report there has lost its node and ends. *seen* tells what is there by the cache.
    """

    def __init__(self, store: Store, session: Session, beat: Beat, seen: Callable[[], View]) -> None:
        self._store = store
        self._session = session
        self._beat = beat
        self._seen = seen
        self._path = str(Key(Kind.HEALTH, session.node))
        self._lease = 0
        self._written: NodeReport | None = None
        self._renewed_at = 0.0
        self.revision = 0  # of the report's last write

    @property
    def owned(self) -> Unchanged:
        """A compare that holds while this session owns the node and has not written again."""
        return Unchanged(self._path, self.revision)

    async def begin(self) -> None:
        """Take a lease and write the first report. Raises AlreadyExists while another agent of this name is alive, wherever it is connected."""
        self._lease = await self._grant()
        try:
            await self._take()
        except BaseException:
            await self.finish()
            raise

    async def _take(self) -> None:
        give_up_at = time.monotonic() + _TAKEOVER_S
        while True:
            found = await self._store.get(self._path)
            if found is not None and self._instance(found) != self._session.instance:
                if time.monotonic() >= give_up_at:
                    raise _connected(self._session.node)
                await asyncio.sleep(_LOOK_AGAIN_S)  # its stream may have ended just now
                continue
            self.revision = found.revision if found else 0
            try:
                return await self._write(self._session.report)
            except Conflict:
                if time.monotonic() >= give_up_at:
                    raise Aborted("SESSION_REPLACED", "another session of this node keeps writing") from None

    async def run(self) -> None:
        """Renew the lease at each report, write the report when it says something new; with etcd gone, try again at the next one."""
        failing = False
        while True:
            await self._session.reported.wait()
            self._session.reported.clear()
            try:
                await self._keep()
            except StoreError as error:
                if not failing:
                    _log.warning("a node's health cannot be written", node=self._session.node, error=str(error))
                failing = True
                await asyncio.sleep(self._beat.heartbeat_interval_s / 4)
                self._session.reported.set()
            else:
                failing = False
            await asyncio.sleep(0.01)  # an agent that floods costs a hundred writes a second, not thousands

    async def finish(self) -> None:
        """End the lease, so that everybody sees at once that the agent has gone."""
        try:
            await self._store.revoke(self._lease)
        except StoreError as error:
            _log.warning("a lease could not be revoked; it ends by itself", node=self._session.node, error=str(error))

    async def _keep(self) -> None:
        report = self._session.report
        try:
            if time.monotonic() - self._renewed_at >= self._beat.heartbeat_interval_s / 2:
                await self._store.renew(self._lease)
                self._renewed_at = time.monotonic()
            if self._is_lost():
                await self._rewrite(report)
            elif self._written is None or _says_more(report, self._written, self._beat.rewrite_s):
                await self._write(report)
        except LeaseLost:
            _log.info("a node's lease had ended; it gets a new one", node=self._session.node)
            self._lease = await self._grant()
            await self._rewrite(report)
        except Conflict:
            await self._rewrite(report)

    def _is_lost(self) -> bool:
        """Tell whether somebody else has written or deleted the record since this session did, as far as the cache knows."""
        view = self._seen()
        found = view.health.get(self._session.node)
        return view.revision >= self.revision and (found is None or found.record.session != self._session.id)

    async def _rewrite(self, report: NodeReport) -> None:
        found = await self._store.get(self._path)
        if found is not None and self._owner(found) not in (self._session.id, None):
            # By a session of another agent, or by a later one of this agent: it has no use for this one any more.
            raise Aborted("SESSION_REPLACED", f"another session of the node {self._session.node!r} has taken its place")
        self.revision = found.revision if found else 0
        await self._write(report)

    def _instance(self, item: Item) -> str:
        try:
            return codec.decode(NodeReport, item.value).instance
        except CodecError:
            return self._session.instance  # unreadable: this session's report repairs it

    def _owner(self, item: Item) -> str | None:
        try:
            return codec.decode(NodeReport, item.value).session
        except CodecError:
            return None

    async def _write(self, report: NodeReport) -> None:
        value = codec.encode(report)
        if len(value) > _VALUE_BYTES:
            value = codec.encode(replace(report, sandboxes=()))
        self.revision = await self._store.commit(
            [Unchanged(self._path, self.revision)], [Put(self._path, value, self._lease)]
        )
        self._written = report

    async def _grant(self) -> int:
        lease = await self._store.grant(max(1, math.ceil(self._beat.lease_ttl_s)))
        self._renewed_at = time.monotonic()
        return lease


def _connected(node: str) -> AlreadyExists:
    message = f"another agent with the id {node!r} is connected; ids must be unique, or end that agent first"
    return AlreadyExists("NODE_CONNECTED", message, node=node)


def _says_more(report: NodeReport, written: NodeReport, rewrite_s: float) -> bool:
    return _substance(report) != _substance(written) or report.reported_at - written.reported_at >= rewrite_s


def _substance(report: NodeReport) -> NodeReport:
    """Return *report* without what changes all the time."""
    sandboxes = tuple(replace(sandbox, memory_bytes=0, cpu_s=0.0, requests=0) for sandbox in report.sandboxes)
    return replace(report, sandboxes=sandboxes, load_1m=0.0, memory_available_bytes=0, reported_at=0.0)
