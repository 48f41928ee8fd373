"""What a control plane tells a monitor: its counters and states as metrics."""

from collections.abc import Mapping

from controlplane.api.connections import Connections
from controlplane.api.errors import ErrorInterceptor
from controlplane.monitoring import Metric, plain


def figures(
    interceptor: ErrorInterceptor,
    connections: Connections | None,
    *,
    nodes: int,
    routers: int,
    leads: Mapping[str, bool],
    revision: int,
) -> list[Metric]:
    """Return all metrics; *connections* is None without identities."""
    refused = Metric("nearhop_calls_refused_total", "counter", "Calls that ended with an error, by why.")
    for (method, code, reason), count in sorted(interceptor.refused.items()):
        refused.samples.append(((("method", method), ("code", code), ("reason", reason)), count))
    leading = Metric("nearhop_leading", "gauge", "Whether this control plane leads the controller.")
    leading.samples.extend(((("controller", name),), float(led)) for name, led in sorted(leads.items()))
    begun = Metric("nearhop_connections_begun_total", "counter", "TLS handshakes that began, by listener.")
    calling = Metric(
        "nearhop_connections_calling_total", "counter",
        "Connections on which a call came, by listener; those that began and are not here were refused by TLS, or asked nothing.",
    )  # fmt: skip
    if connections is not None:
        for metric, counts in ((begun, connections.begun), (calling, connections.calling)):
            metric.samples.extend(((("listener", name),), count) for name, count in sorted(counts.items()))
    return [
        refused,
        plain("nearhop_internal_errors_total", "counter", "Calls that failed for no foreseen reason.", interceptor.internal_errors),
        begun,
        calling,
        plain("nearhop_nodes_connected", "gauge", "Node agents with a stream to this control plane.", nodes),
        plain("nearhop_routers_connected", "gauge", "Routers with a stream to this control plane.", routers),
        plain("nearhop_store_revision", "gauge", "The revision of the store that is known.", revision),
        leading,
    ]  # fmt: skip
