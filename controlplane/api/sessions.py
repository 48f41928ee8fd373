"""The agents' sessions: who is connected, which of two agents of one name stays, and each one's lease and report in the store."""

import asyncio
import math
import secrets
import time
from dataclasses import dataclass, replace

from controlplane.api.errors import Aborted, AlreadyExists, Refusal
from controlplane.model import NodeReport
from controlplane.store import codec
from controlplane.store.client import Item, Put, Store, Unchanged
from controlplane.store.errors import CodecError, Conflict, LeaseLost, StoreError
from controlplane.store.keys import Key, Kind
from nearhop import log

_log = log.get(__name__)

_TAKEOVER_S = 1.0  # how long a newcomer waits for the end of a session whose process may have just died
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
        self.report = report
        self.heard_at = time.monotonic()
        self.reported = asyncio.Event()
        self.closed = asyncio.Event()
        self._end: asyncio.Future[Refusal] = asyncio.get_running_loop().create_future()

    def hear(self, report: NodeReport) -> None:
        self.report = report
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

    def report(self, node: str) -> NodeReport | None:
        """Return the last report that this control plane has heard of *node*, fresher than the store's; None when it has heard none."""
        live = self._live.get(node)
        return live.report if live else self._last.get(node)

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
                message = f"another agent with the id {hello.node!r} is connected; ids must be unique, or end that agent first"
                raise AlreadyExists("NODE_CONNECTED", message, node=hello.node) from None
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

    Written by compare: a session that finds another instance's report there has lost its node and ends.
    """

    def __init__(self, store: Store, session: Session, beat: Beat) -> None:
        self._store = store
        self._session = session
        self._beat = beat
        self._path = str(Key(Kind.HEALTH, session.node))
        self._lease = 0
        self._revision = 0
        self._written: NodeReport | None = None
        self._renewed_at = 0.0

    async def begin(self) -> None:
        """Take a lease and write the first report, in the place of whatever is there."""
        self._lease = await self._grant()
        for _ in range(3):
            found = await self._store.get(self._path)
            self._revision = found.revision if found else 0
            try:
                return await self._write(self._session.report)
            except Conflict:
                continue  # an older session of this node has just written, or its lease has just ended
        raise Aborted("SESSION_REPLACED", "another session of this node keeps writing")

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
            if self._written is None or _says_more(report, self._written, self._beat.rewrite_s):
                await self._write(report)
        except LeaseLost:
            _log.info("a node's lease had ended; it gets a new one", node=self._session.node)
            self._lease = await self._grant()
            await self._rewrite(report)
        except Conflict:
            await self._rewrite(report)

    async def _rewrite(self, report: NodeReport) -> None:
        found = await self._store.get(self._path)
        if found is not None and not self._is_mine(found):
            raise Aborted("SESSION_REPLACED", f"another agent with the id {self._session.node!r} has taken its place")
        self._revision = found.revision if found else 0
        await self._write(report)

    def _is_mine(self, item: Item) -> bool:
        try:
            return codec.decode(NodeReport, item.value).instance == self._session.instance
        except CodecError:
            return True  # unreadable: this session's report repairs it

    async def _write(self, report: NodeReport) -> None:
        value = codec.encode(report)
        if len(value) > _VALUE_BYTES:
            value = codec.encode(replace(report, sandboxes=()))
        self._revision = await self._store.commit(
            [Unchanged(self._path, self._revision)], [Put(self._path, value, self._lease)]
        )
        self._written = report

    async def _grant(self) -> int:
        lease = await self._store.grant(max(1, math.ceil(self._beat.lease_ttl_s)))
        self._renewed_at = time.monotonic()
        return lease


def _says_more(report: NodeReport, written: NodeReport, rewrite_s: float) -> bool:
    return _substance(report) != _substance(written) or report.reported_at - written.reported_at >= rewrite_s


def _substance(report: NodeReport) -> NodeReport:
    """Return *report* without what changes all the time."""
    sandboxes = tuple(replace(sandbox, memory_bytes=0, cpu_s=0.0, requests=0) for sandbox in report.sandboxes)
    return replace(report, sandboxes=sandboxes, load_1m=0.0, memory_available_bytes=0, reported_at=0.0)
