"""The reconcile loop: observes, lets plan.diff() decide, carries the actions out, and reports.

Everything that happens only wakes the loop; one turn of it may be repeated or cut off anywhere without harm.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import assert_never

from google.protobuf.message import DecodeError

from nearhop import log
from nearhop.v1 import node_control_pb2 as pb
from node.agent import codec, report, spool
from node.agent.bundles import BundleError, BundleStore
from node.agent.session import Session
from node.config import NodeConfig
from node.haproxy.process import Ingress
from node.haproxy.runtime import IngressError
from node.plan import diff as plan
from node.plan.records import FetchFailure, Good, Observed, Refusal, Route, SandboxSpec, Snapshot
from node.plan.status import PlacementStatus, statuses
from node.sandbox.pool import Pool

_FETCH_WITHIN_S = 30.0
_FETCH_RETRY_S = 5.0
_HOLD_S = 30.0  # before a version that served once but does not start now is tried again
_TURNS_MAX = 50  # of one convergence; a plan that does not come to rest is reported rather than spun on
_REVISIT_S = 5.0  # the loop looks again even when nothing woke it
_logger = log.get(__name__)


class Agent:
    """The node's state in memory, and what changes it. The session and the pool call in; run() does the work."""

    def __init__(self, settings: NodeConfig, ingress: Ingress, bundles: BundleStore) -> None:
        self._settings = settings
        self._ingress = ingress
        self._bundles = bundles
        self._snapshot = Snapshot()
        self._routes: dict[str, Route] = {}
        self._good: dict[str, Good] = {}
        self._refusals: dict[str, Refusal] = {}
        self._held: dict[SandboxSpec, float] = {}
        self._switch_error = ""
        self._backlog = spool.Backlog()
        self._fetching: dict[str, float] = {}
        self._fetch_failures: dict[str, FetchFailure] = {}
        self._reported: tuple[PlacementStatus, ...] = ()
        self._heartbeat_s = 2.0
        self._wake = asyncio.Event()
        self._report_now = asyncio.Event()
        self._instance = secrets.token_hex(8)
        self.session: Session | None = None
        self.pool: Pool | None = None

    # State on disk

    @property
    def _snapshot_path(self) -> Path:
        return self._settings.state_dir / "snapshot.pb"

    @property
    def _good_path(self) -> Path:
        return self._settings.state_dir / "good.json"

    def load(self) -> None:
        """Read the spool: the node serves from it until the control plane says otherwise."""
        if (body := spool.read(self._snapshot_path)) is not None:
            try:
                self._snapshot = codec.snapshot(pb.Snapshot.FromString(body))
            except DecodeError:
                spool.quarantine(self._snapshot_path)
        if (body := spool.read(self._good_path)) is not None:
            try:
                self._good = codec.good_from_json(json.loads(body))
            except (ValueError, KeyError, TypeError, AttributeError):
                spool.quarantine(self._good_path)
        _logger.info("spool read", revision=self._snapshot.revision, placements=len(self._snapshot.placements))

    def routes_at_start(self) -> Mapping[str, Route]:
        """Return the spooled functions' routes, none of which has a sandbox yet: they are known, and will be there soon."""
        self._routes = plan.routes(self._snapshot, self._observe())
        return self._routes

    # What the session calls

    def hello(self) -> pb.Hello:
        return report.hello(self._settings, self._snapshot.revision, self._instance)

    def connected(self, welcome: pb.Welcome) -> None:
        self._heartbeat_s = max(0.1, welcome.heartbeat_interval_s or self._heartbeat_s)
        self._report_now.set()
        self._wake.set()

    def disconnected(self) -> None:
        self._fetching.clear()
        self._bundles.forget_arrivals()

    async def snapshot(self, message: pb.Snapshot) -> None:
        if message.revision < self._snapshot.revision:
            _logger.warning("an older snapshot was ignored", revision=message.revision, have=self._snapshot.revision)
            return
        # It is applied even when it cannot be spooled: what is lost until it can is only the memory of it, should the agent start anew.
        await self._backlog.write(self._snapshot_path, message.SerializeToString())
        self._snapshot = codec.snapshot(message)
        self._forget_what_is_not_wanted()
        self._wake.set()
        self._report_now.set()

    async def chunk(self, message: pb.BundleChunk) -> None:
        digest = message.digest
        if digest not in self._fetching:
            return  # nobody asked for it, or it came too late
        self._fetching[digest] = time.monotonic()
        try:
            body = self._bundles.receive(digest, message.offset, message.data, last=message.last)
            if body is None:
                return
            await asyncio.to_thread(self._bundles.write, digest, body)
        except BundleError as error:
            self._fetch_failed(digest, str(error))
        else:
            self._fetch_failures.pop(digest, None)
            self._fetching.pop(digest, None)
        self._wake.set()

    def refused(self, message: pb.BundleRefusal) -> None:
        self._fetch_failed(message.digest, f"the control plane has no bundle {message.digest[:12]}: {message.reason}")
        self._wake.set()

    def _fetch_failed(self, digest: str, error: str) -> None:
        _logger.warning("a bundle was not fetched", digest=digest, error=error)
        self._fetching.pop(digest, None)
        self._fetch_failures[digest] = FetchFailure(error, time.monotonic() + _FETCH_RETRY_S)

    def _forget_what_is_not_wanted(self) -> None:
        wanted = {p.function: p for p in self._snapshot.placements}
        digests = {p.version.digest for p in self._snapshot.placements if p.version is not None}
        self._refusals = {
            f: r for f, r in self._refusals.items() if f in wanted and wanted[f].generation == r.generation
        }
        self._fetch_failures = {d: failure for d, failure in self._fetch_failures.items() if d in digests}
        self._held = {spec: until for spec, until in self._held.items() if spec.function in wanted}

    # What the pool calls

    def sandbox_changed(self) -> None:
        self._wake.set()

    def sandbox_ended(self, spec: SandboxSpec, error: str) -> None:
        """A sandbox that was never ready is gone: its version is refused, if it is the one asked for."""
        _logger.warning("a version did not start", function=spec.function, version=spec.version.number, error=error)
        self._held[spec] = time.monotonic() + _HOLD_S
        for placement in self._snapshot.placements:
            if placement.function == spec.function and plan.target(placement, self._observe()) == spec:
                self._refusals[spec.function] = Refusal(placement.generation, error)

    # The loop

    async def run(self) -> None:
        """Converge whenever something has changed, until cancelled."""
        while True:
            self._wake.clear()
            try:
                await self._backlog.retry()
                await self._converge()
            except Exception:
                _logger.exception("reconciling failed; it is tried again")
            try:
                async with asyncio.timeout(_REVISIT_S):
                    await self._wake.wait()
            except TimeoutError:
                self._expire_fetches()

    async def _converge(self) -> None:
        for _ in range(_TURNS_MAX):
            actions = plan.diff(self._snapshot, self._observe(), time.monotonic())
            done = [await self._perform(action) for action in actions]
            self._note_statuses()
            if not any(done):
                return
        _logger.error("the plan does not come to rest", actions=[type(action).__name__ for action in actions])

    async def _perform(self, action: plan.Action) -> bool:
        """Carry one action out; False when it has to wait."""
        match action:
            case plan.FetchBundle(digest):
                return self._fetch(digest)
            case plan.StartSandbox(slot, spec):
                return await self._start(slot, spec)
            case plan.SwitchRoutes(routes):
                return await self._switch(dict(routes))
            case plan.RememberGood(good):
                return await self._remember(dict(good))
            case plan.DrainSandbox(slot):
                self._pool.retire(slot)
                return True
            case plan.RemoveBundle(digest):
                self._bundles.remove(digest)
                return True
            case _:
                assert_never(action)

    @property
    def _pool(self) -> Pool:
        if self.pool is None:
            raise RuntimeError("the agent has no pool yet")
        return self.pool

    def _fetch(self, digest: str) -> bool:
        message = pb.NodeMessage(bundle_request=pb.BundleRequest(digest=digest))
        if self.session is None or not self.session.send(message):
            return False
        self._fetching[digest] = time.monotonic()
        return True

    async def _start(self, slot: int, spec: SandboxSpec) -> bool:
        try:
            source = await asyncio.to_thread(self._bundles.read, spec.version.digest)
        except BundleError as error:
            self._fetch_failed(spec.version.digest, str(error))
            return False
        self._pool.start(slot, spec, source)
        return True

    async def _switch(self, routes: dict[str, Route]) -> bool:
        try:
            await self._ingress.set_routes(routes)
        except (IngressError, OSError) as error:
            self._switch_error = f"the ingress cannot be switched: {getattr(error, 'strerror', None) or error}"
            _logger.warning("the ingress did not switch; it is tried again", error=str(error))
            return False
        self._switch_error = ""
        for host in sorted(routes.keys() | self._routes.keys()):
            if (new := routes.get(host)) != (old := self._routes.get(host)):
                _logger.info("route switched", host=host, to=_show(new), before=_show(old))
        self._routes = routes
        return True

    async def _remember(self, good: dict[str, Good]) -> bool:
        body = json.dumps(codec.good_to_json(good)).encode()
        await self._backlog.write(self._good_path, body)
        self._good = good
        return True

    def _observe(self) -> Observed:
        return Observed(
            bundles=self._bundles.stored,
            fetching=frozenset(self._fetching),
            fetch_failures=self._fetch_failures,
            sandboxes=self._pool.views(),
            free_slots=self._pool.free_slots(),
            routes=self._routes,
            good=self._good,
            refusals=self._refusals,
            held=self._held,
            switch_error=self._switch_error,
        )

    def _expire_fetches(self) -> None:
        now = time.monotonic()
        for digest in [d for d, since in self._fetching.items() if now - since > _FETCH_WITHIN_S]:
            self._fetch_failed(digest, f"bundle {digest[:12]} did not arrive within {_FETCH_WITHIN_S:g} s")
        if not self._fetching:
            self._bundles.forget_arrivals()

    # Reports

    def _note_statuses(self) -> None:
        now = statuses(self._snapshot, self._observe())
        if now != self._reported:
            self._reported = now
            self._report_now.set()

    async def report(self) -> None:
        """Report at once when a placement changes, and at every heartbeat, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._heartbeat_s):
                    await self._report_now.wait()
            except TimeoutError:
                pass
            self._report_now.clear()
            if self.session is not None:
                self.session.send(pb.NodeMessage(report=self._report()))

    def _report(self) -> pb.NodeReport:
        return report.node_report(
            self._snapshot.revision,
            statuses(self._snapshot, self._observe()),
            self._pool,
            ingress_ready=self._ingress.ready,
        )


def _show(route: Route | None) -> str:
    if route is None:
        return "nothing"
    return f"version {route.version}" if route.slot is not None else "no sandbox"
