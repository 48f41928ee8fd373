"""Lets the parts of a fleet that is started here in: a join token for each one that has no certificate which holds."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from controlplane.client.rpc import TIMEOUT_S, Connection, request_id
from nearhop import private, tls
from nearhop.enroll import ROLES
from nearhop.spiffe import Part
from nearhop.v1 import identity_pb2


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A part, the folder for its certificate, and the file where it looks for its join token."""

    part: Part
    identity: Path
    token: Path


async def let_in(connection: Connection, authorities: bytes, newcomers: Iterable[Newcomer]) -> None:
    """Write the tokens, as an administrator. A part that has lost its certificate, or has one of other *authorities*, may take its name over.

    Raises Failure, OSError.
    """
    for newcomer in newcomers:
        if _has_joined(newcomer.identity, authorities):
            continue
        shutil.rmtree(newcomer.identity, ignore_errors=True)
        part = newcomer.part
        request = identity_pb2.CreateJoinTokenRequest(
            request_id=request_id(),
            part=identity_pb2.Part(role=ROLES[part.role], region=part.region, id=part.id),
            replace=True,
        )
        made = await connection.tokens.CreateJoinToken(request, timeout=TIMEOUT_S)
        private.write(newcomer.token, made.secret.encode())


def _has_joined(folder: Path, authorities: bytes) -> bool:
    try:
        return tls.load(folder, datetime.now(UTC)).authorities == authorities
    except (tls.CertificateError, OSError):
        return False
