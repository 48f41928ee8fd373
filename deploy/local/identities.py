"""The keys of a cluster on one machine: made here, kept in its state folder, thrown away with it.

They take the way that any fleet's take: etcd by TLS, a sealed authority, a join token for each part.
"""

import ssl
from pathlib import Path

from controlplane.client.rpc import TIMEOUT_S, Connection, request_id
from controlplane.client.target import Target
from controlplane.identity import etcd_tls, seal
from deploy import joining
from deploy.joining import Newcomer
from deploy.local.settings import HOST, ROUTER, Settings
from nearhop import tls
from nearhop.spiffe import Part, Role
from nearhop.v1 import identity_pb2

KEY_FILE = "key-encryption.key"
ADMIN_FILE = "admin.token"  # which the control plane writes
_DASHBOARD_TTL_S = 24 * 3600.0


def prepare(settings: Settings) -> None:
    """Make what must be there before etcd starts."""
    if not (settings.keys / KEY_FILE).exists():
        seal.write_key(settings.keys / KEY_FILE)
    etcd_tls.write(settings.keys, [HOST])


def etcd_client(settings: Settings) -> ssl.SSLContext:
    """Return what a client of etcd needs."""
    context = ssl.create_default_context(cafile=settings.keys / etcd_tls.AUTHORITY)
    context.load_cert_chain(settings.keys / f"{etcd_tls.CLIENT}.pem", settings.keys / f"{etcd_tls.CLIENT}.key")
    return context


def target(settings: Settings) -> Target:
    """Return how to speak to this cluster's control plane as its owner. Raises OSError before the control plane has started."""
    token = (settings.keys / ADMIN_FILE).read_text(encoding="ascii").strip()
    return Target(settings.control_plane, settings.keys / tls.AUTHORITIES_FILE, token)


def token_file(settings: Settings, name: str) -> Path:
    """Return where the join token of the part *name* is."""
    return settings.keys / f"{name}.join"


async def dashboard_token(connection: Connection) -> str:
    """Return a token of its own for the person who opens the dashboard; the owner's never leaves its file."""
    request = identity_pb2.CreateApiTokenRequest(
        request_id=request_id(), name="dashboard", role=identity_pb2.API_ROLE_ADMIN, ttl_s=_DASHBOARD_TTL_S
    )
    return (await connection.tokens.CreateApiToken(request, timeout=TIMEOUT_S)).secret


async def let_in(settings: Settings, connection: Connection) -> None:
    """Write a join token for each part that has no certificate which holds."""
    parts = [(Part(Role.ROUTER, ROUTER), settings.state_dir / "router")]
    parts += [(Part(Role.NODE, it.id, it.region.name), settings.state_dir / "nodes" / it.id) for it in settings.nodes]
    newcomers = [Newcomer(part, folder / "identity", token_file(settings, part.id)) for part, folder in parts]
    await joining.let_in(connection, (settings.keys / tls.AUTHORITIES_FILE).read_bytes(), newcomers)
