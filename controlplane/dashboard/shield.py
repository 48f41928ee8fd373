"""What stands before every view: the Host check, and the headers that tell the browser what a page may do.

The page is one origin's files and nothing else: no inline script or style, no frame, no other host. Trusted Types are required and no policy may
be made, so text can never become markup, whatever a name holds.
"""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controlplane.dashboard.access import host_reason
from controlplane.dashboard.replies import refusal

HEADERS = {
    "content-security-policy": "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Shield:
    """ASGI middleware round the whole application."""

    def __init__(self, app: ASGIApp, hostnames: Collection[str]) -> None:
        self._app = app
        self._hostnames = frozenset(hostnames)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_shielded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        reason = host_reason(Headers(scope=scope).get("host", ""), self._hostnames)
        app = self._app if not reason else refusal(421, "WRONG_HOST", reason)
        await app(scope, receive, send_shielded)
