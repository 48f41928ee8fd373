"""What the page sees of the fleet, folded from the API's lists: summaries of nodes and functions, and what changed between two of them.

Pure. A node's report is looked through only when it differs from the one before: most of the work is on the few that changed.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from controlplane.dashboard import render
from controlplane.dashboard.render import Json
from nearhop.v1 import functions_pb2, node_control_pb2, nodes_pb2, routing_pb2

_ACTIVE = node_control_pb2.PlacementStatus.STATE_ACTIVE


@dataclass(frozen=True, slots=True)
class Digest:
    """What one node's report says of each function: the version that serves, the wanted one's state where it is not active, sandboxes, finished
    requests."""

    active: Mapping[str, int]
    waiting: Mapping[str, str]
    sandboxes: Mapping[str, int]
    requests: Mapping[str, int]
    reported_at: float
    rates: Mapping[str, float]  # requests per second since the report before


@dataclass(frozen=True, slots=True)
class Fleet:
    """The fleet at one moment. The dicts are what the page reads; *messages* and *digests* carry over to the next fold."""

    nodes: Mapping[str, Json] = field(default_factory=dict)
    functions: Mapping[str, Json] = field(default_factory=dict)
    routers: Sequence[Json] = ()
    messages: Mapping[str, nodes_pb2.Node] = field(default_factory=dict)
    digests: Mapping[str, Digest] = field(default_factory=dict)


def fold(
    before: Fleet,
    nodes: Iterable[nodes_pb2.Node],
    functions: Iterable[functions_pb2.Function],
    routers: Iterable[routing_pb2.Router],
) -> Fleet:
    """Return the fleet after *before*, as the API's lists tell it now."""
    messages = {message.id: message for message in nodes}
    digests: dict[str, Digest] = {}
    views: dict[str, Json] = {}
    for name, message in messages.items():
        if before.messages.get(name) == message:
            digests[name], views[name] = before.digests[name], before.nodes[name]
            continue
        digests[name] = _digest(message, before.digests.get(name))
        views[name] = _node_view(message, digests[name])
    totals = _totals(digests.values())
    return Fleet(
        nodes=views,
        functions={message.name: _function_view(message, totals) for message in functions},
        routers=[render.router(message) for message in routers],
        messages=messages,
        digests=digests,
    )


def patch(before: Fleet, after: Fleet) -> Json:
    """Return what a page that shows *before* must take over to show *after*; empty when nothing changed."""
    changes: Json = {
        "nodes": [view for name, view in after.nodes.items() if before.nodes.get(name) != view],
        "gone_nodes": [name for name in before.nodes if name not in after.nodes],
        "functions": [view for name, view in after.functions.items() if before.functions.get(name) != view],
        "gone_functions": [name for name in before.functions if name not in after.functions],
    }
    if list(before.routers) != list(after.routers):
        changes["routers"] = list(after.routers)
    return {key: value for key, value in changes.items() if value or key == "routers"}


def _digest(message: nodes_pb2.Node, before: Digest | None) -> Digest:
    placements = message.report.placements
    sandboxes: dict[str, int] = {}
    requests: dict[str, int] = {}
    for sandbox in message.report.sandboxes:
        name = sandbox.function
        sandboxes[name] = sandboxes.get(name, 0) + 1
        requests[name] = requests.get(name, 0) + sandbox.requests
    reported_at = render.seconds(message.last_seen_at) or 0.0
    if before is None or not message.connected:
        rates: Mapping[str, float] = {}  # what a lost node served last is no rate of now
    elif reported_at <= before.reported_at:
        rates = before.rates  # the same report with another verdict on it
    else:
        rates = _rates(requests, reported_at, before)
    return Digest(
        active={item.function: item.active_version for item in placements},
        waiting={item.function: render.placement_state(item) for item in placements if item.state != _ACTIVE},
        sandboxes=sandboxes,
        requests=requests,
        reported_at=reported_at,
        rates=rates,
    )


def _rates(requests: Mapping[str, int], reported_at: float, before: Digest) -> dict[str, float]:
    elapsed = reported_at - before.reported_at
    # A count below the one before it belongs to a new sandbox: it started from 0.
    grown = {
        name: count - earlier if count >= (earlier := before.requests.get(name, count)) else count
        for name, count in requests.items()
    }
    return {name: more / elapsed for name, more in grown.items() if more > 0}


def _node_view(message: nodes_pb2.Node, digest: Digest) -> Json:
    states = list(digest.waiting.values())
    return {
        **render.node(message),
        "functions": sum(1 for version in digest.active.values() if version),
        "pending": states.count("pending"),
        "refused": states.count("refused"),
        "sandboxes": sum(digest.sandboxes.values()),
        "requests_per_s": round(sum(digest.rates.values()), 1),
    }


@dataclass(slots=True)
class _Totals:
    """Sums over all nodes, by function."""

    active: Counter[tuple[str, int]]  # nodes by (function, version)
    anything: Counter[str]  # nodes that serve any version
    waiting: Counter[tuple[str, str]]
    sandboxes: Counter[str]
    rates: Counter[str]


def _totals(digests: Collection[Digest]) -> _Totals:
    active = Counter(chain.from_iterable(digest.active.items() for digest in digests))
    totals = _Totals(active, Counter(), Counter(), Counter(), Counter())
    for (name, version), nodes in active.items():
        if version:
            totals.anything[name] += nodes
    for digest in digests:
        totals.waiting.update(digest.waiting.items())
        totals.sandboxes.update(digest.sandboxes)
        totals.rates.update(digest.rates)
    return totals


def _function_view(message: functions_pb2.Function, totals: _Totals) -> Json:
    name, wanted = message.name, message.active_version
    serving = totals.active[name, wanted] if wanted else 0
    return {
        **render.function(message),
        "pending": totals.waiting[name, "pending"],
        "refused": totals.waiting[name, "refused"],
        "serving": serving,
        "other": totals.anything[name] - serving,
        "sandboxes": totals.sandboxes[name],
        "requests_per_s": round(totals.rates[name], 1),
    }
