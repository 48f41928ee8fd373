"""A guarded control plane in this process: its addresses, its first token, and callers of every kind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from controlplane.access import Access
from controlplane.config import Config, IdentityConfig, LimitsConfig
from controlplane.identity import bootstrap, ca, seal
from controlplane.server import ControlPlane
from nearhop import tls
from nearhop.spiffe import Part

ZONE = "example.org"
LIMITS = LimitsConfig(heartbeat_interval_s=0.3, lease_ttl_s=2.0, progress_deadline_s=20.0, shutdown_grace_s=0.5)


@dataclass
class Secured:
    """The control plane with what its owner has."""

    plane: ControlPlane
    folder: Path
    api: str
    fleet: str
    channels: list[grpc.aio.Channel] = field(default_factory=list)

    @property
    def access(self) -> Access:
        assert self.plane.access is not None
        return self.plane.access

    @property
    def ca(self) -> bytes:
        return (self.folder / tls.AUTHORITIES_FILE).read_bytes()

    @property
    def admin(self) -> str:
        return (self.folder / bootstrap.ADMIN_FILE).read_text().strip()

    def person(self, token: str) -> grpc.aio.Channel:
        """Open a channel to the API; it is closed with the control plane."""
        return self._keep(tls.channel(self.api, authorities=self.ca, token=token))

    def part(self, credentials: tls.Credentials | None) -> grpc.aio.Channel:
        """Open a channel to the fleet's address."""
        return self._keep(tls.channel(self.fleet, authorities=self.ca, credentials=credentials))

    def certified(self, part: Part, *, epoch: int = 1, life_s: float = 3600) -> tls.Credentials:
        """Make a certificate without a token, as only the authority's owner can."""
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        made = ca.issue(
            self.access.authority, key.public_key(), part, epoch=epoch, now=now, life=timedelta(seconds=life_s)
        )
        return tls.Credentials(ca.key_pem(key), made.public_bytes(Encoding.PEM), self.ca)

    def _keep(self, channel: grpc.aio.Channel) -> grpc.aio.Channel:
        self.channels.append(channel)
        return channel


def configured(etcd: str, folder: Path, *, life_s: float = 86_400.0) -> Config:
    """Return the configuration of a guarded control plane; its key is made when it is not there."""
    key_file = folder / "key-encryption.key"
    if not key_file.exists():
        seal.write_key(key_file)
    identity = IdentityConfig(key_file, "127.0.0.1:0", bootstrap_dir=folder, certificate_life_s=life_s)
    return Config([etcd], ZONE, listen="127.0.0.1:0", limits=LIMITS, identity=identity)


@asynccontextmanager
async def secured(etcd: str, folder: Path, *, life_s: float = 86_400.0) -> AsyncIterator[Secured]:
    """Run a guarded control plane on *etcd*."""
    plane = ControlPlane(configured(etcd, folder, life_s=life_s))
    async with plane.running() as port:
        await plane.cache.synced.wait()
        running = Secured(plane, folder, f"127.0.0.1:{port}", f"127.0.0.1:{plane.fleet_port}")
        try:
            yield running
        finally:
            for channel in running.channels:
                await channel.close(None)
