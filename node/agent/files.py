"""The node's static files: their store, what the ingress knows of them, and the process that serves them."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from nearhop import log
from node.assets.process import SOCKET, AssetServer
from node.assets.store import AssetStore
from node.haproxy.process import Ingress
from node.plan import routes as routing
from node.plan.records import Route, Version

_SERVED_WITHIN_S = 5.0
_POLL_S = 0.02
_logger = log.get(__name__)


class Files:
    """The packs on this node, which of their paths the ingress has been told of, and their server, which runs once there is a pack."""

    def __init__(self, store: AssetStore, ingress: Ingress, server: AssetServer) -> None:
        self.store = store
        self._ingress = ingress
        self._server = server
        self._shown: frozenset[str] = frozenset()  # names of sets of files
        self._needed = asyncio.Event()

    async def run(self) -> None:
        """Keep the server running, from the first pack on, until cancelled."""
        if self.store.stored:
            self._needed.set()
        await self._needed.wait()
        await self._server.run()

    async def write(self, digest: str, body: bytes) -> None:
        """Store a pack. Raises AssetError."""
        await asyncio.to_thread(self.store.write, digest, body)
        self._needed.set()

    async def show(self, routes: Iterable[Route], versions: Callable[[], Iterable[Version]]) -> None:
        """Tell the ingress which paths the files of *routes* answer before the program does. Raises IngressError."""
        wanted = frozenset(
            item.assets for route in routes for item in (route, *(share for _, share in route.shares)) if item.assets
        )
        if wanted == self._shown:
            return
        if self._needed.is_set():
            await self._until_served()
        sets = routing.files(versions(), self.store.paths)
        await self._ingress.set_assets({name: sets[name] for name in wanted & sets.keys()})
        self._shown = wanted

    async def _until_served(self) -> None:
        """Wait, within bounds, until the server answers: a route that leads to it should find it there."""
        deadline = asyncio.get_running_loop().time() + _SERVED_WITHIN_S
        while not self._server.ready:
            if asyncio.get_running_loop().time() > deadline:
                _logger.warning("the server of static files is not ready; requests for files fail until it is")
                return
            await asyncio.sleep(_POLL_S)


async def open_files(store: AssetStore, sockets: Iterable[Path], ingress: Ingress, deno: Path, cache: Path) -> Files:
    """Verify the packs in *store* and return them; the server will listen in each folder of *sockets*."""
    await asyncio.to_thread(store.open)
    return Files(store, ingress, AssetServer([folder / SOCKET for folder in sockets], store, deno, cache))
