"""A dashboard on a port of its own, served in this process over real HTTP, and a browser-like client for it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from controlplane.dashboard.__main__ import serve
from controlplane.dashboard.config import Config

REFRESH_S = 0.1


@asynccontextmanager
async def dashboard(*control_planes: str, **settings: Any) -> AsyncIterator[str]:
    """Serve a dashboard; yields its URL."""
    stop = asyncio.Event()
    config = Config(
        control_planes=list(control_planes), **{"refresh_interval_s": REFRESH_S, "call_timeout_s": 2.0, **settings}
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with asyncio.TaskGroup() as group:
            group.create_task(serve(config, listener, stop), name="dashboard")
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                stop.set()


class Page:
    """What the page does over HTTP: a session, its CSRF token, reading, acting, listening."""

    def __init__(self, url: str) -> None:
        self.http = httpx.AsyncClient(base_url=url, timeout=10)
        self.csrf = ""

    async def open(self) -> dict[str, Any]:
        session: dict[str, Any] = (await self.http.get("/api/session")).json()
        self.csrf = session["csrf"]
        return session

    async def act(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return await self.http.post(path, json=body or {}, headers={"x-nearhop-csrf": self.csrf, **headers})

    async def sign_in(self, token: str) -> httpx.Response:
        reply = await self.act("/api/session", {"token": token})
        if reply.status_code == 200:
            self.csrf = reply.json()["csrf"]
        return reply

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
        """Open the live stream; yields its messages as (kind, data)."""
        async with self.http.stream("GET", "/api/stream") as reply:
            assert reply.status_code == 200
            assert reply.headers["content-type"].startswith("text/event-stream")
            yield _messages(reply)


async def _messages(reply: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    kind = ""
    async for line in reply.aiter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))
