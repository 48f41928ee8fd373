"""The reconcile loop: observes, lets plan.diff() decide, carries the actions out, and reports.

Everything that happens only wakes the loop; one turn of it may be repeated or cut off anywhere without harm.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import assert_never

from nearhop import log
from nearhop.spec import Assets
from nearhop.v1 import node_control_pb2 as pb
from node.agent import codec, report
from node.agent.attention import REVISIT_S, Attention
from node.agent.breakers import Breakers
from node.agent.bundles import BundleError, BundleStore
from node.agent.fetches import Fetches
from node.agent.files import Files
from node.agent.logbook import LogBook
from node.agent.memory import Memory
from node.agent.scheduled import ScheduledCalls
from node.agent.session import Session
from node.config import NodeConfig
from node.haproxy.process import Ingress
from node.haproxy.runtime import IngressError
from node.lifecycle.limits import Reason
from node.plan import diff as plan
from node.plan.needs import is_static, needs, pack_of
from node.plan.records import Good, Observed, Refusal, Route, SandboxSpec, Snapshot, function_of, lane
from node.plan.routes import asset_set
from node.plan.status import PlacementStatus, Progress, statuses_some
from node.sandbox.activator import Demand, Refused
from node.sandbox.activator import Refusal as Turned
from node.sandbox.pool import Pool
from node.sandbox.process import clean

_HOLD_S = 30.0  # before a version that served once but does not start now is tried again
_TURNS_MAX = 50  # of one convergence; a plan that does not come to rest is reported rather than spun on
_SETTLED_S = 0.005  # an engine takes to begin, and a held request to be joined to its sandbox
_REMOVE_EVERY_S = 5.0  # between two looks for bundles that nobody needs
_AWAKE_EVERY_S = 1.0  # between two notes of which functions run
_TOLD = frozenset({Reason.EXCEEDED_SUBREQUESTS, Reason.EXCEEDED_BODY})  # only the sandbox knows of these, and goes on
_logger = log.get(__name__)


class Agent:
    """The node's state in memory, and what changes it. The session and the pool call in; run() does the work."""

    def __init__(self, settings: NodeConfig, ingress: Ingress, bundles: BundleStore, files: Files) -> None:
        self._settings = settings
        self._ingress = ingress
        self._bundles = bundles
        self._files = files
        self._fetches = Fetches(bundles, files.write)
        self._memory = Memory(settings.state_dir)
        self._snapshot = Snapshot()
        self._index = plan.index(self._snapshot)
        self._decoder = codec.Decoder()
        self._hosts: dict[str, set[str]] = {}  # of the routes, by function
        self._attention = Attention()
        self._removed_at = 0.0
        self._awake: frozenset[str] = frozenset()  # functions that ran when the agent ended, until they run again
        self._noted: frozenset[str] = frozenset()
        self._noted_at = 0.0
        self.demand = Demand()
        self.breakers = Breakers(self.sandbox_changed)
        self._routes: dict[str, Route] = {}
        self._good: dict[str, Good] = {}
        self._refusals: dict[str, Refusal] = {}
        self._held: dict[SandboxSpec, float] = {}
        self._switch_error = ""
        self._statuses: dict[str, PlacementStatus] = {}
        # Each as a report that has it alone: reports are joined by joining their bytes.
        self._status_bytes: dict[str, bytes] = {}
        self._heartbeat_s = 2.0
        self._wake = asyncio.Event()
        self._report_now = asyncio.Event()
        self._instance = secrets.token_hex(8)
        self.logbook = LogBook(settings.id)
        self.calls: ScheduledCalls | None = None
        self.session: Session | None = None
        self.pool: Pool | None = None

    def load(self) -> None:
        """Read the spool: the node serves from it until the control plane says otherwise."""
        if (spooled := self._memory.snapshot()) is not None:
            self._snapshot = self._decoder.snapshot(spooled)
            self._index = plan.index(self._snapshot)
        self._good = self._memory.good()
        self._awake = self._memory.awake()
        _logger.info("spool read", revision=self._snapshot.revision, placements=len(self._snapshot.placements))

    def routes_at_start(self) -> Mapping[str, Route]:
        """Return the spooled functions' routes, none of which has a sandbox yet: they are known, and will be there soon."""
        self._routes = plan.routes(self._snapshot, self._observe())
        self._hosts = plan.hosts_by_function(self._routes)
        self._attention.happened(plan.unsettled(self._index, self._observe()))
        return self._routes

    async def show_files(self) -> None:
        """Tell the ingress, before it starts, which paths the files of the spooled functions answer."""
        await self._files.show(self._file_sets(route for route in self._routes.values()))

    def _file_sets(self, routes: Iterable[Route]) -> dict[str, Assets]:
        """Return the packs by the names that *routes* give to what is shown of them before a program is asked."""
        found: dict[str, Assets] = {}
        for route in routes:
            placement, good = self._index.placements.get(route.function), self._good.get(route.function)
            versions = [*(placement.versions if placement else ()), *([good.version] if good else ())]
            named = {route.assets, *(share.assets for _, share in route.shares)}
            for version in versions:
                pack = None if is_static(version) else pack_of(version)
                if pack is not None and asset_set(pack) in named:
                    found[asset_set(pack)] = pack
        return found

    # What the session calls

    def hello(self) -> pb.Hello:
        return report.hello(self._settings, self._snapshot.revision, self._instance)

    def connected(self, welcome: pb.Welcome) -> None:
        self._heartbeat_s = max(0.1, welcome.heartbeat_interval_s or self._heartbeat_s)
        self._report_now.set()
        self._wake.set()

    def disconnected(self) -> None:
        self._fetches.disconnected()
        self.logbook.disconnected()

    def scheduled(self, message: pb.ScheduledEvent) -> None:
        if self.calls is not None:
            self.calls.take(message)

    def log_interest(self, message: pb.LogInterest) -> None:
        self.logbook.want(message.functions)

    def logged(self, spec: SandboxSpec, level: str, text: str, reason: str = "") -> None:
        """Enter what a program said, or what became of it, into its function's log."""
        self.logbook.add(spec.function, spec.version.number, level, clean(text), reason)
        if reason in _TOLD:
            self.breakers.overran(spec, reason)
        elif reason == Reason.EXCEPTION:
            self.breakers.threw(spec)

    async def snapshot(self, message: pb.Snapshot) -> None:
        if message.revision < self._snapshot.revision:
            _logger.warning("an older snapshot was ignored", revision=message.revision, have=self._snapshot.revision)
            return
        # It is applied even when it cannot be spooled: what is lost until it can is only the memory of it, should the agent start anew.
        await self._memory.keep_snapshot(message)
        before = self._index
        self._snapshot = self._decoder.snapshot(message)
        self._index = plan.index(self._snapshot)
        changed = plan.changed(before, self._index)
        for function in changed:
            new = self._index.placements.get(function)
            self.breakers.replaced(function, [version.number for version in new.versions] if new else ())
        self._attention.happened(changed | {name for function in changed for name in before.lanes(function)})
        # A secret, a limit or a manifest may be what was missing.
        self._refusals = {name: refusal for name, refusal in self._refusals.items() if function_of(name) not in changed}
        self._forget_what_is_not_wanted()
        self._note_statuses(
            changed & self._index.placements.keys()
        )  # no report tells the new revision with the old state
        self._wake.set()
        self._report_now.set()

    async def chunk(self, message: pb.BundleChunk) -> None:
        if await self._fetches.take(message):
            self._wake.set()

    def refused(self, message: pb.BundleRefusal) -> None:
        reason = f"the control plane has no bundle {message.digest[:12]}: {message.reason}"
        self._fetches.failed(message.digest, reason)
        self._wake.set()

    def _forget_what_is_not_wanted(self) -> None:
        wanted = self._index.placements
        self._refusals = {
            name: refusal
            for name, refusal in self._refusals.items()
            if (placement := self._index.lane(name)) is not None and placement.generation == refusal.generation
        }
        if self._fetches.failures:
            versions = [version for p in wanted.values() for version in p.versions]
            self._fetches.keep({need.digest for version in versions for need in needs(version)})
        self._held = {spec: until for spec, until in self._held.items() if spec.function in wanted}
        self.logbook.keep(wanted)
        self.breakers.keep(wanted)
        self._attention.keep(wanted.keys())
        self._awake &= wanted.keys() | self._index.sides.keys()
        for gone in self._statuses.keys() - wanted.keys():
            del self._statuses[gone], self._status_bytes[gone]

    # What the pool calls

    def sandbox_changed(self, function: str) -> None:
        self._attention.happened({function})
        settled = False
        for name in self.demand.functions:
            if function_of(name) == function and (slot := self._ready_slot(name)) is not None:
                self.demand.settle(name, slot)
                settled = True
        if settled:
            # Those who have waited go first: until the route is switched, the activator takes who comes.
            asyncio.get_running_loop().call_later(_SETTLED_S, self._wake.set)
        else:
            self._wake.set()

    def sandbox_assigned(self, spec: SandboxSpec, slot: int) -> None:
        """The process on the slot is getting the program and listens: it holds what it is asked until it has it."""
        self.demand.assign(self._index.lane_of(spec), slot)

    def sandbox_ended(self, spec: SandboxSpec, error: str) -> None:
        """A sandbox that was never ready is gone: its version is refused, if it is the one asked for."""
        _logger.warning("a version did not start", function=spec.function, version=spec.version.number, error=error)
        self.logged(spec, "error", f"the version did not start: {error}", "boot_failed")
        self._held[spec] = time.monotonic() + _HOLD_S
        self._awake -= {self._index.lane_of(spec)}
        name = self._index.lane_of(spec)
        placement = self._index.lane(name)
        if placement is not None and plan.target(placement, self._observe()) == spec:
            self._refusals[name] = Refusal(placement.generation, error)
        if name not in self._good or self._good[name].version == spec.version:
            self.demand.refuse(name, Turned.BOOT_FAILED)

    # What the activator calls

    async def activate(self, function: str, version: int, assigned: Callable[[int], None] | None = None) -> int:
        """Start the function if it does not run, and return the slot of a sandbox that is ready: of *version*, if that stands beside its own.

        *assigned* may be told before which process, that listens already, is getting the program. Raises activator.Refused.
        """
        name = self._lane_now(lane(function, version))
        placement = self._index.lane(name)
        if placement is None:
            raise Refused(Turned.UNKNOWN.value, "No function of that name is here.")
        if (slot := self._ready_slot(name)) is not None:
            self._attention.happened({function})  # the ingress should have known
            self._wake.set()
            return slot
        if plan.target(placement, self._observe()) is None and name not in self._good:
            raise Refused(Turned.BOOT_FAILED.value, "The function cannot be started.")
        began = time.monotonic()
        self._wake.set()
        try:
            slot = await self.demand.wait(name, assigned)
        except Refused as refusal:
            runs = any(view.spec.function == function and not view.retiring for view in self._pool.views())
            full = not (runs or self._pool.free_slots() or self._pool.warm_slots())
            if full and refusal.reason == Turned.TOO_LATE:
                raise Refused(Turned.NO_SLOT.value, "The node runs as many functions as it may.") from refusal
            raise
        took_s = round(time.monotonic() - began, 4)
        _logger.info("function activated", function=function, version=version, slot=slot, took_s=took_s)
        return slot

    def _ready_slot(self, name: str) -> int | None:
        """Return a slot that may serve a lane's requests now, of the version asked for where there is one; a lane that is gone is its function's."""
        name = self._lane_now(name)
        placement = self._index.lane(name)
        aim = None if placement is None else plan.target(placement, self._observe())
        ready = [item for item in self._pool.ready_slots(function_of(name)) if self._index.lane_of(item[1]) == name]
        return min(ready, key=lambda item: (item[1] != aim, item[0]), default=(None, None))[0]

    # The loop

    async def run(self) -> None:
        """Converge whenever something has changed, until cancelled."""
        while True:
            self._wake.clear()
            try:
                await self._memory.retry()
                await self._converge()
            except Exception:
                _logger.exception("reconciling failed; it is tried again")
            wait_s = self.breakers.tick()
            try:
                async with asyncio.timeout(REVISIT_S if wait_s is None else min(REVISIT_S, wait_s)):
                    await self._wake.wait()
            except TimeoutError:
                self._fetches.expire()
            self._attention.look_round(self._index.placements, time.monotonic())

    async def _converge(self) -> None:
        for _ in range(_TURNS_MAX):
            observed = self._observe()
            only = self._attention.turn(observed)
            actions = plan.diff_some(self._index, observed, time.monotonic(), only)
            done = [await self._perform(action) for action in actions]
            if any(isinstance(action, plan.StartSandbox) for action in actions):
                await asyncio.sleep(_SETTLED_S)  # who is waited for has the processors first
            self._note_statuses(only)
            if not any(done) and not self._attention.has_news:
                self._attention.rest(done=not actions)
                await self._note_awake()
                self._remove_bundles()
                return
        _logger.error("the plan does not come to rest", actions=[type(action).__name__ for action in actions])

    def _remove_bundles(self) -> None:
        now = time.monotonic()
        if now - self._removed_at >= _REMOVE_EVERY_S:
            self._removed_at = now
            for action in plan.removals(self._index, self._observe()):
                self._remove(action)

    def _remove(self, action: plan.RemoveBundle) -> None:
        if action.pack:
            self._files.store.remove(action.digest)
        else:
            self._bundles.remove(action.digest)

    async def _note_awake(self) -> None:
        """Keep on disk which functions run: a new agent starts them at once, and the others when they are asked for."""
        self._awake -= {self._index.lane_of(view.spec) for view in self._pool.views() if view.ready}
        now = time.monotonic()
        live = (view.spec for view in self._pool.views() if not (view.retiring or view.idle))
        names = self._awake | {self._index.lane_of(spec) for spec in live}
        if names != self._noted and now - self._noted_at >= _AWAKE_EVERY_S:
            self._noted, self._noted_at = names, now
            await self._memory.keep_awake(names)

    async def _perform(self, action: plan.Action) -> bool:
        """Carry one action out; False when it has to wait."""
        match action:
            case plan.FetchBundle(digest, _, pack):
                return self.session is not None and self._fetches.ask(digest, self.session.send, pack=pack)
            case plan.StartSandbox(slot, spec):
                return await self._start(slot, spec)
            case plan.SwitchRoutes(routes, changed):
                return await self._switch(dict(routes), changed)
            case plan.RememberGood(good):
                return await self._remember(dict(good))
            case plan.DrainSandbox(slot):
                self._pool.retire(slot)
                return True
            case plan.RemoveBundle():
                self._remove(action)
                return True
            case _:
                assert_never(action)

    @property
    def _pool(self) -> Pool:
        if self.pool is None:
            raise RuntimeError("the agent has no pool yet")
        return self.pool

    async def _start(self, slot: int, spec: SandboxSpec) -> bool:
        try:
            source = self._bundles.read_at_once(spec.version.digest)
            if source is None:
                source = await asyncio.to_thread(self._bundles.read, spec.version.digest)
        except BundleError as error:
            self._fetches.failed(spec.version.digest, str(error))
            return False
        self._pool.start(slot, spec, source)
        await asyncio.sleep(0)  # what this has begun comes before anything else that is planned
        self._ingress.expect_caching(spec.function, source)
        return True

    async def _switch(self, routes: dict[str, Route], changed: Collection[str]) -> bool:
        try:
            if fresh := [
                routes[host] for host in changed if host in routes and (routes[host].assets or routes[host].shares)
            ]:
                await self._files.show(self._file_sets(fresh))
            await self._ingress.set_routes(routes)
        except (IngressError, OSError) as error:
            self._switch_error = f"the ingress cannot be switched: {getattr(error, 'strerror', None) or error}"
            _logger.warning("the ingress did not switch; it is tried again", error=str(error))
            return False
        self._switch_error = ""
        for host in sorted(changed):
            new, old = routes.get(host), self._routes.get(host)
            self._attention.happened(
                route.function for route in (new, old) if route is not None
            )  # what served before may end
            _logger.info("route switched", host=host, to=_show(new), before=_show(old))
            if old is not None:
                self._hosts.get(old.function, set()).discard(host)
            if new is not None:
                self._hosts.setdefault(new.function, set()).add(host)
        self._routes = routes
        return True

    async def _remember(self, good: dict[str, Good]) -> bool:
        await self._memory.keep_good(good)
        self._good = good
        return True

    def _observe(self) -> Observed:
        return Observed(
            bundles=self._bundles.stored,
            packs=self._files.store.stored,
            fetching=self._fetches.under_way,
            fetch_failures=self._fetches.failures,
            sandboxes=self._pool.views(),
            free_slots=self._pool.free_slots(),
            warm_slots=self._pool.warm_slots(),
            demanded=frozenset(map(self._lane_now, self.demand.functions)) | self._awake,
            instances=self._pool.instances(),
            routes=self._routes,
            hosts=self._hosts,
            good=self._good,
            refusals=self._refusals,
            held=self._held,
            broken=self.breakers.broken,
            probed=self.breakers.probed,
            switch_error=self._switch_error,
        )

    def _lane_now(self, name: str) -> str:
        """Return the lane that requests which wait for the lane *name* wait for now: a version may have become its function's own meanwhile."""
        return name if name in self._index.sides else function_of(name)

    # Reports

    def _note_statuses(self, only: Collection[str]) -> None:
        found = statuses_some(self._index, self._observe(), only, time.monotonic())
        for name, plain in found.items():
            placement = self._index.placements[name]
            status = replace(
                plain,
                overruns=self.breakers.overruns(name),
                breaker_open=self.breakers.is_open(name),
                versions=tuple(self.breakers.version(name, version.number) for version in placement.versions)
                if placement.beside
                else (),
            )
            if self._statuses.get(name) != status:
                self._statuses[name] = status
                self._status_bytes[name] = pb.NodeReport(placements=codec.statuses([status])).SerializeToString()
                self._report_now.set()
            self._attention.waits(name, pending=status.progress is Progress.PENDING)

    async def report(self) -> None:
        """Report at once when a placement changes, and at every heartbeat, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._heartbeat_s):
                    await self._report_now.wait()
            except TimeoutError:
                pass
            self._note_statuses({function_of(name) for name in self._index.sides})  # exceptions wait for a report
            self._report_now.clear()
            for function, reason, count in self.breakers.refused(await self._ingress.refusals()):
                self._note_refused(function, reason, count)
            if self.session is not None:
                self.session.send(pb.NodeMessage(report=self._report()))

    def _note_refused(self, function: str, reason: str, count: int) -> None:
        placement = self._index.placements.get(function)
        if placement is not None:
            number = 0 if placement.version is None else placement.version.number
            what = "no answer in time" if reason == Reason.EXCEEDED_WALL else "refused by the ingress"
            self.logbook.add(function, number, "limit", f"{what}: {count}", reason)

    def _statuses_now(self) -> bytes:
        if missing := [name for name in self._index.placements if name not in self._statuses]:
            self._note_statuses(missing)
        return b"".join([self._status_bytes[name] for name in self._index.placements])

    def _report(self) -> pb.NodeReport:
        return report.node_report(
            self._snapshot.revision,
            self._statuses_now(),
            self._pool,
            ingress_ready=self._ingress.ready,
            load_limit=self._settings.load_limit,
        )


def _show(route: Route | None) -> str:
    if route is None:
        return "nothing"
    if route.slot is not None:
        return f"version {route.version}"
    return f"version {route.version}, to be started" if route.startable else "no sandbox"
