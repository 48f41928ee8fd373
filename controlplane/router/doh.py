"""DNS over HTTPS (RFC 8484): GET and POST on /dns-query, by HTTP/2 and HTTP/1.1, on a listener of its own or mounted beside other routes.

What is asked goes to the same responder as DNS over TCP. Nothing of a client but its address is looked at.
"""

import asyncio
import base64
import binascii
import socket
import ssl
from collections import Counter
from typing import Any, cast

import dns.exception
import dns.message
import dns.rdatatype
from hypercorn.asyncio import serve
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from controlplane.router.config import DohConfig
from controlplane.router.responder import Responder

PATH = "/dns-query"
MEDIA_TYPE = "application/dns-message"
MESSAGE_MAX = 65_535
STOP_S = 1.0  # what running requests get to end in


def routes(responder: Responder, counts: Counter[str]) -> list[Route]:
    """Return the routes to mount."""

    async def answer(request: Request) -> Response:
        counts["doh_requests"] += 1
        try:
            message = await _message(request)
        except _Refused as refused:
            counts["doh_refused"] += 1
            return PlainTextResponse(str(refused), status_code=refused.status)
        reply = None if request.client is None else responder.respond(message, request.client.host, tcp=True)
        if reply is None:
            counts["doh_refused"] += 1
            return PlainTextResponse("not a DNS query", status_code=400)
        return Response(
            reply, media_type=MEDIA_TYPE, headers={"cache-control": f"private, max-age={freshness_s(reply)}"}
        )

    return [Route(PATH, answer, methods=["GET", "POST"])]


def freshness_s(reply: bytes) -> int:
    """Return how long a client may keep *reply*: no longer than its records (RFC 8484 section 5.1), 0 for what has none.

    A client, not a cache in between: the answer is for one client's place, and the URL does not tell whose.
    """
    try:
        message = dns.message.from_wire(reply)
    except dns.exception.DNSException:
        return 0
    rrsets = message.answer or [rrset for rrset in message.authority if rrset.rdtype == dns.rdatatype.SOA]
    return min((rrset.ttl for rrset in rrsets), default=0)


class DohServer:
    """Hypercorn on a socket that is bound already, which it takes over. Making one raises OSError when certificate or key cannot be used."""

    def __init__(self, config: DohConfig, sock: socket.socket, responder: Responder, counts: Counter[str]) -> None:
        if config.certificate is not None:
            # Hypercorn would find out only when it serves, and a router that cannot start should say so.
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(config.certificate, config.key)
        self._app = Starlette(routes=routes(responder, counts))
        self._stop = asyncio.Event()
        self._config = Config()
        self._config.bind = [f"fd://{sock.detach()}"]
        self._config.certfile = None if config.certificate is None else str(config.certificate)
        self._config.keyfile = None if config.key is None else str(config.key)
        self._config.accesslog = self._config.errorlog = None
        self._config.include_server_header = False
        self._config.graceful_timeout = STOP_S
        self._config.keep_alive_timeout = 10.0
        self._config.read_timeout = None
        self._config.h2_max_concurrent_streams = 100
        self._config.h2_max_inbound_frame_size = 16_384
        self._config.websocket_max_message_size = 0

    async def run_until_told(self) -> None:
        """Serve until stop() is called."""
        await serve(cast(ASGIFramework, self._app), self._config, shutdown_trigger=cast(Any, self._stop.wait))

    def stop(self) -> None:
        """Have run_until_told() return."""
        self._stop.set()


class _Refused(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def _message(request: Request) -> bytes:
    if request.method == "POST":
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
            raise _Refused(415, f"the content type must be {MEDIA_TYPE}")
        return await _body(request)
    text = request.query_params.get("dns", "")
    if not text:
        raise _Refused(400, "the parameter dns is missing")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _Refused(400, "the parameter dns is not base64url") from error


async def _body(request: Request) -> bytes:
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MESSAGE_MAX:
                raise _Refused(413, "a DNS message has at most 65535 octets")
    except ClientDisconnect as error:
        raise _Refused(400, "the client went away") from error
    return body
