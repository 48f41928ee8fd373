"""Between the contract's messages and the node's records. Pure.

A snapshot is checked again here, whoever sent it: a placement that cannot be carried out is refused by itself, and the others go on.
"""

from collections.abc import Iterable, Mapping

from pydantic import TypeAdapter

from nearhop import names, packs, spec_codec
from nearhop.spec import Limits, PathRoute, RateLimit
from nearhop.v1 import common_pb2
from nearhop.v1 import node_control_pb2 as pb
from node.plan.records import Good, Part, Placement, Snapshot, Version
from node.plan.status import PlacementStatus, Progress

BUNDLE_MAX_BYTES = 10 << 20
_CPU_MAX_MS = 60_000
_MEMORY_MAX_MIB = 4096
_WALL_MAX_MS = 3_600_000
_SUBREQUESTS_MAX = 10_000
_REQUEST_BODY_MAX_BYTES = 512 << 20
_CONCURRENCY_MAX = 10_000
_INSTANCES_MAX = 64
_RATE_PERIOD_MAX_S = 3600
_VERSIONS_MAX = 8  # of one function that share its requests

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


class Decoder:
    """Reads snapshots one after another. Placements that have not changed stay the same objects, and cost next to nothing."""

    def __init__(self) -> None:
        self._known: dict[bytes, Placement] = {}

    def snapshot(self, message: pb.Snapshot) -> Snapshot:
        """Read a snapshot, as snapshot() does."""
        # Two bodies of one placement may differ by the order of a map's entries: it is only read once more then.
        before = self._known
        self._known = {
            body: before.get(body) or placement(item)
            for item in message.placements
            for body in (item.SerializeToString(),)
        }
        placements: dict[str, Placement] = {}
        for known in self._known.values():
            placements.setdefault(known.function, known)
        return Snapshot(message.revision, message.zone, message.draining, tuple(placements.values()))


def placement(message: pb.Placement) -> Placement:
    problems = _problems(message)
    served = [] if problems or not any(item.percent for item in message.versions) else list(message.versions)
    hostnames = tuple(dict.fromkeys(host for host in message.hostnames if not names.hostname_reasons(host)))
    return Placement(
        message.function,
        message.generation,
        hostnames,
        limits(message.limits),
        _version(served[0]) if served else None,
        "; ".join(problems),
        routes=_routes(message.routes),
        rate_limit=_rate_limit(message.rate_limit),
        cache_epoch=message.cache_epoch,
        secrets={secret.name: secret.value for secret in message.secrets},
        beside=tuple(Part(_version(item), item.percent) for item in served[1:]),
    )


def _version(message: pb.PlacedVersion) -> Version:
    return Version(
        message.number,
        message.digest,
        message.size_bytes,
        spec_codec.DIALECT_OF[message.dialect],
        spec_codec.read_manifest(message.manifest),
        message.created_at,
    )


def limits(message: common_pb2.Limits) -> Limits:
    """Read limits, none above what any node grants."""
    wanted = spec_codec.read_limits(message)
    return Limits(
        min(wanted.cpu_ms, _CPU_MAX_MS),
        min(wanted.memory_mib, _MEMORY_MAX_MIB),
        min(wanted.wall_ms, _WALL_MAX_MS),
        min(wanted.subrequests, _SUBREQUESTS_MAX),
        min(wanted.request_body_bytes, _REQUEST_BODY_MAX_BYTES),
        min(wanted.concurrency, _CONCURRENCY_MAX),
        min(wanted.instances, _INSTANCES_MAX),
    )


def _routes(messages: Iterable[common_pb2.PathRoute]) -> tuple[PathRoute, ...]:
    # Each once; what is no route is a problem already.
    return tuple(dict.fromkeys(route for route in spec_codec.read_routes(messages) if not _route_reasons(route)))


def _rate_limit(message: common_pb2.RateLimit) -> RateLimit:
    wanted = spec_codec.read_rate_limit(message)
    return RateLimit(wanted.requests, min(wanted.period_s, _RATE_PERIOD_MAX_S))


def _problems(message: pb.Placement) -> list[str]:
    found = [f"function {reason}" for reason in names.function_name_reasons(message.function)]
    found += [f"hostname {host!r} {reason}" for host in message.hostnames for reason in names.hostname_reasons(host)]
    found += [reason for route in spec_codec.read_routes(message.routes) for reason in _route_reasons(route)]
    for version in message.versions:
        found += [f"version {version.number}: {reason}" for reason in _assets_problems(version.manifest)]
        found += [f"version {version.number}: digest {reason}" for reason in names.digest_reasons(version.digest)]
        if version.dialect not in spec_codec.DIALECT_OF:
            found.append(f"version {version.number}: dialect {version.dialect} is not known to this node")
        if version.number == 0:
            found.append("version 0 is not a version's number")
        if version.size_bytes > BUNDLE_MAX_BYTES:
            found.append(f"version {version.number}: {version.size_bytes} bytes are more than {BUNDLE_MAX_BYTES}")
    return found + _share_problems(message)


def _route_reasons(route: PathRoute) -> list[str]:
    reasons = [f"hostname {route.hostname!r} {reason}" for reason in names.hostname_reasons(route.hostname)]
    return reasons + [f"path {route.path!r} {reason}" for reason in names.path_prefix_reasons(route.path)]


def _assets_problems(manifest: common_pb2.Manifest) -> list[str]:
    if not manifest.HasField("assets"):
        return []
    found = [f"assets' digest {reason}" for reason in names.digest_reasons(manifest.assets.digest)]
    if manifest.assets.size_bytes > packs.PACK_MAX_BYTES:
        found.append(f"{manifest.assets.size_bytes} bytes of assets are more than {packs.PACK_MAX_BYTES}")
    return found


def _share_problems(message: pb.Placement) -> list[str]:
    found = []
    if len({version.number for version in message.versions}) < len(message.versions):
        found.append("a version stands there twice")
    if len(message.versions) > _VERSIONS_MAX:
        found.append(f"{len(message.versions)} versions are more than {_VERSIONS_MAX}")
    total = sum(version.percent for version in message.versions)
    if len(message.versions) > 1 and total != 100:
        found.append(f"the versions' shares sum to {total}, not to 100")
    return found


def statuses(items: Iterable[PlacementStatus]) -> list[pb.PlacementStatus]:
    return [
        pb.PlacementStatus(
            function=item.function,
            generation=item.generation,
            state=_STATES[item.progress],
            active_version=item.active_version,
            error=item.error,
            overruns=item.overruns,
            breaker_open=item.breaker_open,
            versions=[
                pb.VersionStatus(number=version.number, failures=version.failures, breaker_open=version.breaker_open)
                for version in item.versions
            ],
        )
        for item in items
    ]


def good_to_json(good: Mapping[str, Good]) -> dict[str, object]:
    """Return what is spooled. A Good holds no secret: a sandbox gets those of the placement."""
    return {
        function: _VERSION.dump_python(item.version, mode="json") | _LIMITS.dump_python(item.limits, mode="json")
        for function, item in good.items()
    }


def good_from_json(raw: Mapping[str, Mapping[str, object]]) -> dict[str, Good]:
    """Read what good_to_json() made, here or in an older agent, which knew fewer keys.

    Raises TypeError, ValueError or AttributeError on anything else.
    """
    return {
        function: Good(_VERSION.validate_python(item), _LIMITS.validate_python(item)) for function, item in raw.items()
    }


_VERSION = TypeAdapter(Version)
_LIMITS = TypeAdapter(Limits)
