"""Response rate limiting: how many replies one network may draw within a second, so that nobody is flooded in another's name. Pure.

Over the limit every *slip*-th message is answered with TC, which sends a true client to TCP; the others get no reply. Networks are /24 and /56.
"""

import ipaddress
from functools import lru_cache
from typing import Literal

WINDOW_S = 1.0
_PREFIX_IPV6 = 56

Verdict = Literal["answer", "slip", "drop"]


class RateLimit:
    """Counts replies in windows of one second. *per_second* 0 is no limit; *slip* 0 never answers over it, 1 always."""

    def __init__(self, per_second: int, slip: int = 2) -> None:
        self._limit = per_second or 1 << 62
        self._slip = slip
        self._ends = 0.0
        self._seen: dict[str, int] = {}

    def advance(self, now: float) -> None:
        """Begin a new window when the last one is over."""
        if now >= self._ends:
            self._ends = now + WINDOW_S
            self._seen = {}

    def judge(self, peer: str) -> Verdict:
        """Count one reply to the address *peer* and say what it gets."""
        network = peer.rpartition(".")[0] or network_of(peer)
        count = self._seen[network] = self._seen.get(network, 0) + 1
        if count <= self._limit:
            return "answer"
        return "slip" if self._slip and (count - self._limit) % self._slip == 0 else "drop"


@lru_cache(65_536)
def network_of(peer: str) -> str:
    """Return the /56 that the IPv6 address *peer* is in."""
    return str(ipaddress.ip_network((peer.partition("%")[0], _PREFIX_IPV6), strict=False))
