import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.api import codec
from controlplane.model import (
    Deployment,
    EndedDeployment,
    Function,
    Gradual,
    NodeProgress,
    NodeReport,
    Phase,
    PlacementState,
    PlacementStatus,
    Progress,
    Rollout,
    SandboxStatus,
    Share,
    Verdict,
    VersionStatus,
    Witness,
)
from controlplane.rollout import Decision
from nearhop.v1 import deployments_pb2, node_control_pb2, nodes_pb2

counts = st.integers(0, 2**32 - 1)
amounts = st.floats(0, 1e9)
reports = st.builds(
    NodeReport,
    node=st.just("tokyo-1"),
    instance=st.just("i"),
    snapshot_revision=counts,
    placements=st.tuples(
        st.builds(
            PlacementStatus,
            st.text(max_size=9),
            counts,
            st.sampled_from(PlacementState),
            counts,
            st.text(max_size=9),
            st.dictionaries(st.text(max_size=9), counts, max_size=3),
            st.booleans(),
            st.builds(
                VersionStatus, counts, st.dictionaries(st.text(max_size=9), counts, max_size=3), st.booleans()
            ).map(lambda version: (version,)),
        )
    ),
    sandboxes=st.tuples(
        st.builds(
            SandboxStatus,
            st.text(max_size=9),
            counts,
            st.text(max_size=9),
            counts,
            amounts,
            counts,
            counts,
            st.text(max_size=9),
        )
    ),
    load_1m=amounts,
    cpus=counts,
    memory_available_bytes=counts,
    isolation=st.text(max_size=9),
    deno_version=st.text(max_size=9),
    haproxy_version=st.text(max_size=9),
    ingress_ready=st.booleans(),
    reported_at=st.just(5.0),
)


@given(reports)
def test_a_report_survives_the_round_trip(report: NodeReport) -> None:
    assert codec.read_report(codec.report(report), node="tokyo-1", instance="i", now=5.0) == report


@given(st.binary(max_size=100))
def test_numbers_that_are_none_are_cut(data: bytes) -> None:
    message = node_control_pb2.NodeReport(load_1m=math.inf)
    message.sandboxes.add(cpu_s=math.nan)
    message.placements.add(state=77, error="e" * 5000)  # type: ignore[arg-type]  # of a newer agent
    report = codec.read_report(message, node="n", instance="i", now=0.0)
    assert (report.load_1m, report.sandboxes[0].cpu_s) == (0.0, 0.0)
    assert (report.placements[0].state, len(report.placements[0].error)) == (PlacementState.PENDING, 2000)


@pytest.mark.parametrize("verdict", Verdict)
def test_a_witness_survives_the_round_trip_in_its_own_name(verdict: Verdict) -> None:
    witness = Witness("r1", "tokyo-1", verdict, "why", 3.25, 0.5)
    assert codec.read_witness(codec.witness(witness), "r1") == witness
    assert codec.read_witness(codec.witness(witness), "r2").router == "r2"
    assert codec.read_witness(nodes_pb2.Witness(), "r1").verdict is Verdict.UNKNOWN


@given(st.floats(0, 4e9))
def test_times_keep_their_microseconds(seconds: float) -> None:
    assert abs(codec.seconds(codec.timestamp(seconds)) - seconds) <= 1.01e-6  # half of one, and the doubles' own error


DEPLOYMENT = Deployment(
    "f", 2, (Share(2, 90), Share(3, 10)), (Share(1, 100),), Phase.COMPLETE, "done", 1.0, "r", 2.0,
    nodes=(NodeProgress("a", "tokyo", Progress.REFUSED, "why"),),
)  # fmt: skip


def test_a_deployment_is_told_as_it_is_or_as_it_goes() -> None:
    message = codec.deployment(DEPLOYMENT)
    assert (message.phase, message.reason, message.ended_at.seconds) == (message.PHASE_COMPLETE, "done", 2)
    assert (message.nodes[0].state, message.nodes[0].error) == (deployments_pb2.NodeProgress.STATE_REFUSED, "why")
    going = Decision(Phase.PROGRESSING, "going", (NodeProgress("b", "london", Progress.PENDING),), failures=3)
    now = codec.deployment(DEPLOYMENT, going)
    assert (now.reason, now.nodes[0].node) == ("going", "b")
    assert codec.deployment(DEPLOYMENT, replace(going, phase=Phase.FAILED)).reason == "ending"


def test_a_rollout_is_told_with_what_comes_next() -> None:
    steps = Rollout(3, 2, Gradual((10, 100), 30.0), 0, 5.0, 6.0)
    record = replace(DEPLOYMENT, phase=Phase.PROGRESSING, ended_at=None, rollout=steps, note="n")
    message = codec.deployment(record, Decision(Phase.PROGRESSING, "going", (), failures=3))
    rollout = message.rollout
    assert (rollout.version, list(rollout.gradual.steps), rollout.gradual.max_failures) == (3, [10, 100], 10)
    assert (rollout.step, rollout.reached_at.seconds, rollout.next_at.seconds, rollout.failures) == (0, 6, 36, 3)
    assert message.note == "n"
    paused = codec.deployment(replace(record, phase=Phase.PAUSED)).rollout
    assert not paused.HasField("next_at")
    assert not codec.deployment(replace(record, rollout=replace(steps, reached_at=None))).rollout.HasField("reached_at")
    assert codec.gradual(rollout.gradual) == steps.gradual
    assert codec.gradual(deployments_pb2.Gradual(steps=[100])) == Gradual((100,))


def test_an_earlier_deployment_is_told_as_it_ended() -> None:
    message = codec.ended_deployment("f", EndedDeployment(1, (Share(1, 100),), (), Phase.FAILED, "why", 1.0, 2.0))
    assert (message.function, message.generation, message.phase, message.reason) == (
        "f",
        1,
        message.PHASE_FAILED,
        "why",
    )


def test_the_active_version_is_the_one_with_the_greatest_share() -> None:
    function = Function("f", ("f.example.org",), 1.0, "r")
    assert codec.function(function, DEPLOYMENT).active_version == 2
    assert codec.function(function, None).active_version == 0
