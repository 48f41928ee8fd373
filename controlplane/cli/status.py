"""What a cluster is made of, in one value: `nearhop status`."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from rich.text import Text

from controlplane.client import show
from controlplane.client.addresses import function_url, ingress
from controlplane.client.rpc import TIMEOUT_S, Connection
from nearhop.v1 import functions_pb2, nodes_pb2, routing_pb2

HEALTH = {
    nodes_pb2.Node.HEALTH_HEALTHY: "healthy",
    nodes_pb2.Node.HEALTH_UNHEALTHY: "unhealthy",
    nodes_pb2.Node.HEALTH_STALE: "stale",
    nodes_pb2.Node.HEALTH_DRAINING: "draining",
}
_STYLES = {"healthy": "green", "unhealthy": "red", "stale": "yellow", "draining": "cyan"}


async def gather(connection: Connection) -> dict[str, Any]:
    """Ask the control plane for everything that `status --json` tells."""
    nodes, functions, routers = await asyncio.gather(
        connection.nodes.ListNodes(nodes_pb2.ListNodesRequest(), timeout=TIMEOUT_S),
        connection.functions.ListFunctions(functions_pb2.ListFunctionsRequest(), timeout=TIMEOUT_S),
        connection.routing.ListRouters(routing_pb2.ListRoutersRequest(), timeout=TIMEOUT_S),
    )
    return summarize(connection.endpoint, nodes.nodes, functions.functions, routers.routers)


def summarize(
    endpoint: str,
    nodes: Iterable[nodes_pb2.Node],
    functions: Iterable[functions_pb2.Function],
    routers: Iterable[routing_pb2.Router],
) -> dict[str, Any]:
    """Return the cluster as one JSON value; "router" is the first of "routers"."""
    nodes = list(nodes)
    listed = [{"id": router.id, "dns": router.dns, "http": router.http} for router in routers]
    first = listed[0] if listed else {"dns": None, "http": None}
    return {
        "control_plane": endpoint,
        "router": {"dns": first["dns"], "http": first["http"]},
        "dashboard": None,
        "nodes": [_node(node) for node in nodes],
        "functions": [_function(function, nodes) for function in functions],
        "routers": listed,
    }


def _node(node: nodes_pb2.Node) -> dict[str, Any]:
    return {
        "id": node.id,
        "region": node.region,
        "location": [node.location.latitude, node.location.longitude],
        "ingress": ingress(node),
        "health": HEALTH.get(node.health, "unknown"),
        "health_reason": node.health_reason,
        "connected": node.connected,
        "draining": node.draining,
        "versions": {
            placement.function: placement.active_version
            for placement in node.report.placements
            if placement.active_version
        },
    }


def _function(function: functions_pb2.Function, nodes: Sequence[nodes_pb2.Node]) -> dict[str, Any]:
    hostname = function.hostnames[0] if function.hostnames else None
    return {
        "name": function.name,
        "version": function.active_version or None,
        "hostname": hostname,
        "url": function_url(hostname, nodes),
    }


def print_status(status: dict[str, Any]) -> None:
    """Print the value of summarize() for people."""
    show.say(f"control plane  {status['control_plane']}")
    for router in status["routers"]:
        show.say(show.line(f"router         {router['id']}: dns {router['dns']}, http {router['http']}"))
    if not status["routers"]:
        show.say("router         none is connected", style="yellow")
    print_nodes(status["nodes"])
    functions = [
        (function["name"], str(function["version"] or "-"), function["url"] or "-") for function in status["functions"]
    ]
    if functions:
        show.show(show.table(("function", "version", "url"), functions, flexible="url"))
    else:
        show.say("\nNo function is deployed yet: nearhop deploy PATH")


def print_nodes(nodes: Sequence[dict[str, Any]]) -> None:
    """Print nodes, in the form of summarize(), as a table."""
    if not nodes:
        show.say("\nNo node has joined yet")
        return
    show.show(
        show.table(
            ("node", "region", "ingress", "health", "versions"),
            [
                (
                    node["id"],
                    node["region"],
                    node["ingress"] or "-",
                    Text(node["health"], style=_STYLES.get(node["health"], "")),
                    ", ".join(f"{name} {number}" for name, number in sorted(node["versions"].items())) or "-",
                )
                for node in nodes
            ],
            flexible="versions",
        )
    )
    for node in nodes:
        if node["health"] not in ("healthy", "draining") and node["health_reason"]:
            show.say(show.line(f"{node['id']}: {node['health_reason']}"))
