"""Where a client would be sent, and why: `nearhop route explain`."""

import ipaddress
import re
import socket
from typing import Any

from rich.text import Text

from controlplane.client import show
from controlplane.client.failure import Exit, Failure
from controlplane.client.rpc import TIMEOUT_S, Connection
from nearhop.v1 import nodes_pb2, routing_pb2

_HOST = re.compile(r"(?=.*[a-zA-Z])[a-zA-Z0-9._-]+")  # not a number, a network or an IPv6 address


def question(client: str, function: str, as_country: str, resolver: str) -> routing_pb2.ExplainRequest:
    """Return the request for *client*, an address, a network or a host name of which this machine knows the address. Raises Failure."""
    if not client and not as_country:
        raise Failure(
            "there is no client to explain", do="Name its address, or a country with --as-country", status=Exit.USAGE
        )
    return routing_pb2.ExplainRequest(
        ip=_address(client) if client else "", function=function, country=as_country.upper(), resolver=resolver
    )


def _address(client: str) -> str:
    if not _HOST.fullmatch(client) or _is_address(client):
        return client  # what is wrong with it is the control plane's to say
    try:
        found = socket.getaddrinfo(client, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Failure(f"{client} has no address: {error}", status=Exit.USAGE) from error
    return str(found[0][4][0])


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return True


async def explain(connection: Connection, request: routing_pb2.ExplainRequest, *, json: bool) -> None:
    """Print the decision that *request* asks for, with every candidate."""
    answer = await connection.routing.Explain(request, timeout=TIMEOUT_S)
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
            "asn": client.asn or None,
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
                "verdict": nodes_pb2.Witness.Verdict.Name(candidate.verdict).removeprefix("VERDICT_").lower(),
                "load": candidate.load if candidate.load >= 0 else None,
                "reason": candidate.reason,
            }
            for candidate in answer.candidates
        ],
    }


def print_explanation(value: dict[str, Any]) -> None:
    """Print the value of as_json() for people."""
    client = value["client"]
    place = ", ".join(part for part in (client["city"], client["country"]) if part) or "an unknown place"
    who = client["ip"] or "the client"
    network = client["network"] or "unknown"
    show.say(show.line(f"{who} is in {place} (network {network}, by {client['source'] or 'none'})"))
    answers = ", ".join(value["answers"]) or "nothing"
    show.say(show.line(f"answer: {answers} (TTL {value['ttl_s']} s, ECS scope /{value['scope_prefix_length']})"))
    show.say(show.line(f"because {value['reason']}"))
    rows = [
        (
            Text("→", style="bold green") if candidate["chosen"] else "",
            candidate["node"],
            candidate["region"],
            "?" if candidate["distance_km"] is None else f"{candidate['distance_km']:,.0f} km",
            candidate["verdict"],
            "" if candidate["load"] is None else f"{candidate['load']:.0%}",
            candidate["reason"] if candidate["eligible"] else Text(show.line(candidate["reason"]), style="yellow"),
        )
        for candidate in value["candidates"]
    ]
    if rows:
        show.show(show.table(("", "node", "region", "distance", "health", "load", "reason"), rows, flexible="reason"))
