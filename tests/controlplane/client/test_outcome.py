import io

import pytest

from controlplane.client import outcome, show
from nearhop.v1 import common_pb2, deployments_pb2, functions_pb2, nodes_pb2

DEPLOYMENT = deployments_pb2.Deployment
NODE = deployments_pb2.NodeProgress


def share(version: int, percent: int) -> common_pb2.Share:
    return common_pb2.Share(version=version, percent=percent)


def progress(node: str, state: int, error: str = "") -> deployments_pb2.NodeProgress:
    return NODE(node=node, region=node.partition("-")[0], state=state, error=error)  # type: ignore[arg-type]


def node(port: int) -> nodes_pb2.Node:
    return nodes_pb2.Node(id="tokyo-1", ingress=common_pb2.Ingress(ipv4=["192.0.2.1"], port=port))


FUNCTION = functions_pb2.Function(name="hello", hostnames=["hello.example.org", "www.example.org"])
GRADUAL = DEPLOYMENT(
    function="hello",
    generation=2,
    phase=DEPLOYMENT.PHASE_PROGRESSING,
    reason="version 2 has 10 % of the traffic",
    shares=[share(1, 90), share(2, 10)],
    nodes=[progress("tokyo-1", NODE.STATE_ACTIVE), progress("london-1", NODE.STATE_PENDING, "fetching")],
    rollout=deployments_pb2.Rollout(
        version=2, gradual=deployments_pb2.Gradual(steps=[10, 100], pause_s=60, max_failures=3), step=0, failures=1
    ),
)


def test_a_deployment_as_json() -> None:
    whole = DEPLOYMENT(function="hello", phase=DEPLOYMENT.PHASE_COMPLETE, shares=[share(3, 100)])
    told = outcome.as_json(whole, FUNCTION, [node(7480)])
    assert (told["version"], told["phase"], told["shares"]) == (3, "complete", {"3": 100})
    assert (told["hostname"], told["url"]) == ("hello.example.org", "http://hello.example.org:7480/")
    assert (told["rollout"], told["nodes"]) == (None, [])
    nameless = outcome.as_json(DEPLOYMENT(function="hello", phase=99), functions_pb2.Function(), [])  # type: ignore[arg-type]
    assert [nameless[key] for key in ("version", "phase", "hostname", "url")] == [None, "unknown", None, None]


def test_a_gradual_deployment_as_json() -> None:
    told = outcome.as_json(GRADUAL, FUNCTION, [node(80)])
    assert (told["version"], told["url"]) == (2, "http://hello.example.org/")
    assert told["nodes"] == [
        {"node": "tokyo-1", "region": "tokyo", "state": "active", "error": ""},
        {"node": "london-1", "region": "london", "state": "pending", "error": "fetching"},
    ]
    assert told["rollout"] == {
        "version": 2, "steps": [10, 100], "step": 0, "pause_s": 60.0, "hold": False, "max_failures": 3, "failures": 1,
        "reached": False, "next_at": None,
    }  # fmt: skip
    later = DEPLOYMENT()
    later.CopyFrom(GRADUAL)
    later.rollout.reached_at.FromSeconds(1_700_000_000)
    later.rollout.next_at.FromSeconds(1_700_000_060)
    rollout = outcome.rollout_json(later)
    assert rollout is not None
    assert (rollout["reached"], rollout["next_at"]) == (True, "2023-11-14T22:14:20Z")


def test_nodes_that_refused_for_the_same_reason_share_a_line() -> None:
    failed = DEPLOYMENT(
        function="hello",
        phase=DEPLOYMENT.PHASE_FAILED,
        reason="node tokyo-1 refused it\nand more",
        nodes=[
            progress("tokyo-1", NODE.STATE_REFUSED, "RangeError: no config\n  at program.js:1"),
            progress("london-1", NODE.STATE_ACTIVE),
            progress("paris-1", NODE.STATE_REFUSED),
            progress("sydney-1", NODE.STATE_REFUSED, "RangeError: no config\n  at program.js:1"),
        ],
    )
    told = outcome.refusal(failed)
    assert str(told) == "the deployment of hello failed. node tokyo-1 refused it"
    assert told.reasons == (
        "tokyo-1, sydney-1:\nRangeError: no config\n  at program.js:1",
        "paris-1:\nno reason given",
    )


def test_a_deployment_that_was_rolled_back_is_a_failure_that_says_so() -> None:
    back = DEPLOYMENT(
        function="hello",
        phase=DEPLOYMENT.PHASE_ROLLED_BACK,
        reason="version 2 has failed 11 times",
        previous=[share(1, 100)],
    )
    told = str(outcome.refusal(back))
    assert "the deployment of hello was rolled back" in told
    assert "Version 1 goes on serving" in told


def test_each_change_is_one_line_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with outcome.Progress() as shown:
        for _ in range(2):  # nothing new the second time
            shown.watch(GRADUAL)
        later = DEPLOYMENT()
        later.CopyFrom(GRADUAL)
        later.nodes[1].state = NODE.STATE_ACTIVE
        shown.watch(later)
    assert capsys.readouterr().err.splitlines() == [
        "version 2 has 10 % of the traffic",
        "tokyo-1 (tokyo): active",
        "london-1 (london): pending",
        "london-1 (london): active",
    ]


def test_the_table_shows_control_characters_as_text() -> None:
    odd = DEPLOYMENT(nodes=[progress("tokyo-1", NODE.STATE_REFUSED, "\x1b[2J gone")])
    screen = io.StringIO()
    show.console(screen).print(outcome.progress_table(odd, 100))
    assert "\x1b" not in screen.getvalue()
    assert r"\x1b[2J gone" in screen.getvalue()
    assert "refused" in screen.getvalue()
