"""A control plane in this process, on a real etcd, with a real port."""

from collections.abc import AsyncIterator

import pytest_asyncio

from controlplane.config import Config, LimitsConfig
from controlplane.server import ControlPlane
from controlplane.store.client import Store
from tests.controlplane.api.clients import Client
from tests.harness.etcd import Etcd

LIMITS = LimitsConfig(heartbeat_interval_s=0.3, lease_ttl_s=2.0, progress_deadline_s=20.0, shutdown_grace_s=0.5)


@pytest_asyncio.fixture
async def plane(store: Store, shared_etcd: Etcd) -> AsyncIterator[ControlPlane]:
    """A control plane on an empty store."""
    plane = ControlPlane(
        Config([shared_etcd.endpoint], "example.org", listen="127.0.0.1:0", limits=LIMITS, insecure=True)
    )
    async with plane.running() as port:
        plane.address = f"127.0.0.1:{port}"  # type: ignore[attr-defined]
        await plane.cache.synced.wait()
        yield plane


@pytest_asyncio.fixture
async def client(plane: ControlPlane) -> AsyncIterator[Client]:
    client = Client(plane.address)  # type: ignore[attr-defined]
    yield client
    await client.channel.close(None)
