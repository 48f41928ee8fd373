"""Keeps the certificates that HAProxy serves those of the operator's folder, without a reload."""

import asyncio
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from nearhop import log
from node.haproxy import certificates
from node.haproxy.runtime import IngressError

LOOK_EVERY_S = 5.0
_logger = log.get(__name__)


class Serving(Protocol):
    """Who serves certificates."""

    async def set_certificates(self, pems: dict[str, str]) -> None:
        """Serve these and no others, by file name."""


async def follow(folder: Path, ingress: Serving, *, every_s: float = LOOK_EVERY_S) -> None:
    """Take over what changes in *folder* until cancelled. What is wrong there is logged once, and stops nothing."""
    warned: tuple[str, ...] = ()
    while True:
        found = await asyncio.to_thread(certificates.read, folder, datetime.now(UTC))
        for warning in found.warnings:
            if warning not in warned:
                _logger.warning("a certificate needs a look", problem=warning)
        warned = found.warnings
        try:
            await ingress.set_certificates(by_file(found))
        except (IngressError, OSError) as error:
            _logger.warning("the certificates were not taken over; it is tried again", error=str(error))
        await asyncio.sleep(every_s)


def by_file(found: certificates.Found) -> dict[str, str]:
    """Return the certificates as the files that HAProxy reads: a name of the operator's may hold what its configuration gives a meaning to."""
    return {
        f"tls-{hashlib.sha256(name.encode()).hexdigest()[:16]}.pem": item.pem
        for name, item in found.certificates.items()
    }
