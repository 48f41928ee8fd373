"""The tallies alone, and as the responder keeps them."""

import ipaddress

import dns.edns
import dns.message
import pytest

from controlplane.model import FleetView, Ingress, Location, RoutedFunction, RoutedNode, Verdict
from controlplane.router import answers
from controlplane.router.answers import AnswerCounts, AnswerKey, Told
from controlplane.router.responder import Responder
from controlplane.steering import ClientLocation, FleetIndex

NODES = {"tokyo-1": Location(35.7, 139.7), "london-1": Location(51.5, -0.1)}
PLACES = {
    "203.0.113.0": ("JP", Location(35, 139)),
    "198.51.100.0": ("GB", Location(52, 0)),
    "192.0.2.0": ("IE", Location(52, 0)),
}


def key(function: str = "hello", node: str = "tokyo-1", country: str = "JP", reason: str = "nearest") -> AnswerKey:
    return AnswerKey(function, node, country, reason)


def test_what_has_changed_is_told_once_to_each() -> None:
    counts = AnswerCounts()
    first, second = Told(counts), Told(counts)
    counts.tally(key()).count += 2
    counts.tally(key(country="DE"))
    assert first.changed() == [(key(), 2)]
    assert first.changed() == []
    counts.tally(key()).count += 1
    assert first.changed() == second.changed() == [(key(), 3)]
    assert first.everything() == [(key(), 3), (key(country="DE"), 0)]


def test_those_that_have_grown_most_are_told_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "REPORTED_MAX", 2)
    counts = AnswerCounts()
    told = Told(counts)
    for name, count in (("a", 1), ("b", 9), ("c", 5)):
        counts.tally(key(name)).count = count
    assert [grown.function for grown, _ in told.changed()] == ["b", "c"]
    assert [grown.function for grown, _ in told.changed()] == ["a"]


def test_the_number_of_tallies_is_bounded_whatever_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "KEYS_MAX", 10)
    monkeypatch.setattr(answers, "_NODES_MAX", 3)
    counts = AnswerCounts()
    for number in range(100):
        counts.tally(key(f"f{number}", node=f"n{number}")).count += 1
    assert len(counts) <= 10 + 3 + 1
    found = list(counts.items())
    assert sum(count for _, count in found) == 100
    assert (AnswerKey("", "n10", "", "nearest"), 1) in found
    assert found[-1][0] == AnswerKey("", "", "", "nearest")


def test_what_is_gone_is_forgotten_and_counts_anew_when_it_is_back() -> None:
    counts = AnswerCounts()
    told = Told(counts)
    counts.tally(key("gone")).count = 5
    counts.tally(key()).count = 1
    told.everything()
    counts.keep(lambda known: known.function != "gone")
    assert dict(counts.items()) == {key(): 1}
    assert told.changed() == []
    counts.tally(key("gone")).count = 5
    assert told.changed() == [(key("gone"), 5)]


def locate(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ClientLocation:
    country, place = PLACES.get(str(ip), ("", None))
    return ClientLocation(
        str(ip), f"{ip}/24" if ip.version == 4 else f"{ip}/56", "city" if place else "none", place, country
    )


class Asked:
    """A responder and what it is asked."""

    def __init__(self, *nodes: str, functions: tuple[str, ...] = ("hello",)) -> None:
        self.responder = Responder("example.org", locate, lambda: 0.0)
        self.publish(*nodes, functions=functions)

    def publish(self, *nodes: str, functions: tuple[str, ...] = ("hello",), down: str = "") -> None:
        routed = tuple(RoutedNode(name, "r", NODES[name], Ingress(80, ("192.0.2.1",))) for name in nodes)
        served = tuple(RoutedFunction(name, (f"{name}.example.org",), nodes) for name in functions)
        verdicts = {name: Verdict.DOWN if name == down else Verdict.UP for name in nodes}
        self.responder.publish(FleetIndex.of(FleetView(1, "example.org", routed, served)), verdicts)

    def ask(self, client: str, kind: str = "A", name: str = "hello") -> None:
        options = [dns.edns.ECSOption(client, 24)]
        query = dns.message.make_query(f"{name}.example.org", kind, use_edns=0, options=options)
        assert self.responder.respond(query.to_wire(), "192.0.2.77", tcp=False) is not None

    def counted(self) -> dict[AnswerKey, int]:
        return {counted: count for counted, count in self.responder.given.items() if count}


def test_every_answer_counts_a_remembered_one_too() -> None:
    asked = Asked("london-1", "tokyo-1")
    for client in ("203.0.113.0", "203.0.113.0", "198.51.100.0", "192.0.2.0"):
        asked.ask(client)
    decisions = asked.responder.counts["decisions"]
    asked.ask("203.0.113.0")
    assert asked.responder.counts["decisions"] == decisions
    # Two countries at one place are told apart.
    assert asked.counted() == {key(): 3, key(node="london-1", country="GB"): 1, key(node="london-1", country="IE"): 1}


def test_a_reply_without_an_answer_counts_only_when_there_is_no_node() -> None:
    asked = Asked("london-1")
    asked.ask("203.0.113.0", "AAAA")
    asked.ask("203.0.113.0", "TXT")
    asked.ask("203.0.113.0", name="other")
    assert asked.counted() == {}
    asked.publish()
    asked.ask("203.0.113.0")
    assert asked.counted() == {key(node="", reason="none"): 1}


def test_the_reasons_are_told_apart_and_the_counts_survive_a_new_verdict() -> None:
    asked = Asked("tokyo-1")
    asked.ask("203.0.113.0")
    asked.publish("tokyo-1", down="tokyo-1")
    asked.ask("203.0.113.0")
    asked.ask("233.252.0.0")
    expected = {key(): 1, key(reason="emergency"): 1, key(country="", reason="emergency"): 1}
    assert asked.counted() == expected
    asked.publish("tokyo-1")
    asked.ask("233.252.0.0")
    assert asked.counted() == expected | {key(country="", reason="hash"): 1}


def test_a_function_that_is_gone_is_no_longer_counted() -> None:
    asked = Asked("tokyo-1", functions=("hello", "other"))
    asked.ask("203.0.113.0", name="other")
    asked.publish("tokyo-1")
    assert asked.counted() == {}
