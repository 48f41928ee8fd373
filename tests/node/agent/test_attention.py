"""Which functions a plan is about, turn by turn."""

from nearhop.spec import Dialect, Limits
from node.agent.attention import REVISIT_S, Attention
from node.plan.records import Observed, SandboxSpec, Version

NOTHING = Observed()


def test_what_has_happened_is_part_of_every_turn_until_the_plan_rests() -> None:
    attention = Attention()
    attention.happened({"a"})
    assert attention.has_news
    assert attention.turn(NOTHING) == {"a"}
    assert not attention.has_news
    attention.happened({"b"})
    assert attention.turn(NOTHING) == {"a", "b"}
    attention.rest(done=True)
    assert attention.turn(NOTHING) == set()


def test_what_could_not_be_done_is_part_of_the_next_turns() -> None:
    attention = Attention()
    attention.happened({"a"})
    attention.turn(NOTHING)
    attention.rest(done=False)
    assert attention.turn(NOTHING) == {"a"}


def test_what_a_turn_that_failed_was_about_is_not_lost() -> None:
    attention = Attention()
    attention.happened({"a"})
    attention.turn(NOTHING)  # and no rest: it has raised
    assert attention.turn(NOTHING) == {"a"}


def test_a_turn_is_the_callers_own() -> None:
    attention = Attention()
    attention.happened({"a"})
    attention.turn(NOTHING).clear()
    assert attention.turn(NOTHING) == {"a"}


def test_what_is_not_as_it_should_be_is_in_every_turn_while_it_is_placed() -> None:
    attention = Attention()
    attention.waits("a", pending=True)
    attention.waits("b", pending=True)
    attention.waits("b", pending=False)
    assert attention.turn(NOTHING) == {"a"}
    attention.rest(done=True)
    assert attention.turn(NOTHING) == {"a"}
    attention.rest(done=True)
    attention.keep({"b"})
    assert attention.turn(NOTHING) == set()


def test_requests_that_wait_and_several_sandboxes_are_seen_without_a_word() -> None:
    spec = SandboxSpec("busy", Version(1, "d", 1, Dialect.WORKERS), Limits())
    observed = Observed(demanded=frozenset({"shop@2", "hello"}), instances={spec: 2})
    assert Attention().turn(observed) == {"shop", "hello", "busy"}


def test_each_function_has_its_turn_though_nothing_happens_to_it() -> None:
    attention, placed = Attention(), [f"f{number}" for number in range(250)]
    seen: list[set[str]] = []
    for look in range(1, 5):
        attention.look_round(placed, look * REVISIT_S)
        attention.look_round(placed, look * REVISIT_S + 1)  # too soon
        seen.append(attention.turn(NOTHING))
        attention.rest(done=True)
    assert [len(names) for names in seen] == [100, 100, 50, 100]
    assert set().union(*seen[:3]) == set(placed)
