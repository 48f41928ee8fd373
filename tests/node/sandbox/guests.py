"""Real guests for tests: a program is started as the agent starts it, and asked over its socket."""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx

from nearhop import engines
from node.sandbox import command, egress, handover
from node.sandbox.process import Guest, Message, spawn

CONTROL = "0123456789abcdef"


def worker(body: str) -> str:
    return f"export default {{ async fetch(request, env, ctx) {{ {body} }} }}"


class Booted:
    """A guest that has said ready or failed, and everything that it said."""

    def __init__(self, guest: Guest, socket: Path, said: list[Message]) -> None:
        self.guest = guest
        self.said = said
        self.socket = socket

    @property
    def error(self) -> str:
        return next((message.text for message in self.said if message.event == "failed"), "")

    @property
    def logs(self) -> str:
        return "\n".join(message.text for message in self.said if message.event == "log")

    async def get(self, path: str = "/", **headers: str) -> httpx.Response:
        return await self.send("GET", path, headers=headers)

    async def send(
        self, method: str, path: str = "/", *, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> httpx.Response:
        transport = httpx.AsyncHTTPTransport(uds=str(self.socket))
        async with httpx.AsyncClient(transport=transport, timeout=10) as client:
            url = f"http://a.example.org:7480{path}"
            return await client.request(method, url, headers=dict(headers or {}), content=content)

    async def logged(self, text: str) -> None:
        """Wait until the log holds *text*."""
        async with asyncio.timeout(5):
            while text not in self.logs:
                await asyncio.sleep(0.01)


class Boot:
    """Starts guests."""

    def __init__(self, group: asyncio.TaskGroup, folder: Path) -> None:
        self._group = group
        self._folder = folder
        self.guests: list[Guest] = []

    async def __call__(
        self,
        source: str,
        dialect: str = "workers",
        *,
        services: Sequence[Path] = (),
        allow: Sequence[str] = (),
        given: asyncio.Event | None = None,
        **header: Any,
    ) -> Booted:
        """Start *source*; *header* is added to what the guest is told of it. With *given* it waits for that before it has its program.

        The engine lets it connect to the special ranges in *allow*, which it denies otherwise.
        """
        socket = self._folder / f"{len(self.guests)}.sock"
        argv = command.argv(
            engines.find("deno").path,
            socket,
            memory_mib=64,
            deny_net=egress.deny_net([ip_network(text) for text in allow]),
            services=",".join(map(str, services)),
            waits=given is not None,
        )
        guest = await spawn(argv, command.environment(_cache()), cwd=self._folder)
        self.guests.append(guest)
        said: list[Message] = []
        booted = asyncio.Event()

        def heard(message: Message) -> None:
            said.append(message)
            if message.event in ("ready", "failed"):
                booted.set()

        async def feed() -> None:
            if given is not None:
                await _rehearse(socket)
                await given.wait()
            guest.feed(handover.encode({"dialect": dialect, **header}, source.encode()))

        self._group.create_task(feed())
        self._group.create_task(guest.serve(heard))
        async with asyncio.timeout(15):
            await booted.wait()
        return Booted(guest, socket, said)


async def _rehearse(socket: Path) -> None:
    # One that waits reads its program once it has answered a request, as the pool sends it.
    transport = httpx.AsyncHTTPTransport(uds=str(socket))
    async with asyncio.timeout(10), httpx.AsyncClient(transport=transport, timeout=10) as client:
        while True:
            with contextlib.suppress(httpx.ConnectError):
                assert (await client.get("http://sandbox/")).status_code == 503
                return
            await asyncio.sleep(0.01)


def _cache() -> Path:
    # Shared by the tests of one user, so that the guest's own modules are compiled once.
    return Path(tempfile.gettempdir(), f"nearhop-test-deno-{os.getuid()}")


@asynccontextmanager
async def booting(folder: Path) -> AsyncIterator[Boot]:
    """Start guests that end with the context."""
    async with asyncio.TaskGroup() as group:
        boot = Boot(group, folder)
        try:
            yield boot
        finally:
            for guest in boot.guests:
                guest.kill()
