from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.model import Verdict
from controlplane.steering import (
    Alarm,
    Answered,
    Doubt,
    Failed,
    FleetHealth,
    Followed,
    HealthPolicy,
    Heard,
    Publish,
    Sight,
    Ticked,
    step,
)
from controlplane.steering.health import Command, Event

FIVE = ("a", "b", "c", "d", "e")


class Play:
    """Feeds events at given times and keeps what came out."""

    def __init__(self, nodes: Iterable[str] = FIVE, policy: HealthPolicy | None = None) -> None:
        self.state = FleetHealth()
        self.policy = policy or HealthPolicy(successes_up=2)
        self.commands: list[Command] = []
        self.at(0, Followed(tuple(nodes)))

    def at(self, now: float, *events: Event) -> list[Command]:
        fresh: list[Command] = []
        for event in events:
            self.state, commands = step(self.state, event, now, self.policy)
            fresh += commands
        self.commands += fresh
        return fresh

    def all_up(self, now: float = 0) -> "Play":
        self.at(now, *(Answered(node, 0.01) for node in self.state.nodes))
        return self

    def kill(self, now: float, *nodes: str) -> list[Command]:
        return self.at(now, *(Failed(node, "refused") for node in nodes for _ in range(2)))

    def verdict(self, node: str) -> Verdict:
        return self.state.published()[node].verdict


def verdicts(commands: Iterable[Command]) -> list[tuple[str, Verdict]]:
    return [(command.health.node, command.health.verdict) for command in commands if isinstance(command, Publish)]


def doubts(commands: Iterable[Command]) -> list[tuple[str, str]]:
    return [(command.health.node, command.health.doubt) for command in commands if isinstance(command, Doubt)]


def alarms(commands: Iterable[Command]) -> list[bool]:
    return [command.raised for command in commands if isinstance(command, Alarm)]


def test_a_new_node_is_unknown_until_its_first_good_probe() -> None:
    play = Play(["a"])
    assert verdicts(play.commands) == [("a", Verdict.UNKNOWN)]
    assert verdicts(play.at(1, Answered("a", 0.02))) == [("a", Verdict.UP)]
    assert (play.state.nodes["a"].rtt_s, play.state.nodes["a"].since, play.state.nodes["a"].reason) == (
        0.02,
        1,
        "answers probes",
    )


def test_one_failure_changes_nothing_two_in_a_row_take_a_node_out() -> None:
    play = Play(["a"]).all_up()
    steady = Answered("a", 0.01)
    assert verdicts(play.at(1, Failed("a", "refused"), steady, steady, Failed("a", "refused"))) == []
    assert verdicts(play.at(2, Failed("a", "127.0.0.1:80: refused"))) == [("a", Verdict.DOWN)]
    assert (play.state.nodes["a"].reason, play.state.nodes["a"].since) == ("127.0.0.1:80: refused", 2)


def test_two_good_probes_in_a_row_bring_it_back() -> None:
    play = Play(["a"]).all_up()
    play.kill(1, "a")
    assert play.at(2, Answered("a", 0.01), Failed("a", "x"), Answered("a", 0.01)) == []
    assert verdicts(play.at(3, Answered("a", 0.03))) == [("a", Verdict.UP)]
    assert play.state.nodes["a"].reason == "answered 2 probes in a row"


def test_a_good_probe_of_a_node_that_is_up_only_renews_its_rtt() -> None:
    play = Play(["a"]).all_up()
    assert play.at(9, Answered("a", 0.5)) == []
    assert (play.state.nodes["a"].rtt_s, play.state.nodes["a"].since) == (0.5, 0)


def test_nodes_that_leave_are_forgotten_and_their_late_probes_ignored() -> None:
    play = Play(["a", "b"]).all_up()
    assert play.at(1, Followed(("b",)), Answered("a", 0.01), Failed("a", "x")) == []
    assert set(play.state.nodes) == {"b"}
    assert play.verdict("b") is Verdict.UP


def test_a_single_good_probe_does_not_make_a_failure_forgotten() -> None:
    play = Play(["a"]).all_up()
    commands = play.at(1, Failed("a", "late"), Answered("a", 0.01), Failed("a", "late"))
    assert verdicts(commands) == [("a", Verdict.DOWN)]


def test_a_failed_probe_brings_doubt_and_good_ones_take_it_away() -> None:
    play = Play(["a"]).all_up()
    assert doubts(play.at(1, Failed("a", "late"))) == [("a", "a probe of this router has just failed")]
    assert play.at(2, Answered("a", 0.01)) == []
    assert doubts(play.at(3, Answered("a", 0.01))) == [("a", "")]


@pytest.mark.parametrize("phase", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("reached", [False, True])
def test_f27_a_node_that_flaps_every_three_seconds_stays_out(phase: int, reached: bool) -> None:
    play = Play(["a"], HealthPolicy()).all_up()
    changes = []
    for half in range(2, 1200):  # ten minutes of probes, two a second
        now = half / 2
        event = Answered("a", 0.01) if int((now + phase) / 3) % 2 == 0 else Failed("a", "refused", reached)
        changes += [now for _ in verdicts(play.at(now, event))]
    assert len(changes) == 1


def test_falls_that_lie_back_more_than_the_window_are_forgiven() -> None:
    play = Play(["a"]).all_up()
    for start in (100, 200, 300):
        play.kill(start, "a")
        assert verdicts(play.at(start + 1, Answered("a", 0.01), Answered("a", 0.01))) == [("a", Verdict.UP)]


def test_damping_has_a_limit() -> None:
    play = Play(["a"]).all_up()
    for round_ in range(6):
        play.kill(round_, "a")
        play.at(round_, *[Answered("a", 0.01)] * 60)
        assert play.verdict("a") is Verdict.UP


@pytest.mark.parametrize("victims", ["a", "ab"])
def test_the_brake_lets_one_or_two_of_five_go_at_once(victims: str) -> None:
    play = Play().all_up()
    assert verdicts(play.kill(10, *victims)) == [(node, Verdict.DOWN) for node in victims]
    assert not play.state.held


def test_the_brake_keeps_the_last_answers_when_three_of_five_vanish() -> None:
    play = Play().all_up()
    play.kill(10, "a", "b")
    commands = play.kill(11, "c")
    assert verdicts(commands) == [("a", Verdict.UP), ("b", Verdict.UP)]
    assert alarms(commands) == [True]
    assert [play.verdict(node) for node in FIVE] == [Verdict.UP] * 5
    assert play.state.published()["c"].reason == "held by the brake: refused"
    assert play.state.nodes["c"].verdict is Verdict.DOWN


def test_the_brake_believes_machines_that_refuse_the_connection() -> None:
    play = Play().all_up()
    commands = play.at(10, *(Failed(node, "refused", reached=True) for node in "abcd" for _ in range(2)))
    assert verdicts(commands) == [(node, Verdict.DOWN) for node in "abcd"]
    assert alarms(commands) == []


def test_more_that_vanish_under_the_brake_are_held_too() -> None:
    play = Play().all_up()
    play.kill(10, "a", "b", "c")
    assert verdicts(play.kill(11, "d", "e")) == []
    assert play.state.held == set(FIVE)


def test_the_brake_ends_when_the_nodes_answer_again() -> None:
    play = Play().all_up()
    play.kill(10, "a", "b", "c")
    commands = play.at(12, *(Answered(node, 0.01) for node in "abc" for _ in range(2)))
    assert verdicts(commands) == []
    assert alarms(commands) == [False]
    assert not play.state.held


def test_the_brake_ends_by_itself_and_believes_the_probes_then() -> None:
    play = Play().all_up()
    play.kill(10, "a", "b", "c")
    assert play.at(39, Ticked()) == []
    commands = play.at(40.5, Ticked())
    assert verdicts(commands) == [(node, Verdict.DOWN) for node in "abc"]
    assert alarms(commands) == [False]
    assert play.at(41, Ticked()) == []


def test_three_that_vanish_one_after_the_other_are_believed() -> None:
    play = Play().all_up()
    for now, victim in ((10, "a"), (13, "b"), (16, "c")):
        assert verdicts(play.kill(now, victim)) == [(victim, Verdict.DOWN)]


def test_three_of_many_are_believed() -> None:
    play = Play([f"n{number}" for number in range(20)]).all_up()
    assert len(verdicts(play.kill(10, "n0", "n1", "n2"))) == 3
    assert not play.state.held


def test_nodes_never_seen_up_do_not_vanish() -> None:
    play = Play()
    assert len(verdicts(play.kill(1, *FIVE))) == 5
    assert not play.state.held


R2_SEES_IT = Sight(up=("r2",))
R2_MISSES_IT = Sight(down=("r2",))


def test_a_node_that_only_this_router_does_not_reach_stays_in_doubt() -> None:
    play = Play().all_up()
    play.at(1, Heard(dict.fromkeys(FIVE, R2_SEES_IT)))
    assert verdicts(play.kill(10, "a")) == []
    found = play.state.published()["a"]
    assert found.verdict is Verdict.UP
    assert found.reason == found.doubt == "only this router does not reach it (refused), others do: r2"
    # Nobody else sees it either: now it is out at once.
    assert verdicts(play.at(10.3, Heard({"a": R2_MISSES_IT}))) == [("a", Verdict.DOWN)]
    assert verdicts(play.at(20, Heard({"a": R2_SEES_IT}))) == [("a", Verdict.UP)]


def test_without_anybody_who_passes_it_on_the_others_word_is_void() -> None:
    play = Play().all_up()
    play.at(1, Heard(dict.fromkeys(FIVE, R2_SEES_IT)))
    play.kill(10, "a")
    assert verdicts(play.at(11, Heard())) == [("a", Verdict.DOWN)]


def test_a_machine_that_refuses_is_down_whatever_others_say() -> None:
    play = Play().all_up()
    play.at(1, Heard(dict.fromkeys(FIVE, R2_SEES_IT)))
    assert verdicts(play.at(2, *[Failed("a", "refused", reached=True)] * 2)) == [("a", Verdict.DOWN)]


def test_as_many_others_down_as_up_do_not_overrule_this_router() -> None:
    play = Play().all_up()
    play.at(1, Heard({"a": Sight(up=("r2",), down=("r3",))}))
    assert verdicts(play.kill(10, "a")) == [("a", Verdict.DOWN)]


def test_a_bad_uplink_of_one_router_moves_nothing_while_others_see_the_fleet() -> None:
    play = Play().all_up()
    play.at(1, Heard(dict.fromkeys(FIVE, Sight(up=("r2", "r3")))))
    play.kill(10, *FIVE)
    play.at(100, Ticked())
    assert [play.verdict(node) for node in FIVE] == [Verdict.UP] * 5


def test_before_its_first_probe_the_others_word_counts() -> None:
    play = Play(["a", "b"])
    assert verdicts(play.at(0.1, Heard({"a": R2_MISSES_IT, "b": R2_SEES_IT}))) == [("a", Verdict.DOWN)]
    assert play.state.published()["a"].reason == "not probed yet, but others see it down: r2"
    assert verdicts(play.at(0.2, Answered("a", 0.01))) == [("a", Verdict.UP)]


def test_others_that_miss_a_node_and_a_silent_agent_bring_doubt_only() -> None:
    play = Play(["a", "b"]).all_up()
    commands = play.at(1, Heard({"a": R2_MISSES_IT}, frozenset(("b",))))
    assert doubts(commands) == [("a", "others see it down: r2"), ("b", "its agent is silent")]
    assert verdicts(commands) == []


def test_a_loss_that_others_confirm_is_not_braked() -> None:
    play = Play().all_up()
    play.at(1, Heard(dict.fromkeys("abc", R2_MISSES_IT)))
    assert verdicts(play.kill(10, "a", "b", "c")) == [(node, Verdict.DOWN) for node in "abc"]
    assert not play.state.held


def test_the_brake_lets_go_when_others_confirm_the_loss() -> None:
    play = Play().all_up()
    play.kill(10, "a", "b", "c")
    commands = play.at(10.4, Heard(dict.fromkeys("abc", R2_MISSES_IT)))
    assert verdicts(commands) == [(node, Verdict.DOWN) for node in "abc"]
    assert alarms(commands) == [False]


EVENTS = st.one_of(
    st.builds(Answered, st.sampled_from(FIVE), st.just(0.01)),
    st.builds(Failed, st.sampled_from(FIVE), st.just("refused")),
    st.builds(Followed, st.lists(st.sampled_from(FIVE), unique=True).map(tuple)),
    st.just(Ticked()),
    st.builds(Heard, st.dictionaries(st.sampled_from(FIVE), st.sampled_from((R2_SEES_IT, R2_MISSES_IT)))),
)


@given(st.lists(st.tuples(st.floats(0, 3), EVENTS), max_size=120))
def test_any_events_publish_every_change_and_nothing_else_and_recover_after_all(
    history: list[tuple[float, Event]],
) -> None:
    play = Play()
    told = dict(verdicts(play.commands))
    now = 0.0
    for passed, event in history:
        now += passed
        told.update(verdicts(play.at(now, event)))
        for node, health in play.state.published().items():
            assert told[node] is health.verdict
        assert play.state.held <= {node for node, health in play.state.nodes.items() if health.verdict is Verdict.DOWN}
    play.at(now + 100, Heard(), Ticked(), Followed(FIVE), *(Answered(node, 0.01) for node in FIVE for _ in range(61)))
    assert all(health.verdict is Verdict.UP for health in play.state.published().values())
    assert not play.state.held
