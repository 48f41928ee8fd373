"""The cron controller: writes down which scheduled calls are due and which node makes them, and gives up or repeats those that nobody answers.

That a cron was called and the call itself are written in one fenced transaction: whoever leads next goes on behind it. The control plane at which the
node is connected passes the call on (api/scheduled.py).
"""

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from controlplane.controllers.controller import Controller
from controlplane.model import CronMarks, Function, NodeReport, ScheduledCall, schedule
from controlplane.placement import place
from controlplane.store import codec
from controlplane.store.cache import Cache
from controlplane.store.client import Delete, Put, Store, Unchanged
from controlplane.store.keys import Key, Kind
from controlplane.store.view import Stored, View
from nearhop import log

_log = log.get(__name__)

_NO_NODE_RETRY_S = 1.0
_CALL = "call "  # how keys of calls are told from those of functions, which hold no space


class Crons(Controller):
    """Its keys are functions, and calls under way."""

    name = "crons"

    def __init__(self, store: Store, cache: Cache, *, clock: Callable[[], float], resync_s: float = 30.0) -> None:
        super().__init__(cache, resync_s=resync_s)
        self._store = store
        self._clock = clock

    def concerned(self, key: Key, view: View) -> Iterable[str]:
        match key.kind:
            case Kind.DEPLOYMENTS | Kind.CRONS | Kind.FUNCTIONS:
                return (key.name,)
            case Kind.CALLS:
                return (_CALL + key.name,)
            case Kind.HEALTH:
                return [_CALL + name for name, stored in view.calls.items() if stored.record.node == key.name]
            case _:
                return ()

    def everything(self, view: View) -> Iterable[str]:
        return [*view.deployments, *(_CALL + name for name in view.calls)]

    async def reconcile(self, key: str, view: View) -> float | None:
        if key.startswith(_CALL):
            return await self._attend(key.removeprefix(_CALL), view)
        return await self._call_due(key, view)

    async def _call_due(self, name: str, view: View) -> float | None:
        function, deployment, marks = view.functions.get(name), view.deployments.get(name), view.crons.get(name)
        if function is None or deployment is None:
            return None
        version = schedule.active_version(deployment.record)
        stored = view.versions.get((name, version))
        expressions = stored.record.manifest.crons if stored is not None else ()
        if not expressions and marks is None:
            return None
        now = self._clock()
        before = marks.record if marks is not None else CronMarks(name)
        plan = schedule.plan(expressions, before, now)
        calls: list[ScheduledCall] = []
        for due in plan.due:
            key = f"{name} {due.cron} {due.at}"
            node = schedule.choose(self._candidates(view, function.record, version), key)
            if node is None:
                if now - due.at < _NO_NODE_RETRY_S:  # once, not at each try
                    _log.warning("a cron is due, and no node is there to run it", function=name, cron=due.cron)
                return _NO_NODE_RETRY_S
            calls.append(ScheduledCall(secrets.token_hex(8), name, version, due.cron, due.at, node, now))
        for missed in plan.late:
            _log.error("a cron was not called: it came too late", function=name, cron=missed.cron, since=missed.at)
        if plan.marks != before or marks is None:
            await self._write(function, marks, plan.marks, calls)
        return None if plan.next_at is None else max(0.01, plan.next_at - self._clock())

    async def _write(
        self,
        function: Stored[Function],
        before: Stored[CronMarks] | None,
        marks: CronMarks,
        calls: list[ScheduledCall],
    ) -> None:
        path = str(Key(Kind.CRONS, marks.function))
        compares = [
            Unchanged(path, before.revision if before else 0),
            Unchanged(str(Key(Kind.FUNCTIONS, marks.function)), function.revision),
        ]
        writes = [Put(_path(call.id), codec.encode(call)) for call in calls]
        revision = await self._store.commit(compares, [Put(path, codec.encode(marks)), *writes])
        for call in calls:
            _log.info("a cron is called", function=call.function, cron=call.cron, node=call.node, call=call.id)
        await self.cache.reached(revision)

    async def _attend(self, name: str, view: View) -> float | None:
        stored = view.calls.get(name)
        if stored is None:
            return None
        call, now = stored.record, self._clock()
        if call.function not in view.functions:
            await self._end(stored, "the function was deleted")
            return None
        if (left := call.created_at + schedule.ANSWER_WITHIN_S - now) <= 0:
            await self._end(stored, f"the node did not answer within {schedule.ANSWER_WITHIN_S:g} s")
            return None
        health = view.health.get(call.node)
        if health is not None and call.instance in {"", health.record.instance}:
            return left
        return await self._again(stored, view)

    async def _again(self, stored: Stored[ScheduledCall], view: View) -> float | None:
        """The node is gone, or another agent has taken its place."""
        call = stored.record
        if call.session and call.attempt >= schedule.ATTEMPTS:
            await self._end(stored, f"node {call.node} is gone before it answered, as was the one before it")
            return None
        candidates = self._candidates(view, view.functions[call.function].record, call.version)
        node = schedule.choose(candidates, call.id, not_on=call.node)
        if node is None:
            if self._clock() - call.scheduled_at > schedule.GRACE_S:
                await self._end(stored, f"node {call.node} is gone, and no other is there")
                return None
            return _NO_NODE_RETRY_S
        # One that was never sent has not been attempted.
        moved = replace(call, node=node, session="", instance="", attempt=call.attempt + bool(call.session))
        await self._store.commit(
            [Unchanged(_path(call.id), stored.revision)], [Put(_path(call.id), codec.encode(moved))]
        )
        _log.warning(
            "a scheduled call goes to another node", function=call.function, call=call.id, node=node, before=call.node
        )
        return None

    async def _end(self, stored: Stored[ScheduledCall], why: str) -> None:
        call = stored.record
        await self._store.commit([Unchanged(_path(call.id), stored.revision)], [Delete(_path(call.id))])
        _log.error(
            "a scheduled call failed", function=call.function, cron=call.cron, call=call.id, node=call.node, error=why
        )

    def _candidates(self, view: View, function: Function, version: int) -> Iterator[tuple[NodeReport, bool]]:
        for node in place(function, (stored.record for stored in view.nodes.values() if not stored.record.draining)):
            health = view.health.get(node)
            if health is not None:
                status = health.record.placement(function.name)
                yield health.record, status is not None and status.active_version == version


def _path(call: str) -> str:
    return str(Key(Kind.CALLS, call))
