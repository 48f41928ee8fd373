"""Which clients each node would get: `nearhop route simulate`."""

from typing import Any

from controlplane.client import show
from controlplane.client.rpc import Connection
from nearhop.v1 import routing_pb2

TIMEOUT_S = 120.0  # a hundred thousand clients, twice


async def simulate(connection: Connection, sample: int, drain: str, function: str, *, seed: int, json: bool) -> None:
    """Print the distribution of *sample* clients, and the one without the node *drain*."""
    request = routing_pb2.SimulateRequest(function=function, sample=sample, drain=drain, seed=seed)
    value = as_json(await connection.routing.Simulate(request, timeout=TIMEOUT_S), drain)
    if json:
        show.emit(value)
    else:
        print_simulation(value)


def as_json(answer: routing_pb2.SimulateResponse, drain: str) -> dict[str, Any]:
    """Return what `--json` prints."""
    return {
        "sample": answer.sample,
        "now": _distribution(answer.now),
        "drain": drain or None,
        "drained": _distribution(answer.drained) if answer.HasField("drained") else None,
        "moved": answer.moved if drain else None,
    }


def print_simulation(value: dict[str, Any]) -> None:
    """Print the value of as_json() for people."""
    now, then = value["now"], value["drained"]
    before = {node["node"]: node for node in now["nodes"]}
    after = {node["node"]: node for node in then["nodes"]} if then else {}
    rows = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        known = old or new
        row = [name, known["region"] if known else "", *_figures(old)]
        rows.append([*row, *_figures(new)] if then else row)
    rows.append(_total(now, then))
    headings = ["node", "region", "share", "median", "p95"]
    show.say(f"{value['sample']:,} clients, drawn from the database's networks")
    show.show(show.table([*headings, *(["→ share", "→ median", "→ p95"] if then else [])], rows))
    if then:
        show.say(show.line(f"without {value['drain']} another node gets {value['moved']:.1%} of the clients"))
    if now["unlocated"]:
        show.say(f"{now['unlocated']:.1%} of the clients are at no known place: they are spread by hash")
    if now["unanswered"]:
        show.say(f"{now['unanswered']:.1%} of the clients would get no answer")


def _total(now: dict[str, Any], then: dict[str, Any] | None) -> list[str]:
    row = ["all", "", *_figures({"share": 1.0 - now["unanswered"], **now})]
    return [*row, *_figures({"share": 1.0 - then["unanswered"], **then})] if then else row


def _figures(part: dict[str, Any] | None) -> list[str]:
    if part is None:
        return ["–", "", ""]
    return [
        f"{part['share']:.1%}",
        *("?" if part[key] is None else f"{part[key]:,.0f} km" for key in ("median_km", "p95_km")),
    ]


def _distribution(message: routing_pb2.Distribution) -> dict[str, Any]:
    return {
        "nodes": [
            {
                "node": node.node,
                "region": node.region,
                "share": node.share,
                "median_km": _known(node.median_km),
                "p95_km": _known(node.p95_km),
            }
            for node in message.nodes
        ],
        "median_km": _known(message.median_km),
        "p95_km": _known(message.p95_km),
        "unlocated": message.unlocated,
        "unanswered": message.unanswered,
    }


def _known(kilometers: float) -> float | None:
    return kilometers if kilometers >= 0 else None
