"""The short commands on functions, versions and nodes: one call each, shown as a table, sentences or JSON."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from controlplane.cli import updating
from controlplane.cli.status import print_nodes, summarize
from controlplane.client import show
from controlplane.client.addresses import function_url
from controlplane.client.rpc import TIMEOUT_S, Connection, request_id
from nearhop.v1 import common_pb2, functions_pb2, nodes_pb2, versions_pb2

_DIALECTS = {
    common_pb2.DIALECT_WORKERS: "workers",
    common_pb2.DIALECT_DENO: "deno",
    common_pb2.DIALECT_VERCEL: "vercel",
    common_pb2.DIALECT_STATIC: "static",
}


async def functions(connection: Connection, *, json: bool) -> None:
    """Print all functions."""
    listed = await connection.functions.ListFunctions(functions_pb2.ListFunctionsRequest(), timeout=TIMEOUT_S)
    nodes = await connection.nodes.ListNodes(nodes_pb2.ListNodesRequest(), timeout=TIMEOUT_S)
    values = summarize(connection.endpoint, nodes.nodes, listed.functions, ())["functions"]
    if json:
        show.emit(values)
    elif not values:
        show.say("No function is deployed yet: nearhop deploy PATH")
    else:
        rows = [(value["name"], str(value["version"] or "-"), value["url"] or "-") for value in values]
        show.show(show.table(("function", "version", "url"), rows, flexible="url"))


async def function(connection: Connection, name: str, *, json: bool) -> None:
    """Print one function with its versions and where it is served."""
    found = await connection.functions.GetFunction(functions_pb2.GetFunctionRequest(name=name), timeout=TIMEOUT_S)
    versions = await connection.versions.ListVersions(
        versions_pb2.ListVersionsRequest(function=name), timeout=TIMEOUT_S
    )
    nodes = await connection.nodes.ListNodes(nodes_pb2.ListNodesRequest(), timeout=TIMEOUT_S)
    value: dict[str, Any] = {
        "name": found.name,
        "version": found.active_version or None,
        "url": function_url(found.hostnames[0], nodes.nodes) if found.hostnames else None,
        **updating.settings(found),
        "created_at": _time(found.created_at),
        "versions": [_version(version) for version in versions.versions],
        "nodes": {
            node.id: placement.active_version
            for node in nodes.nodes
            for placement in node.report.placements
            if placement.function == name and placement.active_version
        },
        "overruns": _overruns(nodes.nodes, name),
        "breakers_open": [
            node.id
            for node in nodes.nodes
            for placement in node.report.placements
            if placement.function == name and placement.breaker_open
        ],
    }
    if json:
        show.emit(value)
        return
    show.say(show.line(f"{value['name']}  version {value['version'] or 'none'}  {value['url'] or ''}"))
    for text in updating.sentences(found):
        show.say(show.line(text))
    served = ", ".join(f"{node} {number}" for node, number in value["nodes"].items())
    show.say(show.line(f"served by: {served or 'no node'}"))
    if value["overruns"]:
        counts = ", ".join(f"{count} {reason}" for reason, count in value["overruns"].items())
        show.say(show.line(f"overruns: {counts}"))
    if value["breakers_open"]:
        show.say(show.line(f"refused at once, after several overruns, on: {', '.join(value['breakers_open'])}"))
    _print_versions(value["versions"], value["version"])


def _overruns(nodes: Iterable[nodes_pb2.Node], function: str) -> dict[str, int]:
    """Sum the overruns of all nodes up, by reason code."""
    counts: Counter[str] = Counter()
    for node in nodes:
        for placement in node.report.placements:
            if placement.function == function:
                counts.update(dict(placement.overruns))
    return dict(sorted(counts.items()))


async def delete(connection: Connection, name: str) -> None:
    """Remove a function."""
    await connection.functions.DeleteFunction(
        functions_pb2.DeleteFunctionRequest(request_id=request_id(), name=name), timeout=TIMEOUT_S
    )
    show.note(f"{name} is deleted")


async def versions(connection: Connection, name: str, *, json: bool) -> None:
    """Print a function's versions, newest first."""
    found = await connection.functions.GetFunction(functions_pb2.GetFunctionRequest(name=name), timeout=TIMEOUT_S)
    listed = await connection.versions.ListVersions(versions_pb2.ListVersionsRequest(function=name), timeout=TIMEOUT_S)
    shares = {share.version: share.percent for share in found.shares} or {found.active_version: 100}
    values = [_version(version) | {"percent": shares.get(version.number, 0)} for version in listed.versions]
    if json:
        show.emit(values)
    else:
        _print_versions(values, found.active_version)


def _print_versions(values: list[dict[str, Any]], active: int | None) -> None:
    rows = [
        (
            f"{value['number']}{' *' if value['number'] == active else ''}",
            f"{value['percent']} %",
            (value["created_at"] or "-")[:16].replace("T", " "),
            value["dialect"],
            f"{value['size_bytes']:,}",
            value["digest"][:12],
            value["author"] or "-",
            value["message"] or value["entrypoint"],
        )
        for value in values
    ]
    if rows:
        show.show(
            show.table(
                ("version", "traffic", "created (UTC)", "dialect", "bytes", "digest", "author", "message"),
                rows,
                flexible="message",
            )
        )
    else:
        show.say("No version yet")


def _version(version: versions_pb2.Version) -> dict[str, Any]:
    return {
        "number": version.number,
        "digest": version.digest,
        "size_bytes": version.size_bytes,
        "dialect": _DIALECTS.get(version.dialect, "unknown"),
        "entrypoint": version.entrypoint,
        "author": version.author,
        "message": version.message,
        "created_at": _time(version.created_at),
    }


def _time(stamp: Timestamp) -> str | None:
    if not stamp.seconds:
        return None
    return datetime.fromtimestamp(stamp.seconds + stamp.nanos / 1e9, UTC).isoformat(timespec="milliseconds")


async def nodes(connection: Connection, *, json: bool) -> None:
    """Print all nodes."""
    listed = await connection.nodes.ListNodes(nodes_pb2.ListNodesRequest(), timeout=TIMEOUT_S)
    _show_nodes(connection, list(listed.nodes), json=json)


async def drain(connection: Connection, node: str, *, json: bool) -> None:
    """Take a node out of the answers."""
    drained = await connection.nodes.DrainNode(
        nodes_pb2.DrainNodeRequest(request_id=request_id(), id=node), timeout=TIMEOUT_S
    )
    if json:
        _show_nodes(connection, [drained], json=True)
    else:
        show.say(f"{drained.id} is draining: it is in no more answers, and serves the requests that still reach it")


async def uncordon(connection: Connection, node: str, *, json: bool) -> None:
    """Take a drained node back into the answers."""
    back = await connection.nodes.UncordonNode(
        nodes_pb2.UncordonNodeRequest(request_id=request_id(), id=node), timeout=TIMEOUT_S
    )
    if json:
        _show_nodes(connection, [back], json=True)
    else:
        show.say(f"{back.id} is in the answers again, as soon as its probes pass")


async def forget(connection: Connection, node: str) -> None:
    """Forget a node that is not connected."""
    await connection.nodes.DeleteNode(nodes_pb2.DeleteNodeRequest(request_id=request_id(), id=node), timeout=TIMEOUT_S)
    show.say(f"{node} is forgotten")


def _show_nodes(connection: Connection, listed: list[nodes_pb2.Node], *, json: bool) -> None:
    values = summarize(connection.endpoint, listed, (), ())["nodes"]
    if json:
        show.emit(values)
    else:
        print_nodes(values)
