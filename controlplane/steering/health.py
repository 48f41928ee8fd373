"""A router's verdicts on the nodes: from single probes, and what other routers see, to what it answers from.

A node goes down after a few failed probes and comes up after many good ones in a row; one that keeps falling must stay good for longer each time.
The word of other routers, while a control plane passes it on, counts in three cases: a node that only this router cannot reach stays, in doubt;
one that this router has not probed yet is down when the others say so; one that they see down too has not vanished by this router's fault.

The brake: when many nodes vanish at once the router suspects itself and holds their verdicts for a while. The hold ends by itself, because a
failure that lasts is more likely real, and then the nodes that still answer should get the clients. A machine that answers, if only to refuse the
connection, has not vanished: this router reaches it, and its ingress is really gone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from controlplane.model import Verdict

SUCCESSES_MAX = 60  # what the damping may ask for; 30 s at two probes a second


@dataclass(frozen=True, slots=True)
class HealthPolicy:
    """How probes become verdicts. Two failures at two probes a second, each with 0.5 s to answer, take a node out within 1.5 s.

    They need not be in a row: only *successes_ok* good probes make a failure forgotten. The eight that bring a node back take longer than the
    three seconds for which a flapping one is up.
    """

    failures_down: int = 2
    successes_ok: int = 2
    successes_up: int = 8
    flap_window_s: float = 60.0
    brake_share: float = 0.3
    brake_least: int = 3
    brake_window_s: float = 2.0  # longer than it takes to see one simultaneous failure on every node
    brake_hold_s: float = 30.0


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """What this router says of one node, since when and why; *rtt_s* is that of the last good probe, 0 before it.

    *previous* is the verdict before *since*; *streak* counts the probes that speak against the verdict, *good* the good ones in a row after the last
    of these while it is up; *falls* are the recent times at which it went down, *reached* whether its machine still answered then. *doubt* says why a
    node that is not down might soon be.
    """

    node: str
    verdict: Verdict
    reason: str
    since: float
    rtt_s: float = 0.0
    previous: Verdict = Verdict.UNKNOWN
    streak: int = 0
    good: int = 0
    falls: tuple[float, ...] = ()
    reached: bool = False
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """The other routers that see a node up, and those that see it down, by their own probes."""

    up: tuple[str, ...] = ()
    down: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FleetHealth:
    """All nodes by id, as this router's probes see them, *sights* as the other routers' do; the agents of *silent* have lost their lease.

    *held* are those whose fall the brake does not publish, until *held_until*.
    """

    nodes: Mapping[str, NodeHealth] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    held_until: float = 0.0
    sights: Mapping[str, Sight] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()

    def published(self) -> dict[str, NodeHealth]:
        """Return what answers are made from."""
        return {node: self._published(health) for node, health in self.nodes.items()}

    def is_confirmed(self, node: str) -> bool:
        """Tell whether most other routers see *node* down."""
        sight = self.sights.get(node, _UNSEEN)
        return len(sight.down) > len(sight.up)

    def _published(self, health: NodeHealth) -> NodeHealth:
        sight = self.sights.get(health.node, _UNSEEN)
        if health.node in self.held:
            reason = f"held by the brake: {health.reason}"
            return replace(health, verdict=health.previous, reason=reason, doubt=reason)
        match health.verdict:
            case Verdict.DOWN if not health.reached and len(sight.up) > len(sight.down):
                reason = f"only this router does not reach it ({health.reason}), others do: {', '.join(sight.up)}"
                return replace(health, verdict=Verdict.UP, reason=reason, doubt=reason)
            case Verdict.UNKNOWN if self.is_confirmed(health.node):
                reason = f"not probed yet, but others see it down: {', '.join(sight.down)}"
                return replace(health, verdict=Verdict.DOWN, reason=reason)
            case Verdict.DOWN:
                return health
            case _:
                return replace(health, doubt=self._doubt(health, sight))

    def _doubt(self, health: NodeHealth, sight: Sight) -> str:
        if health.streak and health.verdict is Verdict.UP:
            return "a probe of this router has just failed"
        if self.is_confirmed(health.node):
            return f"others see it down: {', '.join(sight.down)}"
        if health.node in self.silent:
            return "its agent is silent"
        return ""


@dataclass(frozen=True, slots=True)
class Followed:
    """The fleet view now holds these nodes."""

    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """A probe was answered as it should be."""

    node: str
    rtt_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """A probe was not answered, or wrongly. *reached*: the machine answered something, so the way to it is whole."""

    node: str
    reason: str
    reached: bool = False


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A control plane has passed on what the other routers see, by node, and whose agents are silent; nothing when it does so no more."""

    sights: Mapping[str, Sight] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()


Event = Followed | Answered | Failed | Heard | Ticked

_UNSEEN = Sight()


@dataclass(frozen=True, slots=True)
class Publish:
    """Answer from this verdict from now on."""

    health: NodeHealth


@dataclass(frozen=True, slots=True)
class Alarm:
    """Tell an operator: *raised* is False when the alarm is over."""

    raised: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """The verdict stands, but this node's doubt has come, gone or changed: answer with the TTL that follows."""

    health: NodeHealth


Command = Publish | Doubt | Alarm


def step(
    state: FleetHealth, event: Event, now: float, policy: HealthPolicy | None = None
) -> tuple[FleetHealth, tuple[Command, ...]]:
    """Fold *event* into *state*; the commands are the changes of what is published, and the alarms. *now* is monotonic seconds."""
    policy = policy or HealthPolicy()
    heard, nodes = state, dict(state.nodes)
    match event:
        case Followed(ids):
            nodes = {
                node: state.nodes.get(node) or NodeHealth(node, Verdict.UNKNOWN, "not probed yet", now) for node in ids
            }
        case Answered(node, rtt_s):
            nodes = _update(state.nodes, node, lambda health: _answered(health, rtt_s, now, policy))
        case Failed(node):
            failure = event
            nodes = _update(state.nodes, node, lambda health: _failed(health, failure, now, policy))
        case Heard(sights, silent):
            heard = replace(state, sights=sights, silent=silent)
        case Ticked():
            pass
        case _:
            assert_never(event)
    after = replace(heard, nodes=nodes)
    if isinstance(event, Answered | Failed) and _gist(state, event.node) == _gist(after, event.node):
        return after, ()
    braked, alarms = _brake(after, now, policy)
    return braked, _changes(state, braked) + alarms


def _gist(state: FleetHealth, node: str) -> tuple[Verdict, bool] | None:
    health = state.nodes.get(node)
    return None if health is None else (health.verdict, health.streak > 0)


def _update(
    nodes: Mapping[str, NodeHealth], node: str, change: Callable[[NodeHealth], NodeHealth]
) -> dict[str, NodeHealth]:
    if node not in nodes:
        return dict(nodes)  # a probe that was under way when its node left the fleet
    return {**nodes, node: change(nodes[node])}


def _answered(health: NodeHealth, rtt_s: float, now: float, policy: HealthPolicy) -> NodeHealth:
    if health.verdict is Verdict.UP:
        good = health.good + 1 if health.streak else 0
        forgotten = good >= policy.successes_ok
        return replace(health, rtt_s=rtt_s, streak=0 if forgotten else health.streak, good=0 if forgotten else good)
    streak = health.streak + 1
    wanted = _successes_wanted(health, policy)
    if streak < wanted:
        return replace(health, rtt_s=rtt_s, streak=streak)
    reason = "answers probes" if health.verdict is Verdict.UNKNOWN else f"answered {streak} probes in a row"
    return replace(
        health, verdict=Verdict.UP, previous=health.verdict, reason=reason, since=now, rtt_s=rtt_s, streak=0, good=0
    )


def _successes_wanted(health: NodeHealth, policy: HealthPolicy) -> int:
    """One before the first verdict; after a fall the policy's number, four times as many for each further fall in the window."""
    if health.verdict is Verdict.UNKNOWN:
        return 1
    factor = 1 << 2 * min(len(health.falls) - 1, 3)
    return min(policy.successes_up * factor, SUCCESSES_MAX)


def _failed(health: NodeHealth, failure: Failed, now: float, policy: HealthPolicy) -> NodeHealth:
    if health.verdict is Verdict.DOWN:
        return replace(health, streak=0)
    streak = health.streak + 1
    if streak < policy.failures_down:
        return replace(health, streak=streak, good=0)
    falls = (*(fall for fall in health.falls if now - fall < policy.flap_window_s), now)
    return replace(
        health,
        verdict=Verdict.DOWN,
        previous=health.verdict,
        reason=failure.reason,
        since=now,
        streak=0,
        good=0,
        falls=falls,
        reached=failure.reached,
    )


def _brake(state: FleetHealth, now: float, policy: HealthPolicy) -> tuple[FleetHealth, tuple[Alarm, ...]]:
    down = {
        node for node, health in state.nodes.items() if health.verdict is Verdict.DOWN and not state.is_confirmed(node)
    }
    fresh = {node for node in down if _vanished(state.nodes[node], now, policy)}
    if state.held:
        held = (state.held | fresh) & down
        if held and now < state.held_until:
            return replace(state, held=frozenset(held)), ()
        ended = (
            "the nodes answer again, or others see them down too"
            if not held
            else f"still down, now left out: {', '.join(sorted(held))}"
        )
        return replace(state, held=frozenset()), (Alarm(raised=False, reason=ended),)
    if len(fresh) < policy.brake_least or len(fresh) <= policy.brake_share * len(state.nodes):
        return state, ()
    reason = (
        f"{len(fresh)} of {len(state.nodes)} nodes vanished within {policy.brake_window_s:g} s: this router suspects itself and keeps its "
        f"answers for {policy.brake_hold_s:g} s ({', '.join(sorted(fresh))})"
    )
    braked = replace(state, held=frozenset(fresh), held_until=now + policy.brake_hold_s)
    return braked, (Alarm(raised=True, reason=reason),)


def _vanished(health: NodeHealth, now: float, policy: HealthPolicy) -> bool:
    return health.previous is Verdict.UP and not health.reached and now - health.since <= policy.brake_window_s


def _changes(before: FleetHealth, after: FleetHealth) -> tuple[Publish | Doubt, ...]:
    old = before.published()
    changes: list[Publish | Doubt] = []
    for node, health in after.published().items():
        if node not in old or old[node].verdict is not health.verdict:
            changes.append(Publish(health))
        elif old[node].doubt != health.doubt:
            changes.append(Doubt(health))
    return tuple(changes)
