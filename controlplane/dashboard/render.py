"""Messages of the API as the JSON that the page reads. Pure: shapes only.

Names are the API's, in lower case where they are enum values without their prefix; times are seconds since the epoch, null when not set.
"""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from nearhop.v1 import (
    common_pb2,
    deployments_pb2,
    events_pb2,
    functions_pb2,
    node_control_pb2,
    nodes_pb2,
    routing_pb2,
    versions_pb2,
)

Json = dict[str, Any]

_HEALTH = {number: name.removeprefix("HEALTH_").lower() for name, number in nodes_pb2.Node.Health.items()}
_VERDICT = {number: name.removeprefix("VERDICT_").lower() for name, number in nodes_pb2.Witness.Verdict.items()}
_PHASE = {number: name.removeprefix("PHASE_").lower() for name, number in deployments_pb2.Deployment.Phase.items()}
_PROGRESS = {number: name.removeprefix("STATE_").lower() for name, number in deployments_pb2.NodeProgress.State.items()}
_PLACEMENT = {
    number: name.removeprefix("STATE_").lower() for name, number in node_control_pb2.PlacementStatus.State.items()
}
_KIND = {number: name.removeprefix("KIND_").lower() for name, number in events_pb2.Event.Kind.items()}
_DIALECT = {number: name.removeprefix("DIALECT_").lower() for name, number in common_pb2.Dialect.items()}
_UNKNOWN = "unspecified"  # a value that a newer control plane knows and we do not


def seconds(stamp: Timestamp) -> float | None:
    """Return *stamp* as seconds since the epoch, None when it is not set."""
    return stamp.seconds + stamp.nanos / 1e9 if stamp.seconds or stamp.nanos else None


def node(message: nodes_pb2.Node) -> Json:
    """A node but for its placements and sandboxes."""
    report = message.report
    return {
        "id": message.id,
        "region": message.region,
        "site": message.site,
        "latitude": message.location.latitude,
        "longitude": message.location.longitude,
        "addresses": [*message.ingress.ipv4, *message.ingress.ipv6],
        "port": message.ingress.port,
        "draining": message.draining,
        "health": _HEALTH.get(message.health, _UNKNOWN),
        "health_reason": message.health_reason,
        "connected": message.connected,
        "last_seen_at": seconds(message.last_seen_at),
        "witnesses": [witness(item) for item in message.witnesses],
        "snapshot_revision": report.snapshot_revision,
        "load_1m": round(report.load_1m, 2),
        "cpus": report.cpus,
        "memory_available_bytes": report.memory_available_bytes,
        "isolation": report.isolation,
        "deno_version": report.deno_version,
        "haproxy_version": report.haproxy_version,
        "ingress_ready": report.ingress_ready,
    }


def witness(message: nodes_pb2.Witness) -> Json:
    """One router's verdict; the round trip in milliseconds."""
    return {
        "router": message.router,
        "verdict": _VERDICT.get(message.verdict, _UNKNOWN),
        "reason": message.reason,
        "rtt_ms": round(message.rtt_s * 1000, 1),
        "since": seconds(message.since),
    }


def placement(message: node_control_pb2.PlacementStatus) -> Json:
    """What a node says of one function."""
    return {
        "function": message.function,
        "generation": message.generation,
        "state": placement_state(message),
        "active_version": message.active_version,
        "error": message.error,
        "overruns": dict(sorted(message.overruns.items())),
        "breaker_open": message.breaker_open,
    }


def placement_state(message: node_control_pb2.PlacementStatus) -> str:
    """The state's name: pending, active or refused."""
    return _PLACEMENT.get(message.state, _UNKNOWN)


def sandbox(message: node_control_pb2.SandboxStatus) -> Json:
    """One sandbox."""
    return {
        "function": message.function,
        "version": message.version,
        "state": message.state,
        "memory_bytes": message.memory_bytes,
        "cpu_s": round(message.cpu_s, 3),
        "requests": message.requests,
        "terminations": message.terminations,
        "last_termination": message.last_termination,
    }


def router(message: routing_pb2.Router) -> Json:
    """A router but for its verdicts, which stand with the nodes."""
    return {
        "id": message.id,
        "dns": message.dns,
        "http": message.http,
        "epoch": message.epoch,
        "zone": message.zone,
    }


def function(message: functions_pb2.Function) -> Json:
    """A function."""
    return {
        "name": message.name,
        "hostnames": list(message.hostnames),
        "active_version": message.active_version,
        "created_at": seconds(message.created_at),
        "limits": {
            "cpu_ms": message.limits.cpu_ms,
            "memory_mib": message.limits.memory_mib,
            "wall_ms": message.limits.wall_ms,
        },
    }


def version(message: versions_pb2.Version) -> Json:
    """A version."""
    return {
        "number": message.number,
        "digest": message.digest,
        "size_bytes": message.size_bytes,
        "dialect": _DIALECT.get(message.dialect, _UNKNOWN),
        "entrypoint": message.entrypoint,
        "author": message.author,
        "message": message.message,
        "created_at": seconds(message.created_at),
    }


def deployment(message: deployments_pb2.Deployment) -> Json:
    """A deployment with every node's progress."""
    return {
        "function": message.function,
        "generation": message.generation,
        "shares": [share(item) for item in message.shares],
        "previous": [share(item) for item in message.previous],
        "phase": _PHASE.get(message.phase, _UNKNOWN),
        "reason": message.reason,
        "created_at": seconds(message.created_at),
        "ended_at": seconds(message.ended_at),
        "nodes": [
            {
                "node": item.node,
                "region": item.region,
                "state": _PROGRESS.get(item.state, _UNKNOWN),
                "error": item.error,
            }
            for item in message.nodes
        ],
    }


def share(message: common_pb2.Share) -> Json:
    """One version's part of the traffic."""
    return {"version": message.version, "percent": message.percent}


def event(message: events_pb2.Event) -> Json:
    """An event; its id as text, since it may be beyond what a browser's numbers hold."""
    return {
        "id": str(message.id),
        "time": seconds(message.time),
        "kind": _KIND.get(message.kind, _UNKNOWN),
        "function": message.function,
        "version": message.version,
        "node": message.node,
        "region": message.region,
        "actor": message.actor,
        "message": message.message,
    }


def decision(message: routing_pb2.ExplainResponse) -> Json:
    """A decision; a distance that is not known is null."""
    client = message.client
    return {
        "client": {
            "ip": client.ip,
            "network": client.network,
            "source": client.source,
            "latitude": client.location.latitude if client.HasField("location") else None,
            "longitude": client.location.longitude if client.HasField("location") else None,
            "country": client.country,
            "city": client.city,
        },
        "candidates": [
            {
                "node": item.node,
                "region": item.region,
                "distance_km": round(item.distance_km, 1) if item.distance_km >= 0 else None,
                "chosen": item.chosen,
                "eligible": item.eligible,
                "reason": item.reason,
            }
            for item in message.candidates
        ],
        "answers": list(message.answers),
        "ttl_s": message.ttl_s,
        "scope_prefix_length": message.scope_prefix_length,
        "reason": message.reason,
    }


def flows(message: routing_pb2.Flows) -> Json:
    """The flows summed by country and node, greatest first, and by function; the functions' own countries are not kept."""
    pairs: dict[tuple[str, str], float] = {}
    functions: dict[str, float] = {}
    for flow in message.flows:
        pair = (flow.country, flow.node)
        pairs[pair] = pairs.get(pair, 0.0) + flow.answers_per_s
        functions[flow.function] = functions.get(flow.function, 0.0) + flow.answers_per_s
    greatest = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    return {
        "window_s": message.window_s,
        "flows": [[country, node_id, round(rate, 3)] for (country, node_id), rate in greatest],
        "functions": {name: round(rate, 3) for name, rate in functions.items()},
        "other_answers_per_s": round(message.other_answers_per_s, 3),
    }
