"""Records <-> protobuf messages."""

import math
from collections.abc import Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from controlplane.api import policy_codec
from controlplane.model import (
    BundleKind,
    Deployment,
    EndedDeployment,
    Function,
    Gradual,
    Ingress,
    Location,
    NodeProgress,
    NodeReport,
    Phase,
    PlacementState,
    PlacementStatus,
    Progress,
    Rollout,
    SandboxStatus,
    Share,
    Verdict,
    Version,
    VersionStatus,
    Witness,
)
from controlplane.rollout import Decision, due_at
from nearhop import spec_codec
from nearhop.v1 import (
    common_pb2,
    deployments_pb2,
    functions_pb2,
    node_control_pb2,
    nodes_pb2,
    versions_pb2,
)

_ERROR_CHARACTERS = 2000
_PLACEMENTS_MAX = 10_000
_REASONS_MAX = 32
_VERSIONS_MAX = 8

_BUNDLE_KIND_OF: dict[int, BundleKind] = {
    common_pb2.BUNDLE_KIND_UNSPECIFIED: BundleKind.MODULE,
    common_pb2.BUNDLE_KIND_MODULE: BundleKind.MODULE,
    common_pb2.BUNDLE_KIND_ASSETS: BundleKind.ASSETS,
}
_PHASES = {
    Phase.PROGRESSING: deployments_pb2.Deployment.PHASE_PROGRESSING,
    Phase.COMPLETE: deployments_pb2.Deployment.PHASE_COMPLETE,
    Phase.FAILED: deployments_pb2.Deployment.PHASE_FAILED,
    Phase.PAUSED: deployments_pb2.Deployment.PHASE_PAUSED,
    Phase.ROLLED_BACK: deployments_pb2.Deployment.PHASE_ROLLED_BACK,
}
_PROGRESS = {
    Progress.PENDING: deployments_pb2.NodeProgress.STATE_PENDING,
    Progress.ACTIVE: deployments_pb2.NodeProgress.STATE_ACTIVE,
    Progress.REFUSED: deployments_pb2.NodeProgress.STATE_REFUSED,
    Progress.UNREACHABLE: deployments_pb2.NodeProgress.STATE_UNREACHABLE,
}
_STATES = {
    PlacementState.PENDING: node_control_pb2.PlacementStatus.STATE_PENDING,
    PlacementState.ACTIVE: node_control_pb2.PlacementStatus.STATE_ACTIVE,
    PlacementState.REFUSED: node_control_pb2.PlacementStatus.STATE_REFUSED,
}
_STATE_OF = {number: state for state, number in _STATES.items()}
_VERDICTS = {
    Verdict.UP: nodes_pb2.Witness.VERDICT_UP,
    Verdict.DOWN: nodes_pb2.Witness.VERDICT_DOWN,
    Verdict.UNKNOWN: nodes_pb2.Witness.VERDICT_UNKNOWN,
}
_VERDICT_OF = {number: verdict for verdict, number in _VERDICTS.items()}


def timestamp(seconds: float) -> Timestamp:
    # Rounded: a double holds today's date to about 0.2 µs.
    whole, micros = divmod(round(seconds * 1_000_000), 1_000_000)
    return Timestamp(seconds=whole, nanos=micros * 1000)


def seconds(message: Timestamp) -> float:
    return message.seconds + message.nanos / 1e9


def bundle_kind(number: int) -> BundleKind | None:
    return _BUNDLE_KIND_OF.get(number)


def location(record: Location) -> common_pb2.Location:
    return common_pb2.Location(latitude=record.latitude, longitude=record.longitude)


def ingress(record: Ingress) -> common_pb2.Ingress:
    return common_pb2.Ingress(ipv4=record.ipv4, ipv6=record.ipv6, port=record.port)


def shares(records: Iterable[Share]) -> list[common_pb2.Share]:
    return [common_pb2.Share(version=share.version, percent=share.percent) for share in records]


def function(record: Function, deployment: Deployment | None, revision: int = 0) -> functions_pb2.Function:
    in_force = deployment.in_force() if deployment else ()
    active = max(in_force, key=lambda share: share.percent, default=None)
    return functions_pb2.Function(
        name=record.name,
        hostnames=record.hostnames,
        limits=spec_codec.limits(record.limits),
        active_version=active.version if active else 0,
        shares=shares(in_force),
        created_at=timestamp(record.created_at),
        revision=revision,
        routes=spec_codec.routes(record.routes),
        rate_limit=spec_codec.rate_limit(record.rate_limit),
        routing=policy_codec.routing(record.routing),
        cache_epoch=record.cache_epoch,
    )


def version(record: Version) -> versions_pb2.Version:
    return versions_pb2.Version(
        function=record.function,
        number=record.number,
        digest=record.digest,
        size_bytes=record.size_bytes,
        dialect=spec_codec.DIALECTS[record.dialect],
        entrypoint=record.entrypoint,
        author=record.author,
        message=record.message,
        created_at=timestamp(record.created_at),
        manifest=spec_codec.manifest(record.manifest),
    )


def deployment(record: Deployment, now: Decision | None = None) -> deployments_pb2.Deployment:
    """Return the message for *record*; what *now* is decided on it is newer than what it holds itself."""
    reason = record.reason
    if now is not None:
        # Decided, but not written yet: it has not ended before the record says so.
        reason = "ending" if now.phase not in (Phase.PROGRESSING, Phase.PAUSED) else now.reason
    return deployments_pb2.Deployment(
        function=record.function,
        generation=record.generation,
        shares=shares(record.shares),
        previous=shares(record.previous),
        phase=_PHASES[record.phase],
        reason=reason,
        created_at=timestamp(record.created_at),
        ended_at=None if record.ended_at is None else timestamp(record.ended_at),
        nodes=map(_progress, record.nodes if now is None else now.nodes),
        rollout=None if record.rollout is None else _rollout(record, record.rollout, now),
        note=record.note,
    )


def _rollout(record: Deployment, rollout: Rollout, now: Decision | None) -> deployments_pb2.Rollout:
    next_at = due_at(rollout) if record.phase is Phase.PROGRESSING else None
    return deployments_pb2.Rollout(
        version=rollout.version,
        gradual=deployments_pb2.Gradual(
            steps=rollout.gradual.steps,
            pause_s=rollout.gradual.pause_s,
            hold=rollout.gradual.hold,
            max_failures=rollout.gradual.max_failures,
        ),
        step=rollout.step,
        step_at=timestamp(rollout.step_at),
        reached_at=None if rollout.reached_at is None else timestamp(rollout.reached_at),
        next_at=None if next_at is None else timestamp(next_at),
        failures=0 if now is None else now.failures,
    )


def gradual(message: deployments_pb2.Gradual) -> Gradual:
    """Return the record of a message that was found sound."""
    default = Gradual((100,)).max_failures
    return Gradual(tuple(message.steps), message.pause_s, message.hold, message.max_failures or default)


def ended_deployment(function: str, record: EndedDeployment) -> deployments_pb2.Deployment:
    return deployments_pb2.Deployment(
        function=function,
        generation=record.generation,
        shares=shares(record.shares),
        previous=shares(record.previous),
        phase=_PHASES[record.phase],
        reason=record.reason,
        created_at=timestamp(record.created_at),
        ended_at=timestamp(record.ended_at),
    )


def _progress(record: NodeProgress) -> deployments_pb2.NodeProgress:
    return deployments_pb2.NodeProgress(
        node=record.node, region=record.region, state=_PROGRESS[record.progress], error=record.error
    )


def report(record: NodeReport) -> node_control_pb2.NodeReport:
    return node_control_pb2.NodeReport(
        snapshot_revision=record.snapshot_revision,
        placements=[
            node_control_pb2.PlacementStatus(
                function=status.function,
                generation=status.generation,
                state=_STATES[status.state],
                active_version=status.active_version,
                error=status.error,
                overruns=status.overruns,
                breaker_open=status.breaker_open,
                versions=[
                    node_control_pb2.VersionStatus(
                        number=version.number, failures=version.failures, breaker_open=version.breaker_open
                    )
                    for version in status.versions
                ],
            )
            for status in record.placements
        ],
        sandboxes=[
            node_control_pb2.SandboxStatus(
                function=sandbox.function,
                version=sandbox.version,
                state=sandbox.state,
                memory_bytes=sandbox.memory_bytes,
                cpu_s=sandbox.cpu_s,
                requests=sandbox.requests,
                terminations=sandbox.terminations,
                last_termination=sandbox.last_termination,
            )
            for sandbox in record.sandboxes
        ],
        load_1m=record.load_1m,
        cpus=record.cpus,
        memory_available_bytes=record.memory_available_bytes,
        isolation=record.isolation,
        deno_version=record.deno_version,
        haproxy_version=record.haproxy_version,
        ingress_ready=record.ingress_ready,
        load_limit=record.load_limit,
    )


def read_report(message: node_control_pb2.NodeReport, *, node: str, instance: str, now: float) -> NodeReport:
    """Return the record of an agent's report. What is out of range is cut: a node that reports nonsense is still there."""
    return NodeReport(
        node=node,
        instance=instance,
        snapshot_revision=message.snapshot_revision,
        placements=tuple(map(_read_placement, message.placements[:_PLACEMENTS_MAX])),
        sandboxes=tuple(map(_read_sandbox, message.sandboxes[:_PLACEMENTS_MAX])),
        load_1m=_amount(message.load_1m),
        cpus=message.cpus,
        memory_available_bytes=message.memory_available_bytes,
        isolation=message.isolation[:_ERROR_CHARACTERS],
        deno_version=message.deno_version[:64],
        haproxy_version=message.haproxy_version[:64],
        ingress_ready=message.ingress_ready,
        reported_at=now,
        load_limit=_amount(message.load_limit),
    )


def _read_placement(message: node_control_pb2.PlacementStatus) -> PlacementStatus:
    return PlacementStatus(
        function=message.function[:64],
        generation=message.generation,
        state=_STATE_OF.get(message.state, PlacementState.PENDING),
        active_version=message.active_version,
        error=message.error[:_ERROR_CHARACTERS],
        overruns={reason[:64]: message.overruns[reason] for reason in sorted(message.overruns)[:_REASONS_MAX]},
        breaker_open=message.breaker_open,
        versions=tuple(map(_read_version, message.versions[:_VERSIONS_MAX])),
    )


def _read_version(message: node_control_pb2.VersionStatus) -> VersionStatus:
    failures = {reason[:64]: message.failures[reason] for reason in sorted(message.failures)[:_REASONS_MAX]}
    return VersionStatus(message.number, failures, message.breaker_open)


def _read_sandbox(message: node_control_pb2.SandboxStatus) -> SandboxStatus:
    return SandboxStatus(
        function=message.function[:64],
        version=message.version,
        state=message.state[:32],
        memory_bytes=message.memory_bytes,
        cpu_s=_amount(message.cpu_s),
        requests=message.requests,
        terminations=message.terminations,
        last_termination=message.last_termination[:64],
    )


def verdict(record: Verdict) -> "nodes_pb2.Witness.Verdict":
    return _VERDICTS[record]


def witness(record: Witness) -> nodes_pb2.Witness:
    return nodes_pb2.Witness(
        router=record.router,
        node=record.node,
        verdict=_VERDICTS[record.verdict],
        reason=record.reason,
        rtt_s=record.rtt_s,
        since=timestamp(record.since),
    )


def read_witness(message: nodes_pb2.Witness, router: str) -> Witness:
    """Return a router's verdict, in the name of the router that says it."""
    return Witness(
        router=router,
        node=message.node[:64],
        verdict=_VERDICT_OF.get(message.verdict, Verdict.UNKNOWN),
        reason=message.reason[:_ERROR_CHARACTERS],
        since=seconds(message.since),
        rtt_s=_amount(message.rtt_s),
    )


def _amount(value: float) -> float:
    return value if math.isfinite(value) and value > 0 else 0.0
