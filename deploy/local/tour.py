"""The tour: clients around the world ask the router by DNS, go where it sends them, and are answered over HTTP.

Every row is the real thing: a DNS query with the client's network in it, and a request to the address that came back.
"""

import asyncio
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import dns.asyncquery
import dns.edns
import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
from rich.table import Table
from rich.text import Text

from controlplane.client import show
from controlplane.steering.location import CLIENT_PREFIX_IPV4, CLIENT_PREFIX_IPV6
from deploy.local import web
from deploy.local.geo import Client, kilometers
from deploy.local.settings import NodeSettings, Settings

_TIMEOUT_S = 3.0
_RETRY_S = 0.25


@dataclass(frozen=True, slots=True)
class Row:
    """What one client saw. *region* and *distance_km* are those of the node behind *address*; *wrong* says what is not as it should be."""

    client: Client
    address: str = ""
    region: str = ""
    distance_km: float | None = None
    status: int | None = None
    body: str = ""
    wrong: str = ""


async def walk(
    settings: Settings, hostname: str, clients: Sequence[Client], nodes: Sequence[NodeSettings], *, within_s: float
) -> list[Row]:
    """Return a row for each client, asked again until it is right or *within_s* is over: routers learn of a deployment a moment later.

    A right answer that does not know the client's country yet is asked for again too. *nodes* are those that clients may be sent to.
    """
    deadline = asyncio.get_running_loop().time() + within_s
    async with asyncio.TaskGroup() as group:
        walks = [
            group.create_task(_walk(settings, hostname, client, nodes, deadline), name=f"client {client.ip}")
            for client in clients
        ]
    return [walk.result() for walk in walks]


async def _walk(
    settings: Settings, hostname: str, client: Client, nodes: Sequence[NodeSettings], deadline: float
) -> Row:
    while True:
        row = await _ask(settings, hostname, client, nodes)
        complete = not row.wrong and client.country in row.body
        if complete or asyncio.get_running_loop().time() > deadline:
            return row
        await asyncio.sleep(_RETRY_S)


async def _ask(settings: Settings, hostname: str, client: Client, nodes: Sequence[NodeSettings]) -> Row:
    try:
        address = await resolve(settings.router_dns, hostname, client.ip)
    except (OSError, dns.exception.DNSException) as error:
        return Row(client, wrong=f"no DNS answer: {str(error) or type(error).__name__}")
    node = next((node for node in settings.nodes if node.address == address), None)
    if node is None:
        return Row(client, address, wrong=f"{address} is none of this cluster's nodes")
    distance = kilometers(client.location, node.region.location)
    headers = {"host": f"{hostname}:{settings.node_port}", "x-forwarded-for": client.ip}
    try:
        answer = await web.get(settings.ingress(node), "/", headers, timeout_s=_TIMEOUT_S)
    except OSError as error:
        return Row(client, address, node.region.name, distance, wrong=f"no HTTP answer: {error}")
    wrong = judge(client, node, answer, nodes)
    return Row(client, address, node.region.name, distance, answer.status, answer.body.strip(), wrong)


def judge(client: Client, node: NodeSettings, answer: web.Answer, nodes: Sequence[NodeSettings]) -> str:
    """Say what is not as it should be, or nothing: the nearest of *nodes* answers with 200 and says who it is."""
    nearest = min(nodes, key=lambda node: kilometers(client.location, node.region.location), default=node).region
    if node.region.name != nearest.name:
        return f"{nearest.name} is nearer"
    if answer.status != 200:
        return f"HTTP {answer.status} {answer.headers.get('x-nearhop-reason', '')}".strip()
    if answer.headers.get("x-nearhop-region") != node.region.name:
        return f"answered by {answer.headers.get('x-nearhop-region', 'nobody')}"
    return ""


async def resolve(server: str, hostname: str, client: str) -> str:
    """Ask *server* for *hostname*'s address as a resolver that serves *client* would. Raises OSError or DNSException without one."""
    host, port = server.rsplit(":", 1)
    version = ipaddress.ip_address(client).version
    subnet = dns.edns.ECSOption(client, CLIENT_PREFIX_IPV4 if version == 4 else CLIENT_PREFIX_IPV6)
    query = dns.message.make_query(hostname, dns.rdatatype.A, options=[subnet])
    response = await dns.asyncquery.udp(query, host, port=int(port), timeout=_TIMEOUT_S)
    for answer in response.answer:
        for record in answer:
            if record.rdtype == dns.rdatatype.A:
                return str(record)
    raise ConnectionError(f"{dns.rcode.to_text(response.rcode())} without an address")


def _marked(row: Row) -> Text:
    mark = Text("✗ ", style="bold red") if row.wrong else Text("✓ ", style="green")
    return mark.append(row.client.region.city, style="not bold default")


def table(rows: Sequence[Row], width: int | None = None) -> Table:
    """Return the rows as a table; a row that is not as it should be stands out."""
    return show.table(
        ("client in", "address", "DNS answer", "region", "HTTP", "km", "body"),
        [
            (
                _marked(row),
                row.client.ip,
                row.address or "-",
                row.region or "-",
                str(row.status or "-"),
                "-" if row.distance_km is None else f"{row.distance_km:,.0f}",
                Text(show.line(row.wrong), style="bold red") if row.wrong else row.body,
            )
            for row in rows
        ],
        flexible="body",
        width=width,
    )
