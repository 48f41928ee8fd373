"""The routing view's streams, one from each control plane, and this router's verdicts and answer counts back to each.

Every control plane is followed, not one of them: each must tell what the routers see, and one that is cut off from the store, and does not know
what has changed, must not keep a router back. The newest view counts, whoever sends it. A view is taken over first and spooled after: a full disk
must not keep an answer back. Losing every control plane changes nothing in what is answered.

A view that is refused for what it is (older, or most of the fleet gone) waits for an operator's word: the file accept-view in the router's
state folder has it taken over whatever it is, once.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass

from grpc import aio

from controlplane.model import FleetView, Verdict, Witness
from controlplane.router import signals, views
from controlplane.router.answers import AnswerCounts, AnswerKey, Told
from controlplane.router.spool import Spool
from nearhop import log, tasks, tls
from nearhop.errors import InvalidInput, Violation
from nearhop.membership import Membership
from nearhop.v1 import nodes_pb2
from nearhop.v1 import router_control_pb2 as pb
from nearhop.v1 import router_control_pb2_grpc as rpc

REPORT_INTERVAL_S = 5.0  # the contract's bound
ANSWERS_INTERVAL_S = 0.5  # between two reports that carry answer counts, if any have changed
BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 2.0  # a router that starts with an old view is fresh within 5 s of the control plane's return
VIEW_MAX_BYTES = 64 << 20
CONNECT_TIMEOUT_S = 3.0
SIGNALS_OLD_S = 3.0  # three times the control plane's own interval
ACCEPT_FILE = "accept-view"
ACCEPT_WITHIN_S = 600.0  # an operator's word of long ago must not wave through what nobody has looked at
_CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", VIEW_MAX_BYTES),
    (
        "grpc.min_reconnect_backoff_ms",
        int(CONNECT_TIMEOUT_S * 1000),
    ),  # it bounds a connection's making, 20 s by default
    ("grpc.enable_http_proxy", 0),
)

_VERDICTS = {
    Verdict.UP: nodes_pb2.Witness.VERDICT_UP,
    Verdict.DOWN: nodes_pb2.Witness.VERDICT_DOWN,
    Verdict.UNKNOWN: nodes_pb2.Witness.VERDICT_UNKNOWN,
}

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """What the router says of itself in its hello."""

    router: str
    dns: str
    http: str
    zone: str


class Replica:
    """Keeps the newest view; without *membership* the streams are not encrypted.

    *take_over* is called with each one that replaces another, *hear* with each change of the signals, empty ones when there are none any more;
    *witnesses* gives the verdicts to report, *sights* the nodes that the own probes see up and down, *answers* the answer counts.
    """

    def __init__(
        self,
        identity: Identity,
        endpoints: Sequence[str],
        spool: Spool,
        *,
        membership: Membership | None,
        take_over: Callable[[FleetView], None],
        witnesses: Callable[[], Iterable[Witness]],
        answers: AnswerCounts,
        rng: random.Random,
        hear: Callable[[signals.Signals], None] = lambda _: None,
        sights: Callable[[], tuple[list[str], list[str]]] = lambda: ([], []),
    ) -> None:
        self._spool = spool
        self._hear = hear
        self._sights = sights
        self._accept_file = spool.path.with_name(ACCEPT_FILE)
        self._waiting: dict[str, pb.RoutingView] = {}  # by the control plane that sent it
        self._told = pb.Signals()
        self._identity = identity
        self._membership = membership
        self._take_over = take_over
        self._witnesses = witnesses
        self._rng = rng
        self._spooling = asyncio.Lock()
        self._streams = [_Stream(self, endpoint, Told(answers)) for endpoint in dict.fromkeys(endpoints)]
        self.view: FleetView | None = None
        self.refused_views = 0
        self.quarantined: tuple[Violation, ...] = ()
        self.spool_errors = 0
        self.errors = 0

    @property
    def connected(self) -> bool:
        """Whether views come from any control plane."""
        return any(stream.connected for stream in self._streams)

    def start_from_spool(self) -> None:
        """Take over the spooled view, if there is a good one for this zone."""
        view = self._spool.read()
        if view is None:
            return
        if reason := views.refusal(None, view, self._identity.zone):
            _log.error("the spooled routing view is not used", reason=reason)
            return
        self._adopt(view)

    def report_soon(self) -> None:
        """Have the verdicts reported now rather than at the next interval."""
        for stream in self._streams:
            stream.report_soon()

    async def run(self) -> None:
        """Follow the control planes until cancelled."""
        async with asyncio.TaskGroup() as group:
            for stream in self._streams:
                tasks.spawn(group, stream.run(), name=f"views from {stream.endpoint}")

    async def reopen_on_renewal(self) -> None:
        """End the streams whenever there is a new certificate, until cancelled: a control plane lets none outlive the one it was opened with."""
        while self._membership is not None:
            await self._membership.changed()
            for stream in self._streams:
                stream.reopen()

    async def offered(self, message: pb.RoutingView, endpoint: str) -> None:
        """Take *message*, which came from *endpoint*, over if it is good and newer than the present view."""
        self._waiting.pop(endpoint, None)
        try:
            decoded = views.decode(message, self.view)
        except InvalidInput as error:
            self._refuse(message.epoch, str(error))
            return
        view = decoded.view
        if self.view is not None and _same(view, self.view) and view.epoch <= self.view.epoch:
            return
        reason = views.refusal(self.view, view, self._identity.zone)
        another = self.view is None or view.epoch != self.view.epoch
        if reason is None and another:
            await self._take(decoded, message)
            return
        if view.zone == self._identity.zone and another:
            self._waiting[endpoint] = message
        if not self._is_expected(view):
            self._refuse(view.epoch, reason or "another view has the same epoch")

    def gone(self, endpoint: str) -> None:
        """Forget what waits from *endpoint*, and what it passed on."""
        self._waiting.pop(endpoint, None)
        self.relay()

    async def accept_if_told(self) -> None:
        """Take over the view that was refused last if an operator has made the file that says so, not long ago."""
        if not self._accept_file.exists():
            return
        if time.time() - self._accept_file.stat().st_mtime > ACCEPT_WITHIN_S:
            self._accept_file.unlink()
            _log.warning("nothing waited for the operator's word, it is void now", path=str(self._accept_file))
        elif self._waiting:
            message = list(self._waiting.values())[-1]
            self._accept_file.unlink()
            decoded = views.decode(message, self.view)
            _log.warning(
                "an operator has this view taken over", epoch=decoded.view.epoch, nodes=len(decoded.view.nodes)
            )
            await self._take(decoded, message)

    async def _take(self, decoded: views.Decoded, message: pb.RoutingView) -> None:
        view = decoded.view
        self._waiting.clear()
        self.quarantined = decoded.quarantined
        for violation in decoded.quarantined:
            _log.error("an entry of the routing view is not used", epoch=view.epoch, reason=str(violation))
        self._adopt(view)
        spooled = pb.RoutingView()
        spooled.CopyFrom(message)
        spooled.ClearField("signals")
        try:
            async with self._spooling:
                if self.view is view:  # else a newer one came meanwhile, from another control plane
                    await asyncio.to_thread(self._spool.write, spooled)
        except OSError as error:
            self.spool_errors += 1
            _log.error("the routing view could not be spooled", path=str(self._spool.path), reason=str(error))

    @property
    def waiting(self) -> str:
        """What waits for an operator's word, empty when nothing does."""
        epochs = ", ".join(f"{message.epoch} from {endpoint}" for endpoint, message in self._waiting.items())
        return f"epoch {epochs}; make {self._accept_file} to take it over" if epochs else ""

    def relay(self) -> None:
        """Tell what is passed on now, if that has changed: by the first control plane whose word is fresh, by none when all is old."""
        fresh = next((stream for stream in self._streams if stream.has_signals()), None)
        now = pb.Signals() if fresh is None else fresh.signals
        if now != self._told:
            self._told = now
            self._hear(signals.decode(now, self._identity.router))

    def _adopt(self, view: FleetView) -> None:
        self.view = view
        self._take_over(view)
        self.report_soon()
        _log.info("answering from a new view", epoch=view.epoch, nodes=len(view.nodes), functions=len(view.functions))

    def _refuse(self, epoch: int, reason: str) -> None:
        self.refused_views += 1
        _log.error("a routing view was refused, the last good one stays", epoch=epoch, reason=reason)

    def _is_expected(self, view: FleetView) -> bool:
        """Tell whether *view* is no reason to complain: control planes see changes one after the other."""
        if self.view is None or view.epoch > self.view.epoch or view.zone != self.view.zone:
            return False
        return view.epoch == self.view.epoch or sum(stream.connected for stream in self._streams) > 1

    @property
    def epoch(self) -> int:
        """That of the present view, 0 before the first."""
        return self.view.epoch if self.view is not None else 0

    def report(self, answers: Iterable[tuple[AnswerKey, int]]) -> pb.RouterReport:
        """Return what is to be told now, with the counts *answers*."""
        up, down = self._sights()
        return pb.RouterReport(
            epoch=self.epoch,
            seen_up=up,
            seen_down=down,
            verdicts=map(_encode, self._witnesses()),
            answers=[
                pb.AnswerCount(
                    function=key.function, node=key.node, country=key.country, reason=key.reason, count=count
                )
                for key, count in answers
            ],
        )

    def hello(self) -> pb.RouterHello:
        """Return how this router introduces itself."""
        identity = self._identity
        return pb.RouterHello(router=identity.router, dns=identity.dns, http=identity.http, epoch=self.epoch)

    def pause(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row."""
        ceiling = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(failures - 1, 10))
        return self._rng.uniform(ceiling / 2, ceiling)

    async def channel(self, endpoint: str) -> aio.Channel:
        """Open a channel to *endpoint* as soon as there is an identity for it. Raises CertificateError."""
        if self._membership is None:
            return aio.insecure_channel(endpoint, options=_CHANNEL_OPTIONS)
        await self._membership.ready()
        return self._membership.channel(endpoint, _CHANNEL_OPTIONS)


class _Stream:
    """The stream from one control plane."""

    def __init__(self, replica: Replica, endpoint: str, told: Told) -> None:
        self._replica = replica
        self._told = told
        self._answers_due = 0.0
        self._renewed = False
        self._verdict_changed = asyncio.Event()
        self.endpoint = endpoint
        self.connected = False
        self.signals = pb.Signals()
        self._signaled_at = -SIGNALS_OLD_S

    def has_signals(self) -> bool:
        """Tell whether this control plane's word is fresh."""
        return self.connected and asyncio.get_running_loop().time() - self._signaled_at < SIGNALS_OLD_S

    def report_soon(self) -> None:
        self._verdict_changed.set()

    def reopen(self) -> None:
        self._renewed = True
        self._verdict_changed.set()

    async def run(self) -> None:
        failures = 0
        while True:
            try:
                async with await self._replica.channel(self.endpoint) as channel:
                    await self._follow(rpc.RouterControlStub(channel))
                reason = "it ended the stream"
            except aio.AioRpcError as error:
                reason = f"{error.code().name}: {tls.explain(error)}"
            except tls.CertificateError as error:
                reason = str(error)
            except Exception:  # noqa: BLE001  # logged and counted
                # The rim: whatever one view or one endpoint brings about, DNS goes on from the last good view.
                self._replica.errors += 1
                _log.exception(
                    "following the control plane failed", endpoint=self.endpoint, errors=self._replica.errors
                )
                reason = "an error of this router"
            failures = 1 if self.connected else failures + 1
            self.connected = False
            self._replica.gone(self.endpoint)
            tell = _log.warning if failures == 1 else _log.debug
            tell("no routing view from the control plane", endpoint=self.endpoint, reason=reason)
            await asyncio.sleep(self._replica.pause(failures))

    async def _follow(self, stub: "rpc.RouterControlAsyncStub") -> None:
        self.signals = pb.Signals()
        call = stub.Sync(self._messages())
        async for message in call:
            if not self.connected:
                _log.info("routing views come from a control plane", endpoint=self.endpoint)
            self.connected = True
            if message.HasField("signals"):
                self._signaled_at = asyncio.get_running_loop().time()
                if not message.signals.unchanged:
                    self.signals = message.signals
                self._replica.relay()
            if not message.signals_only:
                await self._replica.offered(message, self.endpoint)

    async def _messages(self) -> AsyncIterator[pb.RouterMessage]:
        yield pb.RouterMessage(hello=self._replica.hello())
        self._renewed = False
        answers = self._told.everything()  # what the control plane counts from
        while not self._renewed:
            self._verdict_changed.clear()
            yield pb.RouterMessage(report=self._replica.report(answers))
            answers = await self._news()

    async def _news(self) -> list[tuple[AnswerKey, int]]:
        """Wait until there is something to report, and return the answers to report with it, none before it is their time again."""
        clock = asyncio.get_running_loop().time
        due = clock() + REPORT_INTERVAL_S
        while (now := clock()) < due:
            if now >= self._answers_due:
                self._answers_due = now + ANSWERS_INTERVAL_S
                if answers := self._told.changed():
                    return answers
            try:
                async with asyncio.timeout(min(self._answers_due, due) - now):
                    await self._verdict_changed.wait()
                    return []
            except TimeoutError:
                continue
        return []


def _same(view: FleetView, other: FleetView) -> bool:
    return (view.zone, view.nodes, view.functions) == (other.zone, other.nodes, other.functions)


def _encode(witness: Witness) -> nodes_pb2.Witness:
    message = nodes_pb2.Witness(
        router=witness.router,
        node=witness.node,
        verdict=_VERDICTS[witness.verdict],
        reason=witness.reason,
        rtt_s=witness.rtt_s,
    )
    message.since.FromNanoseconds(int(witness.since * 1e9))
    return message
