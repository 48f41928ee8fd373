from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.model import Deployment, NodeProgress, Phase, PlacementState, PlacementStatus, Progress, Share
from controlplane.rollout import Decision, PlacedNode, apply, plan
from controlplane.rollout.plan import describe

DEADLINE_S = 60.0
REVISION = 40
DEPLOYMENT = Deployment("hello", 2, (Share(2, 100),), (Share(1, 100),), Phase.PROGRESSING, "", 1000.0, "r")


def node(
    name: str,
    state: PlacementState | None = None,
    *,
    generation: int = 2,
    seen: int = REVISION,
    connected: bool = True,
    error: str = "",
) -> PlacedNode:
    status = None if state is None else PlacementStatus("hello", generation, state, 1, error)
    return PlacedNode(name, "region", connected, seen, status)


def decide(*nodes: PlacedNode, now: float = 1001.0) -> Decision:
    return plan(DEPLOYMENT, REVISION, nodes, now, deadline_s=DEADLINE_S)


def progress(decision: Decision) -> list[Progress]:
    return [node.progress for node in decision.nodes]


def test_it_is_complete_when_every_connected_node_serves_it() -> None:
    decision = decide(node("a", PlacementState.ACTIVE), node("b", PlacementState.ACTIVE), node("c", connected=False))
    assert decision.phase is Phase.COMPLETE
    assert decision.reason == "2 nodes serve version 2"
    assert progress(decision) == [Progress.ACTIVE, Progress.ACTIVE, Progress.UNREACHABLE]
    assert decision.look_again_at is None


def test_it_goes_on_while_a_connected_node_has_not_acknowledged() -> None:
    decision = decide(node("a", PlacementState.ACTIVE), node("b"), node("c", PlacementState.PENDING))
    assert decision.phase is Phase.PROGRESSING
    assert decision.reason == "1 of 3 nodes serve version 2; waiting for b, c"
    assert decision.look_again_at == DEPLOYMENT.created_at + DEADLINE_S


def test_it_is_never_complete_without_a_node() -> None:
    for nodes in ((), (node("a", PlacementState.ACTIVE, connected=False),)):
        decision = decide(*nodes)
        assert (decision.phase, decision.reason) == (Phase.PROGRESSING, "no node is connected")


def test_one_refusal_fails_it_and_is_quoted() -> None:
    decision = decide(node("a", PlacementState.ACTIVE), node("b", PlacementState.REFUSED, error="TypeError: x"))
    assert (decision.phase, decision.reason) == (Phase.FAILED, "node b refused it: TypeError: x")
    assert decision.nodes[1] == NodeProgress("b", "region", Progress.REFUSED, "TypeError: x")


def test_several_refusals_are_counted_and_a_silent_one_is_named() -> None:
    decision = decide(*(node(name, PlacementState.REFUSED) for name in "abc"))
    assert decision.reason == "node a refused it (so did 2 nodes more): it gave no reason"


@pytest.mark.parametrize("status", [{"generation": 1}, {"seen": REVISION - 1}])
def test_what_a_node_says_about_another_deployment_does_not_count(status: dict[str, int]) -> None:
    for state in (PlacementState.ACTIVE, PlacementState.REFUSED):
        assert progress(decide(node("a", state, **status))) == [Progress.PENDING]


def test_it_fails_when_out_of_time_and_names_who_it_waited_for() -> None:
    late = DEPLOYMENT.created_at + DEADLINE_S
    decision = decide(node("a", PlacementState.ACTIVE), *(node(f"n{number}") for number in range(7)), now=late)
    assert decision.phase is Phase.FAILED
    assert decision.reason == "out of time after 60 s: waiting for n0, n1, n2, n3, n4 and 2 more"
    assert decide(now=late).reason == "out of time after 60 s: no node is connected"
    assert decide(now=late - 0.001).phase is Phase.PROGRESSING


def test_what_holds_a_node_up_is_told_while_it_is_waited_for_and_at_the_end() -> None:
    full = "bundle 0123 cannot be stored: No space left on device"
    nodes = (*(node(f"n{number}") for number in range(6)), node("z", PlacementState.PENDING, error=full))
    decision = decide(*nodes)
    assert decision.nodes[-1] == NodeProgress("z", "region", Progress.PENDING, full)
    assert decision.reason == f"0 of 7 nodes serve version 2; waiting for z ({full}), n0, n1, n2, n3 and 2 more"
    late = decide(*nodes, now=DEPLOYMENT.created_at + DEADLINE_S)
    assert (late.phase, f"z ({full})" in late.reason) == (Phase.FAILED, True)


@pytest.mark.parametrize("phase", [Phase.COMPLETE, Phase.FAILED])
def test_what_has_ended_stays_as_it_is(phase: Phase) -> None:
    kept = (NodeProgress("a", "region", Progress.ACTIVE),)
    ended = replace(DEPLOYMENT, phase=phase, reason="because", nodes=kept)
    decision = plan(ended, REVISION, [node("b", PlacementState.REFUSED)], 1e9, deadline_s=DEADLINE_S)
    assert decision == Decision(phase, "because", kept)


def test_applying_a_decision_ends_the_deployment_once() -> None:
    decision = decide(node("a", PlacementState.ACTIVE))
    ended = apply(DEPLOYMENT, decision, 1002.0)
    assert (ended.phase, ended.reason, ended.ended_at, ended.nodes) == (
        Phase.COMPLETE,
        decision.reason,
        1002.0,
        decision.nodes,
    )
    assert apply(DEPLOYMENT, decide(node("a")), 1002.0) is DEPLOYMENT


def test_shares_are_named_with_their_percentages_when_there_are_several() -> None:
    assert describe((Share(3, 90), Share(4, 10))) == "versions 3 (90 %), 4 (10 %)"


nodes = st.lists(
    st.builds(
        node,
        st.text("abc", min_size=1, max_size=3),
        st.sampled_from([None, *PlacementState]),
        generation=st.integers(1, 3),
        seen=st.integers(REVISION - 1, REVISION + 1),
        connected=st.booleans(),
        error=st.text(max_size=5),
    ),
    max_size=6,
)


@given(nodes, st.floats(0, 2000))
def test_safety_and_liveness(placed: list[PlacedNode], now: float) -> None:
    decision = plan(DEPLOYMENT, REVISION, placed, now, deadline_s=DEADLINE_S)
    assert decision.reason
    assert [told.node for told in decision.nodes] == [asked.id for asked in placed]
    if decision.phase is Phase.COMPLETE:
        assert all(
            asked.status is not None and asked.status.state is PlacementState.ACTIVE
            for asked in placed
            if asked.connected
        )
        assert any(asked.connected for asked in placed)
    if decision.phase is Phase.PROGRESSING:
        assert decision.look_again_at is not None
        later = plan(DEPLOYMENT, REVISION, placed, decision.look_again_at, deadline_s=DEADLINE_S)
        assert later.phase is not Phase.PROGRESSING
