"""Between the contract's messages and the node's records. Pure.

A snapshot is checked again here, whoever sent it: a placement that cannot be carried out is refused by itself, and the others go on.
"""

from collections.abc import Iterable, Mapping

from nearhop import names
from nearhop.v1 import common_pb2
from nearhop.v1 import node_control_pb2 as pb
from node.plan.records import Dialect, Good, Limits, Placement, Snapshot, Version
from node.plan.status import PlacementStatus, Progress

BUNDLE_MAX_BYTES = 10 << 20
_CPU_MAX_MS = 60_000
_MEMORY_MAX_MIB = 4096
_WALL_MAX_MS = 3_600_000

_DIALECTS = {common_pb2.DIALECT_WORKERS: Dialect.WORKERS, common_pb2.DIALECT_DENO: Dialect.DENO}
_STATES = {
    Progress.PENDING: pb.PlacementStatus.STATE_PENDING,
    Progress.ACTIVE: pb.PlacementStatus.STATE_ACTIVE,
    Progress.REFUSED: pb.PlacementStatus.STATE_REFUSED,
}


def snapshot(message: pb.Snapshot) -> Snapshot:
    """Read a snapshot. The second placement of one function is dropped."""
    placements: dict[str, Placement] = {}
    for item in message.placements:
        placements.setdefault(item.function, placement(item))
    return Snapshot(message.revision, message.zone, message.draining, tuple(placements.values()))


def placement(message: pb.Placement) -> Placement:
    problems = _problems(message)
    best = max(message.versions, key=lambda version: (version.percent, version.number), default=None)
    # One version at a time serves here: the one with the greatest share.
    version = None
    if best is not None and best.percent > 0 and not problems:
        version = Version(best.number, best.digest, best.size_bytes, _DIALECTS[best.dialect])
    hostnames = tuple(dict.fromkeys(host for host in message.hostnames if not names.hostname_reasons(host)))
    return Placement(
        message.function, message.generation, hostnames, limits(message.limits), version, "; ".join(problems)
    )


def limits(message: common_pb2.Limits) -> Limits:
    """Fill the platform's defaults in."""
    default = Limits()
    return Limits(
        min(message.cpu_ms or default.cpu_ms, _CPU_MAX_MS),
        min(message.memory_mib or default.memory_mib, _MEMORY_MAX_MIB),
        min(message.wall_ms or default.wall_ms, _WALL_MAX_MS),
    )


def _problems(message: pb.Placement) -> list[str]:
    found = [f"function {reason}" for reason in names.function_name_reasons(message.function)]
    found += [f"hostname {host!r} {reason}" for host in message.hostnames for reason in names.hostname_reasons(host)]
    for version in message.versions:
        found += [f"version {version.number}: digest {reason}" for reason in names.digest_reasons(version.digest)]
        if version.dialect not in _DIALECTS:
            found.append(f"version {version.number}: dialect {version.dialect} is not known to this node")
        if version.number == 0:
            found.append("version 0 is not a version's number")
        if version.size_bytes > BUNDLE_MAX_BYTES:
            found.append(f"version {version.number}: {version.size_bytes} bytes are more than {BUNDLE_MAX_BYTES}")
    return found


def statuses(items: Iterable[PlacementStatus]) -> list[pb.PlacementStatus]:
    return [
        pb.PlacementStatus(
            function=item.function,
            generation=item.generation,
            state=_STATES[item.progress],
            active_version=item.active_version,
            error=item.error,
        )
        for item in items
    ]


def good_to_json(good: Mapping[str, Good]) -> dict[str, object]:
    return {
        function: {
            "number": item.version.number,
            "digest": item.version.digest,
            "size_bytes": item.version.size_bytes,
            "dialect": item.version.dialect.value,
            "cpu_ms": item.limits.cpu_ms,
            "memory_mib": item.limits.memory_mib,
            "wall_ms": item.limits.wall_ms,
        }
        for function, item in good.items()
    }


def good_from_json(raw: Mapping[str, Mapping[str, object]]) -> dict[str, Good]:
    """Read what good_to_json() made. Raises KeyError, TypeError or ValueError on anything else."""

    def whole(item: Mapping[str, object], key: str) -> int:
        value = item[key]
        if not isinstance(value, int):
            raise TypeError(f"{key} is not a whole number")
        return value

    return {
        function: Good(
            Version(
                whole(item, "number"), str(item["digest"]), whole(item, "size_bytes"), Dialect(str(item["dialect"]))
            ),
            Limits(whole(item, "cpu_ms"), whole(item, "memory_mib"), whole(item, "wall_ms")),
        )
        for function, item in raw.items()
    }
