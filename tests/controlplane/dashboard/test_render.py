"""Messages as the page reads them."""

import json

import pytest

from controlplane.dashboard import render
from nearhop.v1 import events_pb2, nodes_pb2, routing_pb2


def test_an_unset_time_is_null() -> None:
    assert render.node(nodes_pb2.Node(id="a"))["last_seen_at"] is None


def test_an_unknown_distance_is_null_and_zero_is_zero() -> None:
    message = routing_pb2.ExplainResponse()
    message.candidates.add(node="a", distance_km=-1)
    message.candidates.add(node="b", distance_km=0)
    candidates = render.decision(message)["candidates"]
    assert [item["distance_km"] for item in candidates] == [None, 0]


def test_an_unlocated_client_has_no_place() -> None:
    message = routing_pb2.ExplainResponse()
    message.client.source = "none"
    assert render.decision(message)["client"]["latitude"] is None


def test_flows_are_summed_by_country_and_node_and_by_function() -> None:
    message = routing_pb2.Flows(window_s=1)
    for country, node, function, rate in [("JP", "t", "f", 1), ("JP", "t", "g", 2), ("GB", "l", "f", 9)]:
        message.flows.add(country=country, node=node, function=function, answers_per_s=rate)
    flows = render.flows(message)
    assert flows["flows"] == [["GB", "l", 9], ["JP", "t", 3]]
    assert flows["functions"] == {"f": 10, "g": 2}


def test_an_events_id_survives_a_browser() -> None:
    assert render.event(events_pb2.Event(id=2**64 - 1))["id"] == "18446744073709551615"


@pytest.mark.parametrize(
    "text", ["</script><script>alert(1)</script>", "\x00\x1b[31m", "\u202etxt.exe", '"\n\ndata: x']
)
def test_hostile_text_stays_one_json_string(text: str) -> None:
    encoded = json.dumps(render.event(events_pb2.Event(id=1, message=text)))
    assert "\n" not in encoded
    assert json.loads(encoded)["message"] == text
