"""What the agent tells the control plane about itself and its machine."""

import functools
import importlib.metadata
import os

import psutil

from nearhop import engines
from nearhop.v1 import common_pb2
from nearhop.v1 import node_control_pb2 as pb
from node.config import NodeConfig
from node.sandbox.pool import Pool


@functools.cache
def agent_version() -> str:
    try:
        return importlib.metadata.version("nearhop")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"  # run from a checkout that is not installed


def hello(settings: NodeConfig, revision: int, instance: str) -> pb.Hello:
    return pb.Hello(
        node=settings.id,
        region=settings.region,
        site=settings.site,
        location=common_pb2.Location(latitude=settings.latitude, longitude=settings.longitude),
        ingress=common_pb2.Ingress(ipv4=settings.advertise_ipv4, ipv6=settings.advertise_ipv6, port=settings.port),
        snapshot_revision=revision,
        agent_version=agent_version(),
        instance=instance,
    )


def node_report(
    revision: int,
    placements: bytes,
    pool: Pool,
    *,
    ingress_ready: bool,
    load_limit: float = 0.0,
) -> pb.NodeReport:
    """Return the report; *placements* are their statuses, as the bytes of a report that has nothing else."""
    found = pb.NodeReport.FromString(placements)
    found.MergeFrom(
        pb.NodeReport(
            snapshot_revision=revision,
            sandboxes=_sandboxes(pool),
            load_1m=os.getloadavg()[0],
            cpus=os.cpu_count() or 1,
            memory_available_bytes=psutil.virtual_memory().available,
            isolation=pool.isolation,
            deno_version=str(engines.find("deno")),
            haproxy_version=str(engines.find("haproxy")),
            ingress_ready=ingress_ready,
            load_limit=load_limit,
        )
    )
    return found


def _sandboxes(pool: Pool) -> list[pb.SandboxStatus]:
    found = []
    for usage in pool.usage():
        count, reason = pool.terminations.get(usage.spec.function, (0, None))
        found.append(
            pb.SandboxStatus(
                function=usage.spec.function,
                version=usage.spec.version.number,
                state=usage.phase.value,
                memory_bytes=usage.memory_bytes,
                cpu_s=usage.cpu_s,
                requests=max(0, usage.finished),
                terminations=count,
                last_termination="" if reason is None else reason.value,
            )
        )
    return found
