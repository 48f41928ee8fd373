"""Counts the connections to each listener. gRPC tells nobody of a TLS handshake that failed: what begins and never calls is what can be known.

A part calls as soon as it is connected, so on the fleet's listener the difference of the two counts is those that TLS refused: no certificate, or
one of another authority.
"""

import threading
from collections import Counter

API, FLEET = "api", "fleet"
_PEERS_MAX = 10_000


class Connections:
    """*begun* counts handshakes, *calling* connections on which a call came; both by listener."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.calling: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._peers: dict[str, None] = {}

    def begin(self, listener: str) -> None:
        """Count a handshake, on whatever thread."""
        with self._lock:
            self.begun[listener] += 1

    def call(self, listener: str, peer: str) -> None:
        """Count the connection from *peer*, a client's address and port, unless it is among those that called last."""
        if peer in self._peers:
            del self._peers[peer]
        else:
            self.calling[listener] += 1
        self._peers[peer] = None
        if len(self._peers) > _PEERS_MAX:
            del self._peers[next(iter(self._peers))]
