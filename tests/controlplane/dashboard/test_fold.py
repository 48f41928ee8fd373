"""Folding the API's lists into what the page shows, and the patch between two folds."""

import copy
from typing import Any

import pytest

from controlplane.dashboard.fold import Fleet, fold, patch
from nearhop.v1 import functions_pb2, node_control_pb2, nodes_pb2, routing_pb2

PENDING = node_control_pb2.PlacementStatus.STATE_PENDING
ACTIVE = node_control_pb2.PlacementStatus.STATE_ACTIVE
REFUSED = node_control_pb2.PlacementStatus.STATE_REFUSED


def a_node(name: str, *, at: float = 100.0, requests: int = 0, version: int = 1, state: Any = ACTIVE) -> nodes_pb2.Node:
    node = nodes_pb2.Node(id=name, region="tokyo", health=nodes_pb2.Node.HEALTH_HEALTHY, connected=True)
    node.last_seen_at.FromNanoseconds(int(at * 1e9))
    node.report.placements.add(function="hello", active_version=version, state=state)
    node.report.sandboxes.add(function="hello", version=version, requests=requests)
    return node


def a_function(version: int = 1) -> functions_pb2.Function:
    return functions_pb2.Function(name="hello", active_version=version, hostnames=["hello.nearhop.test"])


def test_counts_what_serves_what_waits_and_what_was_refused() -> None:
    nodes = [
        a_node("a"),
        a_node("b", version=2),
        a_node("c", version=1, state=PENDING),
        a_node("d", version=0, state=REFUSED),
    ]
    fleet = fold(Fleet(), nodes, [a_function(2)], [])
    hello = fleet.functions["hello"]
    assert (hello["serving"], hello["other"], hello["pending"], hello["refused"], hello["sandboxes"]) == (1, 2, 1, 1, 4)
    assert (fleet.nodes["d"]["functions"], fleet.nodes["d"]["refused"]) == (0, 1)


def test_a_function_without_a_version_serves_nowhere() -> None:
    fleet = fold(Fleet(), [a_node("a", version=0)], [a_function(0)], [])
    assert (fleet.functions["hello"]["serving"], fleet.functions["hello"]["other"]) == (0, 0)


def test_rates_come_from_the_growth_between_two_reports() -> None:
    first = fold(Fleet(), [a_node("a", at=100, requests=1000)], [a_function()], [])
    assert first.nodes["a"]["requests_per_s"] == 0
    second = fold(first, [a_node("a", at=102, requests=1050)], [a_function()], [])
    assert second.nodes["a"]["requests_per_s"] == 25
    assert second.functions["hello"]["requests_per_s"] == 25


def test_a_new_sandbox_counts_from_zero() -> None:
    first = fold(Fleet(), [a_node("a", at=100, requests=1000)], [a_function()], [])
    second = fold(first, [a_node("a", at=102, requests=8)], [a_function()], [])
    assert second.nodes["a"]["requests_per_s"] == 4


def test_the_same_report_with_another_verdict_keeps_its_rates() -> None:
    first = fold(Fleet(), [a_node("a", at=100)], [], [])
    second = fold(first, [a_node("a", at=102, requests=20)], [], [])
    again = a_node("a", at=102, requests=20)
    again.health = nodes_pb2.Node.HEALTH_UNHEALTHY
    third = fold(second, [again], [], [])
    assert third.nodes["a"]["requests_per_s"] == 10
    assert third.nodes["a"]["health"] == "unhealthy"


def test_a_lost_node_serves_no_rate() -> None:
    first = fold(Fleet(), [a_node("a", at=100)], [a_function()], [])
    second = fold(first, [a_node("a", at=102, requests=20)], [a_function()], [])
    lost = a_node("a", at=102, requests=20)
    lost.connected = False
    third = fold(second, [lost], [a_function()], [])
    assert third.nodes["a"]["requests_per_s"] == 0
    assert third.functions["hello"]["requests_per_s"] == 0


def test_nothing_changed_is_an_empty_patch_and_no_work() -> None:
    nodes = [a_node("a"), a_node("b")]
    first = fold(Fleet(), nodes, [a_function()], [])
    second = fold(first, copy.deepcopy(nodes), [a_function()], [])
    assert patch(first, second) == {}
    assert second.nodes["a"] is first.nodes["a"]


def test_a_patch_holds_what_changed_and_what_went() -> None:
    router = routing_pb2.Router(id="r1", epoch=1)
    first = fold(Fleet(), [a_node("a"), a_node("b"), a_node("c")], [a_function()], [router])
    second = fold(first, [a_node("a"), a_node("b", state=PENDING)], [], [])
    changes = patch(first, second)
    assert [node["id"] for node in changes["nodes"]] == ["b"]
    assert changes["gone_nodes"] == ["c"]
    assert changes["gone_functions"] == ["hello"]
    assert changes["routers"] == []
    assert "functions" not in changes


@pytest.mark.parametrize("number", [0, 77])
def test_values_of_a_newer_control_plane_are_shown_as_unspecified(number: int) -> None:
    node = a_node("a")
    node.health = number  # type: ignore[assignment]  # what a newer control plane may send
    assert fold(Fleet(), [node], [], []).nodes["a"]["health"] == "unspecified"
