import pytest

from controlplane.model import FleetView, Ingress, Location, RoutedFunction, RoutedNode, Verdict
from controlplane.router import fleet as module
from controlplane.router.fleet import Fleet
from controlplane.router.signals import Signals
from controlplane.steering import Answered, Failed, FleetIndex, HealthPolicy, Heard, Outlook, Sight

NODES = tuple(RoutedNode(name, "r", Location(0, n), Ingress(80, ("192.0.2.1",))) for n, name in enumerate("abcde"))
VIEW = FleetView(1, "example.org", NODES, (RoutedFunction("f", (), tuple("abcde")),))


class Watched:
    def __init__(self) -> None:
        self.published: list[tuple[FleetIndex, Outlook]] = []
        self.reports = 0
        self.fleet = Fleet("r1", HealthPolicy(), lambda *said: self.published.append(said), self._report)
        self.fleet.take_over(VIEW)
        for node in "abcde":
            self.fleet.observe(Answered(node, 0.01))
        self.reports = 0

    def _report(self) -> None:
        self.reports += 1


def test_before_a_view_there_is_nothing_to_publish() -> None:
    published: list[object] = []
    fleet = Fleet("r1", HealthPolicy(), lambda *said: published.append(said), lambda: None)
    fleet.hear(Signals(Heard(silent=frozenset("a"))))
    assert (published, fleet.index) == ([], None)


def test_verdicts_doubts_and_reasons_are_published_at_each_change() -> None:
    watched = Watched()
    before = len(watched.published)
    watched.fleet.observe(Failed("a", "late"))
    assert watched.published[-1][1].doubts == {"a": "a probe of this router has just failed"}
    watched.fleet.observe(Failed("a", "late"))
    outlook = watched.published[-1][1]
    assert (outlook["a"], outlook.reasons["a"], outlook.doubts) == (Verdict.DOWN, "late", {})
    assert len(watched.published) == before + 2
    assert watched.reports == 2


def test_what_only_the_own_probes_have_seen_is_reported_though_the_answers_stay() -> None:
    watched = Watched()
    watched.fleet.hear(Signals(Heard({"a": Sight(up=("r2",))})))
    watched.fleet.observe(Failed("a", "late"))
    watched.fleet.observe(Failed("a", "late"))
    assert watched.fleet.outlook["a"] is Verdict.UP
    assert watched.fleet.sights() == (["b", "c", "d", "e"], ["a"])
    assert watched.reports >= 2
    assert {witness.node: witness.verdict for witness in watched.fleet.witnesses()}["a"] is Verdict.UP


def test_a_change_of_sight_alone_is_reported() -> None:
    watched = Watched()
    confirmed = Heard({"z": Sight(down=("r2",))})
    view = FleetView(2, "example.org", (*NODES, RoutedNode("z", "r", Location(9, 9), Ingress(80))))
    watched.fleet.hear(Signals(confirmed))
    watched.fleet.take_over(view)
    assert watched.fleet.outlook["z"] is Verdict.DOWN  # by the other router's word
    watched.fleet.observe(Failed("z", "late"))
    watched.reports, published = 0, len(watched.published)
    watched.fleet.observe(Failed("z", "late"))
    assert (watched.reports, len(watched.published)) == (1, published)  # now by this router's own


def test_the_brake_raises_an_alarm_and_lets_it_go(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched()
    for node in "abc":
        watched.fleet.observe(Failed(node, "late"))
        watched.fleet.observe(Failed(node, "late"))
    assert "suspects itself" in watched.fleet.alarm
    now = module.time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 31)
    watched.fleet.tick()
    assert watched.fleet.alarm == ""
    assert watched.fleet.outlook["a"] is Verdict.DOWN


def test_a_full_node_sheds_more_each_second_and_takes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    watched = Watched()

    def pass_seconds(seconds: int) -> dict[str, float]:
        for _ in range(seconds):
            clock[0] += 1
            watched.fleet.tick()
        assert watched.fleet.index is not None
        return dict(watched.fleet.index.shed)

    watched.fleet.hear(Signals(loads={"a": 1.1}))
    assert watched.fleet.outlook.loads == {}  # until something is published with them
    assert pass_seconds(20) == {"a": pytest.approx(0.1)}
    assert watched.published[-1][0].shed == {"a": pytest.approx(0.1)}
    assert watched.published[-1][0].view is VIEW
    assert watched.published[-1][1].loads == {"a": 1.1}
    watched.fleet.hear(Signals())
    assert pass_seconds(60) == {}
