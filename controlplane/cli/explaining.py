"""Where a client would be sent, and why: `nearhop route explain`."""

from typing import Any

from rich.text import Text

from controlplane.cli import show
from controlplane.cli.rpc import TIMEOUT_S, Connection
from nearhop.v1 import routing_pb2


async def explain(connection: Connection, ip: str, function: str, *, json: bool) -> None:
    """Print the decision for the client address *ip*, with every candidate."""
    answer = await connection.routing.Explain(routing_pb2.ExplainRequest(ip=ip, function=function), timeout=TIMEOUT_S)
    value = as_json(answer)
    if json:
        show.emit(value)
    else:
        print_explanation(value)


def as_json(answer: routing_pb2.ExplainResponse) -> dict[str, Any]:
    """Return what `--json` prints."""
    client = answer.client
    located = client.HasField("location")
    return {
        "client": {
            "ip": client.ip,
            "network": client.network or None,
            "source": client.source,
            "location": [client.location.latitude, client.location.longitude] if located else None,
            "country": client.country or None,
            "city": client.city or None,
        },
        "answers": list(answer.answers),
        "ttl_s": answer.ttl_s,
        "scope_prefix_length": answer.scope_prefix_length,
        "reason": answer.reason,
        "candidates": [
            {
                "node": candidate.node,
                "region": candidate.region,
                "distance_km": candidate.distance_km if candidate.distance_km >= 0 else None,
                "chosen": candidate.chosen,
                "eligible": candidate.eligible,
                "reason": candidate.reason,
            }
            for candidate in answer.candidates
        ],
    }


def print_explanation(value: dict[str, Any]) -> None:
    """Print the value of as_json() for people."""
    client = value["client"]
    place = ", ".join(part for part in (client["city"], client["country"]) if part) or "an unknown place"
    show.say(
        show.line(
            f"{client['ip']} is in {place} (network {client['network'] or 'unknown'}, by {client['source'] or 'none'})"
        )
    )
    answers = ", ".join(value["answers"]) or "nothing"
    show.say(show.line(f"answer: {answers} (TTL {value['ttl_s']} s, ECS scope /{value['scope_prefix_length']})"))
    show.say(show.line(f"because {value['reason']}"))
    rows = [
        (
            Text("→", style="bold green") if candidate["chosen"] else "",
            candidate["node"],
            candidate["region"],
            "?" if candidate["distance_km"] is None else f"{candidate['distance_km']:,.0f} km",
            candidate["reason"] if candidate["eligible"] else Text(show.line(candidate["reason"]), style="yellow"),
        )
        for candidate in value["candidates"]
    ]
    if rows:
        show.show(show.table(("", "node", "region", "distance", "reason"), rows, flexible="reason"))
