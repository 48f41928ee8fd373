"""The keys of a cluster on one machine: made here, kept in its state folder, thrown away with it.

They take the way that any fleet's take: etcd by TLS, a sealed authority, a join token for each part.
"""

import shutil
import ssl
from datetime import UTC, datetime
from pathlib import Path

from controlplane.cli.endpoint import Target
from controlplane.cli.rpc import TIMEOUT_S, Connection, request_id
from controlplane.identity import etcd_tls, seal
from deploy.local.settings import HOST, ROUTER, Settings
from nearhop import private, tls
from nearhop.enroll import ROLES
from nearhop.spiffe import Part, Role
from nearhop.v1 import identity_pb2

KEY_FILE = "key-encryption.key"
ADMIN_FILE = "admin.token"  # which the control plane writes


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


async def let_in(settings: Settings, connection: Connection) -> None:
    """Write a join token for each part that has no certificate which holds."""
    parts = [(Part(Role.ROUTER, ROUTER), settings.state_dir / "router")]
    parts += [(Part(Role.NODE, it.id, it.region.name), settings.state_dir / "nodes" / it.id) for it in settings.nodes]
    authorities = (settings.keys / tls.AUTHORITIES_FILE).read_bytes()
    for part, folder in parts:
        if _has_joined(folder / "identity", authorities):
            continue
        shutil.rmtree(folder / "identity", ignore_errors=True)
        request = identity_pb2.CreateJoinTokenRequest(
            request_id=request_id(),
            part=identity_pb2.Part(role=ROLES[part.role], region=part.region, id=part.id),
            replace=True,
        )
        made = await connection.tokens.CreateJoinToken(request, timeout=TIMEOUT_S)
        private.write(token_file(settings, part.id), made.secret.encode())


def _has_joined(folder: Path, authorities: bytes) -> bool:
    try:
        return tls.load(folder, datetime.now(UTC)).authorities == authorities
    except (tls.CertificateError, OSError):
        return False
