"""How a part keeps its certificate: it renews at half life by itself, and warns long before the end when it cannot.

Nothing here stops the data path: a part whose certificate has expired goes on serving what it has.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
from cryptography.hazmat.primitives.asymmetric import ec

from nearhop import enroll, log, tls
from nearhop.enroll import EnrollError
from nearhop.spiffe import Part
from nearhop.v1 import identity_pb2, identity_pb2_grpc

_log = log.get(__name__)

ALARM = timedelta(days=3)
_RETRY_MAX_S = 600.0


async def renew(folder: Path, part: Part, *, endpoints: Sequence[str], now: datetime) -> tls.Credentials:
    """Get a new certificate for a new key through the fleet's *endpoints*. Raises EnrollError, CertificateError."""
    own = tls.load(folder, now)
    key = ec.generate_private_key(ec.SECP256R1())
    request = identity_pb2.RenewRequest(csr=enroll.signing_request(key, part))
    problems = []
    for endpoint in endpoints:
        try:
            async with tls.channel(endpoint, authorities=own.authorities, credentials=own) as channel:
                answer = await identity_pb2_grpc.IdentityStub(channel).Renew(request, timeout=enroll.CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            problems.append(f"{endpoint}: {tls.explain(error)}")
        else:
            return enroll.keep(folder, key, answer)
    raise EnrollError("; ".join(problems))


async def keep_renewed(folder: Path, part: Part, *, endpoints: Sequence[str], renewed: Callable[[], None]) -> None:
    """Renew the folder's certificate at half life, and call *renewed* after each, until it has ended."""
    failures = 0
    while True:
        certificate = tls.Credentials(b"", (folder / tls.IDENTITY_FILE).read_bytes(), b"").certificate
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        await asyncio.sleep(wait_s(start, end, datetime.now(UTC), failures, random.random()))  # noqa: S311  # jitter
        now = datetime.now(UTC)
        try:
            await renew(folder, part, endpoints=endpoints, now=now)
        except (EnrollError, tls.CertificateError, OSError) as error:
            failures += 1
            tell = _log.error if end - now < alarm_before(start, end) else _log.warning
            left_s = round((end - now).total_seconds())
            tell("the certificate was not renewed", identity=str(part), left_s=left_s, error=str(error))
            if now >= end:
                return
        else:
            failures = 0
            _log.info("certificate renewed", identity=str(part))
            renewed()


def wait_s(start: datetime, end: datetime, now: datetime, failures: int, jitter: float) -> float:
    """Return how long to wait for the next attempt: until half life, 10 % early at most by *jitter* (0 to 1); after *failures*, longer each time."""
    life = (end - start).total_seconds()
    if failures:
        return min(_RETRY_MAX_S, life / 20, 2.0 ** min(failures, 10)) * (0.5 + jitter / 2)
    return max(0.0, (start - now).total_seconds() + life * (0.5 - 0.05 * jitter))


def alarm_before(start: datetime, end: datetime) -> timedelta:
    """Return how long before its end a certificate that is not being renewed is somebody's business."""
    return min(ALARM, (end - start) / 4)
