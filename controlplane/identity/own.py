"""A control plane's own certificate: made by itself, held in memory only, renewed at half life."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from controlplane.identity import ca
from nearhop import log, tls
from nearhop.spiffe import Part

_log = log.get(__name__)

_EPOCH = 0  # control planes hold the authority's key: there is nobody who could revoke one


class OwnCertificate:
    """*names* are the hosts and addresses that this control plane is reached by."""

    def __init__(
        self, authority: ca.Authority, part: Part, names: Sequence[str], *, life: timedelta, clock: Callable[[], float]
    ) -> None:
        self._authority = authority
        self._part = part
        self._names = names
        self._life = life
        self._clock = clock
        self._current = self._make()

    def current(self) -> tls.Credentials:
        """Return the newest certificate with its key; called on any thread."""
        return self._current

    async def run(self) -> None:
        """Renew it at every half of its life until cancelled."""
        while True:
            await asyncio.sleep(self._life.total_seconds() / 2)
            self._current = self._make()
            _log.info("own certificate renewed", identity=str(self._part))

    def _make(self) -> tls.Credentials:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = ca.issue(
            self._authority,
            key.public_key(),
            self._part,
            epoch=_EPOCH,
            now=ca.utc(self._clock()),
            life=self._life,
            names=self._names,
        )
        return tls.Credentials(ca.key_pem(key), certificate.public_bytes(Encoding.PEM), self._authority.pem)
