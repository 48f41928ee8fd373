"""Bundles and packs that the control plane is asked for: those on their way, and why others have not come and when to ask again."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from nearhop import log
from nearhop.v1 import node_control_pb2 as pb
from node.agent.bundles import BundleError, BundleStore
from node.assets.store import AssetError
from node.plan.records import FetchFailure

_WITHIN_S = 30.0
_RETRY_S = 5.0
_logger = log.get(__name__)


@dataclass(slots=True)
class _Fetch:
    pack: bool
    heard_at: float  # when it was asked for, or its last chunk came


class Fetches:
    """Which of them arrive for *bundles*, and which are packs of static files, for *write_pack*."""

    def __init__(
        self,
        bundles: BundleStore,
        write_pack: Callable[[str, bytes], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bundles = bundles
        self._write_pack = write_pack
        self._clock = clock
        self._under_way: dict[str, _Fetch] = {}
        self._failures: dict[str, FetchFailure] = {}

    @property
    def under_way(self) -> frozenset[str]:
        return frozenset(self._under_way)

    @property
    def failures(self) -> Mapping[str, FetchFailure]:
        return self._failures

    def ask(self, digest: str, send: Callable[[pb.NodeMessage], bool], *, pack: bool) -> bool:
        """Ask for a bundle; False when nobody hears it."""
        if not send(pb.NodeMessage(bundle_request=pb.BundleRequest(digest=digest))):
            return False
        self._under_way[digest] = _Fetch(pack, self._clock())
        return True

    async def take(self, message: pb.BundleChunk) -> bool:
        """Take a chunk in; True when its bundle is stored with it, or has failed."""
        fetch = self._under_way.get(message.digest)
        if fetch is None:
            return False  # nobody asked for it, or it came too late
        fetch.heard_at = self._clock()
        try:
            body = self._bundles.receive(message.digest, message.offset, message.data, last=message.last)
            if body is None:
                return False
            if fetch.pack:
                await self._write_pack(message.digest, body)
            else:
                await asyncio.to_thread(self._bundles.write, message.digest, body)
        except (BundleError, AssetError) as error:
            self.failed(message.digest, str(error))
        else:
            self._failures.pop(message.digest, None)
            self._under_way.pop(message.digest, None)
        return True

    def failed(self, digest: str, error: str) -> None:
        """Note why a bundle is not here; it is asked for again after a while."""
        _logger.warning("a bundle was not fetched", digest=digest, error=error)
        self._under_way.pop(digest, None)
        self._failures[digest] = FetchFailure(error, self._clock() + _RETRY_S)

    def disconnected(self) -> None:
        """Forget what is on its way: its stream is gone."""
        self._under_way.clear()
        self._bundles.forget_arrivals()

    def expire(self) -> None:
        """Give up what has not moved for too long."""
        now = self._clock()
        for digest in [digest for digest, fetch in self._under_way.items() if now - fetch.heard_at > _WITHIN_S]:
            self.failed(digest, f"bundle {digest[:12]} did not arrive within {_WITHIN_S:g} s")
        if not self._under_way:
            self._bundles.forget_arrivals()

    def keep(self, wanted: Collection[str]) -> None:
        """Forget the failures of bundles that nobody wants any more."""
        self._failures = {digest: failure for digest, failure in self._failures.items() if digest in wanted}
