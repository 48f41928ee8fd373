"""The deployment controller: asks rollout.plan() and writes what it decides. All that it goes by is in the record: any leader goes on with it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from controlplane.controllers.controller import Controller
from controlplane.model import Deployment, Event, EventKind, Phase
from controlplane.placement import place
from controlplane.rollout import Decision, PlacedNode, apply, plan
from controlplane.store import codec, events
from controlplane.store.cache import Cache
from controlplane.store.client import Put, Store, Unchanged
from controlplane.store.keys import Key, Kind
from controlplane.store.view import Stored, View
from nearhop import log

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Rollouts:
    """What the controller and the API both need to judge a deployment: the wall clock and the time it may take."""

    clock: Callable[[], float]
    deadline_s: float

    def judge(self, deployment: Stored[Deployment], view: View) -> Decision:
        """Plan *deployment* against the nodes in *view*."""
        function = deployment.record.function
        return plan(
            deployment.record,
            deployment.revision,
            placed_nodes(view, function),
            self.clock(),
            deadline_s=self.deadline_s,
        )


def end_of(ended: Deployment) -> Event:
    """Return the event that tells how *ended* has ended."""
    kind = EventKind.DEPLOY_COMPLETE if ended.phase is Phase.COMPLETE else EventKind.DEPLOY_FAILED
    return Event(kind, ended.ended_at or 0.0, ended.reason, function=ended.function, version=ended.version)


def placed_nodes(view: View, function: str) -> tuple[PlacedNode, ...]:
    """Return the nodes that *function* is placed on, with what they last reported of it."""
    stored = view.functions.get(function)
    ids = () if stored is None else place(stored.record, (node.record for node in view.nodes.values()))
    return tuple(_placed(view, function, node) for node in ids)


def _placed(view: View, function: str, node: str) -> PlacedNode:
    region = view.nodes[node].record.region
    health = view.health.get(node)
    if health is None:
        return PlacedNode(node, region, connected=False)
    report = health.record
    return PlacedNode(node, region, True, report.snapshot_revision, report.placement(function))


class Deployments(Controller):
    """Ends deployments, and takes gradual ones from step to step. Its keys are functions."""

    name = "deployments"

    def __init__(self, store: Store, cache: Cache, rollouts: Rollouts, *, resync_s: float = 60.0) -> None:
        super().__init__(cache, resync_s=resync_s)
        self._store = store
        self._rollouts = rollouts

    def concerned(self, key: Key, view: View) -> Iterable[str]:
        match key.kind:
            case Kind.DEPLOYMENTS:
                return (key.name,)
            case Kind.HEALTH | Kind.NODES:
                return self._under_way(view)
            case _:
                return ()

    def everything(self, view: View) -> Iterable[str]:
        return self._under_way(view)

    async def reconcile(self, key: str, view: View) -> float | None:
        stored = view.deployments.get(key)
        if stored is None or stored.record.ended:
            return None
        decision = self._rollouts.judge(stored, view)
        fresh = apply(stored.record, decision, self._rollouts.clock())
        if fresh is not stored.record:
            path = str(Key(Kind.DEPLOYMENTS, key))
            told = [end_of(fresh)] if fresh.ended else []
            await self._store.commit(
                [Unchanged(path, stored.revision)], [Put(path, codec.encode(fresh)), *events.puts(*told)]
            )
            _log.info(
                "a deployment has ended" if fresh.ended else "a deployment goes on",
                function=key,
                generation=fresh.generation,
                phase=fresh.phase.value,
                reason=decision.reason,
            )
        if decision.look_again_at is None:
            return None
        return max(0.05, decision.look_again_at - self._rollouts.clock())

    def _under_way(self, view: View) -> list[str]:
        return [name for name, stored in view.deployments.items() if not stored.record.ended]
