from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from controlplane.model import CronMarks, Deployment, Due, NodeReport, Phase, Share
from controlplane.model.schedule import GRACE_S, active_version, choose, plan

START = 1_000_000_020.0  # a whole minute
EVERY = "* * * * *"


def test_a_new_cron_begins_now() -> None:
    found = plan([EVERY], CronMarks("hello"), START + 1)
    assert (found.due, found.late, found.next_at) == ((), (), START + 60)
    assert found.marks == CronMarks("hello", {EVERY: START + 1})
    assert plan([], found.marks, START).marks == CronMarks("hello")  # one that is gone is forgotten


def test_what_is_due_is_called_once() -> None:
    marks = CronMarks("hello", {EVERY: START})
    found = plan([EVERY, EVERY], marks, START + 60)
    assert (found.due, found.next_at) == ((Due(EVERY, START + 60),), START + 120)
    assert plan([EVERY], found.marks, START + 60).due == ()


def test_what_came_within_the_grace_is_made_good_and_the_rest_is_told() -> None:
    marks = CronMarks("hello", {EVERY: START})
    found = plan([EVERY], marks, START + 180)
    assert [due.at for due in found.due] == [START + 60, START + 120, START + 180]
    assert found.late == ()
    found = plan([EVERY], marks, START + 3600)
    assert [due.at for due in found.due] == [START + 3600 - GRACE_S + step for step in (60, 120, 180, 240, 300)]
    assert [due.at for due in found.late] == [START + 60]


def test_a_cron_that_was_not_due_is_not_late() -> None:
    hourly = "0 * * * *"
    found = plan([hourly], CronMarks("hello", {hourly: START - GRACE_S}), START + 10)
    assert (found.due, found.late) == ((), ())


def test_a_transaction_takes_a_bounded_number() -> None:
    crons = [f"* * * * {day}-7" for day in range(1, 8)] + [f"* * {day}-31 * *" for day in range(1, 20)]
    marks = CronMarks("hello", dict.fromkeys(crons, START - GRACE_S))
    first = plan(crons, marks, START)
    assert len(first.due) == 40
    second = plan(crons, first.marks, START)
    assert second.due
    assert not set(first.due) & set(second.due)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=12))
def test_whoever_leads_nothing_is_called_twice_or_left_out(steps: list[int]) -> None:
    now, marks, called = START, CronMarks("hello", {EVERY: START}), []
    for step in steps:
        now += min(step, GRACE_S)
        found = plan([EVERY], marks, now)
        assert found.late == ()
        called += [due.at for due in found.due]
        marks = found.marks
    assert called == [START + 60 * count for count in range(1, int((now - START) // 60) + 1)]


def report(node: str, load: float = 0.0, cpus: int = 2) -> NodeReport:
    return NodeReport(node, "i", 1, load_1m=load, cpus=cpus)


def test_the_least_loaded_node_that_runs_the_version_makes_the_call() -> None:
    busy, idle, other = report("busy", 3.0), report("idle"), report("other")
    assert choose([(busy, True), (idle, True), (other, False)], "k") == "idle"
    assert choose([(busy, True), (other, False)], "k") == "busy"
    assert choose([(busy, True), (other, False)], "k", not_on="busy") == "other"
    assert choose([(busy, True)], "k", not_on="busy") is None
    assert choose([(report("none", 1.0, 0), True)], "k") == "none"
    nodes = [(report(f"n{number}"), True) for number in range(4)]
    assert {choose(nodes, f"{number}") for number in range(50)} == {"n0", "n1", "n2", "n3"}


def test_the_version_before_counts_while_a_deployment_goes_on() -> None:
    going = Deployment("hello", 2, (Share(2, 100),), (Share(1, 100),), Phase.PROGRESSING, "", 0.0, "r")
    assert active_version(going) == 1
    assert active_version(replace(going, phase=Phase.COMPLETE)) == 2
    assert active_version(replace(going, phase=Phase.FAILED)) == 1
    assert active_version(replace(going, previous=())) == 2
    assert active_version(replace(going, previous=(), phase=Phase.FAILED)) == 0


def test_one_that_never_comes_round_again_is_not_waited_for() -> None:
    found = plan(["0 0 30 2 *"], CronMarks("hello"), START)
    assert (found.due, found.next_at) == ((), None)
