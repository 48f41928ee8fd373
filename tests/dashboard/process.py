"""The dashboard as a process of a test cluster."""

from pathlib import Path

import httpx

from tests.harness.cluster import Cluster
from tests.harness.process import Process


class Dashboard(Process):
    """`nearhop dashboard` on the cluster's own network."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        address = cluster.endpoint.rpartition(":")[0]
        self.url = f"http://{address}:7470"
        super().__init__(
            "dashboard",
            "controlplane.dashboard",
            {"listen": f"{address}:7470", "control_planes": [cluster.endpoint]},
            folder,
        )

    async def ready(self) -> bool:
        async with httpx.AsyncClient() as client:
            try:
                return (await client.get(f"{self.url}/healthz", timeout=2)).status_code == 200
            except httpx.TransportError:
                return False
