"""What lies outside of a sandbox: a real egress proxy on a socket, and a server on loopback that it lets through to."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from node.egress.addresses import Address, Rules
from node.egress.proxy import Proxy

HOME = "127.91.6.1"  # exempt from what the proxy refuses
ELSEWHERE = "127.91.6.2"


@dataclass
class Outside:
    """*proxy* is the socket for a guest; *heads* are the headers of each request that arrived, *whole* how many came to their end."""

    proxy: Path
    port: int
    heads: list[dict[str, str]] = field(default_factory=list)
    whole: int = 0

    @property
    def reached(self) -> dict[str, Any]:
        """What a guest is told and allowed that it goes out by the proxy, which alone decides then."""
        return {"services": [self.proxy], "sockets": {"egress": str(self.proxy)}, "allow": ["0.0.0.0/0", "::/0"]}

    @property
    def url(self) -> str:
        return f"http://{HOME}:{self.port}/"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.heads.append({name.lower(): value for name, value in request.headers.items()})
        if request.path == "/socket":
            return await self._echo(request)
        if request.path == "/no":
            return web.Response(status=403, text="not you")
        body = await request.read()
        self.whole += 1
        return web.Response(text=str(len(body)))

    @staticmethod
    async def _echo(request: web.Request) -> web.StreamResponse:
        end = web.WebSocketResponse(protocols=("chat",), autoping=True)
        await end.prepare(request)
        await end.send_str(f"hello {request.query_string}")
        async for message in end:
            if message.type is WSMsgType.TEXT and message.data == "bye":
                await end.close(code=4001, message=b"as you wish")
            elif message.type is WSMsgType.TEXT:
                await end.send_str(f"echo {message.data}")
            elif message.type is WSMsgType.BINARY:
                await end.send_bytes(message.data)
        return end


async def _resolve(host: str, _port: int) -> tuple[Address, ...]:
    return (ip_address(HOME if host.endswith(".example.org") else "127.0.0.1"),)


@asynccontextmanager
async def outside(folder: Path) -> AsyncIterator[Outside]:
    """Run both until the context ends. Every name of example.org leads to the server, others to this machine."""
    it = Outside(folder / "egress.sock", 0)
    app = web.Application(client_max_size=0)
    app.router.add_route("*", "/{path:.*}", it.answer)
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1)
    await runner.setup()
    with socket.socket() as home, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        home.bind((HOME, 0))
        it.port = home.getsockname()[1]
        await web.SockSite(runner, home).start()
        listening.bind(str(it.proxy))
        listening.listen(10)
        async with asyncio.TaskGroup() as group:
            proxy = Proxy(Rules(allow=(ip_network(f"{HOME}/32"),)), resolve=_resolve)
            task = group.create_task(proxy.serve(listening))
            try:
                yield it
            finally:
                task.cancel()
                await runner.cleanup()
