"""DNS over UDP. Each wake-up reads what the kernel holds, up to a bound, and answers at once: nothing is queued in this process."""

import asyncio
import socket
from collections import Counter

from controlplane.router.responder import Responder

BATCH = 64  # datagrams read before the loop may do something else
# A query has no reason to be longer; the octet more tells one that was cut.
DATAGRAM_MAX = 4096
# Services that answer whatever they get (echo, daytime, quote, chargen, time, name servers): a reply to one would be answered, without end.
REFLECTORS = frozenset({0, 7, 13, 17, 19, 37, 53})


class UdpListener:
    """Serves one bound, non-blocking socket between start() and close()."""

    def __init__(self, sock: socket.socket, responder: Responder, counts: Counter[str]) -> None:
        self._sock = sock
        self._responder = responder
        self._counts = counts
        host, port, *_ = sock.getsockname()
        self._own = (host,)
        self._suspicious = REFLECTORS | {port}

    def start(self) -> None:
        """Begin to answer."""
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self._readable)

    def close(self) -> None:
        """Stop answering and close the socket."""
        asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self._sock.close()

    def _readable(self) -> None:
        self._responder.begin()
        receive, send, respond = self._sock.recvfrom, self._sock.sendto, self._responder.respond
        for _ in range(BATCH):
            try:
                data, peer = receive(DATAGRAM_MAX + 1)
            except BlockingIOError:
                return
            except OSError:
                self._counts["udp_receive_errors"] += 1  # the error of an earlier reply, such as "port unreachable"
                continue
            if len(data) > DATAGRAM_MAX:
                self._counts["udp_oversized"] += 1
                continue
            if peer[1] in self._suspicious and (peer[1] in REFLECTORS or peer[0] in self._own):
                self._counts["udp_reflected"] += 1
                continue
            reply = respond(data, peer[0], tcp=False)
            if reply is None:
                continue
            try:
                send(reply, peer)
            except OSError:
                # A full buffer, or an address that nothing can be sent to: the client asks again, or was none.
                self._counts["udp_send_errors"] += 1
