"""What this router answers from: the view it took over, and what it knows of the nodes. One place where events become an index and an outlook.

It decides nothing: verdicts are steering.step()'s, shares of full nodes steering.spill's.
"""

import time
from collections.abc import Callable, Iterable, Mapping

from controlplane.model import FleetView, Verdict, Witness
from controlplane.router.signals import Signals
from controlplane.steering import (
    Alarm,
    Answered,
    Doubt,
    Failed,
    FleetHealth,
    FleetIndex,
    Followed,
    HealthPolicy,
    Outlook,
    Publish,
    Ticked,
    spill,
    step,
)
from controlplane.steering.health import Event
from nearhop import log

_log = log.get(__name__)


class Fleet:
    """The fleet as this router sees it. *publish* is called with what to answer from, *report* when others should hear of a change."""

    def __init__(
        self,
        router: str,
        policy: HealthPolicy,
        publish: Callable[[FleetIndex, Outlook], None],
        report: Callable[[], None],
    ) -> None:
        self._router = router
        self._policy = policy
        self._publish_to = publish
        self._report = report
        self._health = FleetHealth()
        self._loads: Mapping[str, float] = {}
        self._shares: dict[str, float] = {}
        self._ticked_at = time.monotonic()
        self.index: FleetIndex | None = None
        self.outlook = Outlook()
        self.alarm = ""

    def take_over(self, view: FleetView) -> None:
        """Answer from *view*."""
        self.index = FleetIndex.of(view).shedding(self._shed())
        self.observe(Followed(tuple(node.id for node in view.nodes)))
        self._publish()

    def hear(self, signals: Signals) -> None:
        """Take what the control plane passes on."""
        self._loads = signals.loads
        self.observe(signals.heard)

    def tick(self) -> None:
        """Let time pass."""
        now = time.monotonic()
        before = self._shed()
        self._shares = spill.step(self._shares, self._loads, now - self._ticked_at)
        self._ticked_at = now
        if self.index is not None and (shed := self._shed()) != before:
            self.index = self.index.shedding(shed)
            self._publish()
        self.observe(Ticked())

    def observe(self, event: Event) -> None:
        """Take *event* into the verdicts."""
        before = self._health
        self._health, commands = step(self._health, event, time.monotonic(), self._policy)
        for command in commands:
            match command:
                case Publish(health):
                    _log.info("node verdict", node=health.node, verdict=str(health.verdict), reason=health.reason)
                case Doubt(health):
                    _log.debug("node doubt", node=health.node, doubt=health.doubt)
                case Alarm(raised, reason):
                    self.alarm = reason if raised else ""
                    (_log.error if raised else _log.warning)("the brake", raised=raised, reason=reason)
        if commands:
            self._publish()
        if commands or self._sees_another(event, before):
            self._report()

    def _sees_another(self, event: Event, before: FleetHealth) -> bool:
        if not isinstance(event, Answered | Failed) or event.node not in before.nodes:
            return False
        return self._health.nodes[event.node].verdict is not before.nodes[event.node].verdict

    def sights(self) -> tuple[list[str], list[str]]:
        """Return the nodes that this router's own probes reach, and those that they do not."""
        nodes = self._health.nodes.values()
        up = [health.node for health in nodes if health.verdict is Verdict.UP]
        return up, [health.node for health in nodes if health.verdict is Verdict.DOWN]

    def witnesses(self) -> Iterable[Witness]:
        """Return the verdicts that are answered from."""
        to_wall_clock = time.time() - time.monotonic()
        return [
            Witness(self._router, node, health.verdict, health.reason, health.since + to_wall_clock, health.rtt_s)
            for node, health in self._health.published().items()
        ]

    def _shed(self) -> dict[str, float]:
        # Whole percents: each change costs the remembered answers.
        return {node: round(share, 2) for node, share in self._shares.items() if share >= 0.005}

    def _publish(self) -> None:
        if self.index is None:
            return
        published = self._health.published()
        self.outlook = Outlook(
            verdicts={node: health.verdict for node, health in published.items()},
            doubts={node: health.doubt for node, health in published.items() if health.doubt},
            reasons={node: health.reason for node, health in published.items()},
            loads=self._loads,
        )
        self._publish_to(self.index, self.outlook)
