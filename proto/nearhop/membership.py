"""A part's membership of the fleet while it runs: joins when it has to, keeps its certificate, makes its channels.

None of it holds the data path up: without a certificate, or with one that has ended, there is just no channel, and the reason is logged.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc

from nearhop import enroll, log, renewal, tls
from nearhop.enroll import EnrollError
from nearhop.spiffe import Part

_log = log.get(__name__)

_RETRY_S = (0.2, 5.0)
_REFUSED_S = 30.0  # after a refusal for good: an operator may put a new token there


@dataclass(frozen=True, slots=True)
class JoinConfig:
    """How a part joins that has no certificate: the API's addresses, and where the token is."""

    control_planes: tuple[str, ...]
    token: str = ""
    token_file: Path | None = None

    def read_token(self) -> str:
        """Return the token. Raises OSError."""
        return self.token or (self.token_file.read_text(encoding="ascii").strip() if self.token_file else "")


class Membership:
    """The certificate in *folder*. *endpoints* are the fleet's addresses of the control planes."""

    def __init__(self, part: Part, folder: Path, endpoints: Sequence[str], join: JoinConfig | None) -> None:
        self._part = part
        self._folder = folder
        self._endpoints = endpoints
        self._join = join
        self._ready = asyncio.Event()
        self._changed = asyncio.Event()

    async def ready(self) -> None:
        """Wait until there is a certificate that holds."""
        await self._ready.wait()

    def channel(self, endpoint: str, options: Sequence[tuple[str, Any]] = ()) -> grpc.aio.Channel:
        """Open a channel with the newest certificate. Raises CertificateError when there is none that holds."""
        own = self._load()
        return tls.channel(endpoint, authorities=own.authorities, credentials=own, options=options)

    async def changed(self) -> None:
        """Wait for the next certificate: a stream that was opened with the old one should be opened anew."""
        await self._changed.wait()

    async def run(self) -> None:
        """Join if need be, then renew, until cancelled."""
        failures = 0
        while True:
            try:
                self._load()
            except tls.CertificateError as error:
                self._ready.clear()
                pause = await self._try_to_join(str(error), failures)
                failures += 1
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # jitter
                continue
            failures = 0
            self._ready.set()
            await renewal.keep_renewed(self._folder, self._part, endpoints=self._endpoints, renewed=self._tell)

    async def _try_to_join(self, why: str, failures: int) -> float:
        tell = _log.debug if failures else _log.warning
        try:
            token = self._join.read_token() if self._join else ""
            if self._join is None or not token:
                tell("no certificate, and no join token to get one with", identity=str(self._part), error=why)
                return _RETRY_S[1]
            await enroll.join(self._folder, self._part, token=token, endpoints=self._join.control_planes)
        except EnrollError as error:
            (_log.error if error.final else tell)("not joined", identity=str(self._part), error=str(error))
            return _REFUSED_S if error.final else min(_RETRY_S[1], _RETRY_S[0] * 2 ** min(failures, 10))
        except (OSError, tls.CertificateError) as error:
            tell("not joined", identity=str(self._part), error=str(error))
            return _RETRY_S[1]
        _log.info("joined the fleet", identity=str(self._part))
        return 0.0

    def _load(self) -> tls.Credentials:
        try:
            return tls.load(self._folder, datetime.now(UTC))
        except FileNotFoundError as error:
            raise tls.CertificateError(f"{self._folder} holds no certificate yet") from error

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
