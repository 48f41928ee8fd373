from dataclasses import replace

from controlplane.api.desired import Desired, derive, same_inputs
from controlplane.model import Deployment, Function, Ingress, Location, Node, NodeReport, Phase, Share, Version
from controlplane.store.view import Stored, View
from nearhop.spec import Dialect
from nearhop.v1 import node_control_pb2

FUNCTION = Function("hello", ("hello.example.org",), 0.0, "r")
DEPLOYMENT = Deployment(
    "hello", 2, (Share(2, 100),), (Share(1, 100),), Phase.COMPLETE, "", 0.0, "r", previous_generation=1
)


def version(number: int) -> Stored[Version]:
    return Stored(Version("hello", number, str(number) * 64, 9, Dialect.DENO, "", "", "", 0.0, "r"), number)


def node(name: str, *, draining: bool = False) -> Stored[Node]:
    return Stored(Node(name, "tokyo", "", Location(1, 2), Ingress(80, ("192.0.2.1",)), draining), 1)


VIEW = View(
    revision=10,
    functions={"hello": Stored(FUNCTION, 1), "aaa": Stored(replace(FUNCTION, name="aaa"), 1)},
    versions={("hello", 1): version(1), ("hello", 2): version(2)},
    deployments={"hello": Stored(DEPLOYMENT, 5)},
    nodes={"b": node("b"), "a": node("a", draining=True)},
)


def wanted(desired: Desired, name: str) -> list[tuple[int, list[int]]]:
    placements = desired.snapshot(name).placements
    return [(placement.generation, [placed.number for placed in placement.versions]) for placement in placements]


def failed(*, first: bool = False) -> View:
    deployment = replace(DEPLOYMENT, phase=Phase.FAILED)
    if first:
        deployment = replace(deployment, previous=(), previous_generation=0)
    return replace(VIEW, revision=11, deployments={"hello": Stored(deployment, 11)})


def test_a_snapshot_is_complete_in_itself() -> None:
    snapshot = derive(VIEW, "example.org", None).snapshot("a")
    assert (snapshot.revision, snapshot.zone, snapshot.draining) == (10, "example.org", True)
    (placement,) = snapshot.placements
    assert (placement.function, placement.generation, list(placement.hostnames)) == ("hello", 2, ["hello.example.org"])
    assert (placement.versions[0].digest, placement.versions[0].percent) == ("2" * 64, 100)


def test_a_node_that_nobody_knows_gets_nothing() -> None:
    assert not derive(VIEW, "example.org", None).snapshot("c").placements


def test_a_failed_deployment_gives_back_the_versions_and_their_generation() -> None:
    assert wanted(derive(VIEW, "z", None), "a") == [(2, [2])]
    assert wanted(derive(failed(), "z", None), "a") == [(1, [1])]
    assert wanted(derive(failed(first=True), "z", None), "a") == []


def test_the_fleet_has_all_nodes_and_the_functions_in_force() -> None:
    desired = derive(VIEW, "example.org", None)
    assert [(routed.id, routed.draining) for routed in desired.fleet.nodes] == [("a", True), ("b", False)]
    assert [(routed.name, routed.nodes) for routed in desired.fleet.functions] == [("hello", ("a", "b"))]
    assert (desired.routing.epoch, desired.routing.zone) == (10, "example.org")
    assert desired.routing.nodes[0].ingress.port == 80
    assert not derive(failed(first=True), "example.org", None).fleet.functions


def test_a_node_without_a_lease_stays_in_the_fleet() -> None:
    assert not VIEW.health
    assert len(derive(VIEW, "example.org", None).fleet.nodes) == 2


def test_the_epoch_moves_only_when_routers_would_answer_otherwise() -> None:
    before = derive(VIEW, "example.org", None)
    versions_only = derive(failed(), "example.org", before)
    assert versions_only.fleet is before.fleet
    assert versions_only.routing is before.routing
    drained = derive(replace(VIEW, revision=12, nodes={"b": node("b")}), "example.org", versions_only)
    assert (drained.fleet.epoch, drained.routing.epoch) == (12, 12)


def test_reports_alone_change_nothing() -> None:
    reported = replace(VIEW, revision=11, health={"a": Stored(NodeReport("a", "i", 1), 11)})
    assert same_inputs(VIEW, reported)
    assert not same_inputs(VIEW, failed())


def test_a_version_whose_record_is_missing_is_left_out() -> None:
    assert wanted(derive(replace(VIEW, versions={}), "z", None), "a") == [(2, [])]


def test_what_has_not_changed_is_not_made_again() -> None:
    before = derive(VIEW, "example.org", None)
    secret = node_control_pb2.Secret(name="TOKEN", value="v")
    same = derive(replace(VIEW, revision=12), "example.org", before)
    assert same.placements[0][1] is before.placements[0][1]
    with_secret = derive(VIEW, "example.org", same, {"hello": [secret]})
    assert [found.value for found in with_secret.placements[0][1].secrets] == ["v"]
    again = derive(VIEW, "example.org", with_secret, {"hello": [node_control_pb2.Secret(name="TOKEN", value="v")]})
    assert again.placements[0][1] is with_secret.placements[0][1]
    stored = VIEW.functions["hello"]
    purged = Stored(replace(stored.record, cache_epoch=7), stored.revision + 1)
    changed = derive(replace(VIEW, functions={"hello": purged}), "example.org", again)
    assert (changed.placements[0][1].cache_epoch, list(changed.placements[0][1].secrets)) == (7, [])
