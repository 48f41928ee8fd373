"""What the fleet of docker-compose.yml needs before it can start: keys and certificates of etcd, and a join token for each part.

Each step may run again: what is there and of use stays. Every folder under *volumes* is the volume of one part, or of those that share it.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from controlplane.cli import rpc
from controlplane.cli.endpoint import Target
from controlplane.cli.failure import Failure
from controlplane.identity import etcd_tls, seal
from nearhop import spiffe, tls
from nearhop.enroll import ROLES
from nearhop.errors import NearhopError
from nearhop.spiffe import Part
from nearhop.v1 import identity_pb2

MEMBERS = "etcd-tls"  # the volume that the members of etcd share
CONTROL_PLANES = "keys"  # the volume that the control planes share
KEY_FILE = "key-encryption.key"
ADMIN_FILE = "admin.token"
JOIN_FILE = "join.token"
_PATIENCE_S = 180.0
_RETRY_S = 0.5


def main() -> int:
    arguments = _parser().parse_args()
    try:
        if arguments.step == "secrets":
            secrets(arguments.volumes, arguments.member, renew=arguments.renew)
        else:
            asyncio.run(tokens(arguments.volumes, arguments.bootstrap, arguments.control_plane, arguments.part))
    except (NearhopError, OSError) as error:
        print(f"provision: {error}", file=sys.stderr)
        return 1
    return 0


def secrets(volumes: Path, members: Sequence[str], *, renew: bool = False) -> None:
    """Write the key-encryption key and the certificates of etcd's *members* (hosts and addresses), where there are none.

    With *renew* the certificates are replaced, all of them: every member and control plane must then be restarted. The key never is.
    """
    key = volumes / CONTROL_PLANES / KEY_FILE
    if not key.exists():
        seal.write_key(key)
    wanted = {
        volumes / MEMBERS: (etcd_tls.AUTHORITY, f"{etcd_tls.MEMBER}.key", f"{etcd_tls.MEMBER}.pem"),
        volumes / CONTROL_PLANES: (etcd_tls.AUTHORITY, f"{etcd_tls.CLIENT}.key", f"{etcd_tls.CLIENT}.pem"),
    }
    if not renew and all((folder / name).exists() for folder, names in wanted.items() for name in names):
        return
    with tempfile.TemporaryDirectory() as made:
        etcd_tls.write(Path(made), members)
        for folder, names in wanted.items():
            for name in names:
                tls.write_private(folder / name, (Path(made) / name).read_bytes())


async def tokens(volumes: Path, bootstrap: Path, control_planes: Sequence[str], parts: Sequence[Part]) -> None:
    """Write a join token into the volume of each of *parts* that has no certificate which holds. Raises Failure when no control plane serves in time.

    *bootstrap* is the folder where a control plane leaves the authority's certificate and the first admin token.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        for endpoint in control_planes:
            try:
                return await _tokens(volumes, bootstrap, endpoint, parts)
            except (Failure, FileNotFoundError) as error:
                if time.monotonic() > deadline:
                    raise Failure(f"no join tokens: {error}") from error
        await asyncio.sleep(_RETRY_S)


async def _tokens(volumes: Path, bootstrap: Path, endpoint: str, parts: Sequence[Part]) -> None:
    authorities = bootstrap / tls.AUTHORITIES_FILE
    trusted = authorities.read_bytes()
    target = Target(endpoint, authorities, (bootstrap / ADMIN_FILE).read_text(encoding="ascii").strip())
    async with rpc.connect(target) as connection:
        for part in parts:
            folder = volumes / part.id
            if _has_joined(folder / "identity", trusted):
                continue
            shutil.rmtree(folder / "identity", ignore_errors=True)
            request = identity_pb2.CreateJoinTokenRequest(
                request_id=rpc.request_id(),
                part=identity_pb2.Part(role=ROLES[part.role], region=part.region, id=part.id),
                replace=True,
            )
            made = await connection.tokens.CreateJoinToken(request, timeout=rpc.TIMEOUT_S)
            tls.write_private(folder / JOIN_FILE, made.secret.encode())


def _has_joined(folder: Path, trusted: bytes) -> bool:
    try:
        return tls.load(folder, datetime.now(UTC)).authorities == trusted
    except (tls.CertificateError, OSError):
        return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.compose.provision")
    parser.add_argument("--volumes", type=Path, required=True)
    steps = parser.add_subparsers(dest="step", required=True)
    step = steps.add_parser("secrets", help="etcd's certificates and the key-encryption key")
    step.add_argument("--member", action="append", required=True, help="a host or an address of a member")
    step.add_argument("--renew", action="store_true")
    step = steps.add_parser("tokens", help="a join token for each part")
    step.add_argument("--bootstrap", type=Path, required=True)
    step.add_argument("--control-plane", action="append", required=True, metavar="HOST:PORT")
    step.add_argument("part", nargs="+", type=spiffe.parse_path, help="node/REGION/ID or router/ID")
    return parser


if __name__ == "__main__":
    sys.exit(main())
