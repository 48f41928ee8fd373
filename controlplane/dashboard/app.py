"""The ASGI application: the page at every view's URL, its files, and the JSON views behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from controlplane.dashboard import replies
from controlplane.dashboard.access import Sessions
from controlplane.dashboard.config import Config
from controlplane.dashboard.control import ControlPlanes
from controlplane.dashboard.feed import Feeds
from controlplane.dashboard.shield import Shield
from controlplane.dashboard.views import Views

STATIC = Path(__file__).with_name("static")
# A name may be anything that a control plane sends, slashes included.
PAGES = ("/map", "/functions", "/functions/{name:path}", "/nodes", "/nodes/{name:path}", "/events")


class _Files(StaticFiles):
    """Files that a browser asks about each time: the answer is 304 until `make web` has changed them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        reply = await super().get_response(path, scope)
        reply.headers["cache-control"] = "no-cache"
        return reply


def create(config: Config, stop: asyncio.Event, authorities: bytes | None = None) -> Starlette:
    """Return the application; *stop* ends its live streams, so that the server can end. *authorities* are the certificates of config's file."""
    control = ControlPlanes(config.control_planes, timeout_s=config.call_timeout_s, authorities=authorities)
    feeds = Feeds(control, interval_s=config.refresh_interval_s)
    views = Views(control, feeds, Sessions(), config.secure_cookie)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            feeds.open(group, stop)
            try:
                yield
            finally:
                stop.set()
        await control.close()

    return Starlette(
        routes=[
            Route("/", _start),
            Route("/healthz", _alive),
            *(Route(path, _page) for path in PAGES),
            Route("/api/session", views.open_session, methods=["GET"]),
            Route("/api/session", views.sign_in, methods=["POST"]),
            Route("/api/session", views.sign_out, methods=["DELETE"]),
            Route("/api/stream", views.stream),
            Route("/api/fleet", views.fleet),
            Route("/api/events", views.events),
            Route("/api/explain", views.explain),
            Route("/api/functions/{name:path}/rollback", views.rollback, methods=["POST"]),
            Route("/api/functions/{name:path}", views.function),
            Route("/api/nodes/{name:path}/drain", views.drain, methods=["POST"]),
            Route("/api/nodes/{name:path}/uncordon", views.uncordon, methods=["POST"]),
            Route("/api/nodes/{name:path}", views.node),
            Mount("/static", _Files(directory=STATIC)),
        ],
        middleware=[Middleware(Shield, hostnames=config.hostnames), Middleware(GZipMiddleware, minimum_size=1024)],
        lifespan=lifespan,
    )


async def _start(_request: Request) -> Response:
    return RedirectResponse("/map")


async def _alive(_request: Request) -> Response:
    return replies.data({"status": "ok"})


async def _page(_request: Request) -> Response:
    return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})
