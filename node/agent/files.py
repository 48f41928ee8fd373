"""The node's static files: their store, what the ingress knows of them, and the process that serves them."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from nearhop import log
from node.assets.process import SOCKET, AssetServer
from node.assets.store import AssetStore
from node.haproxy.process import Ingress
from node.plan import packs
from node.plan.records import Route, Version

# The program of a static version that came without one. The ingress sends nothing here.
_NOTHING = b"export default { fetch: () => new Response(null, { status: 404 }) };\n"
_SERVED_WITHIN_S = 5.0
_POLL_S = 0.02
_logger = log.get(__name__)


def no_module(_digest: str) -> bytes:
    """Return the program of a version that is its files alone."""
    return _NOTHING


class Files:
    """The packs on this node, which of their paths the ingress has been told of, and their server, which runs once there is a pack."""

    def __init__(self, store: AssetStore, ingress: Ingress, server: AssetServer) -> None:
        self.store = store
        self._ingress = ingress
        self._server = server
        self._shown: dict[str, frozenset[tuple[str, ...]]] = {}  # by pack, the patterns of paths that are not its
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
        wanted = {route.assets for route in routes if route.assets}
        if not wanted and not self._shown:
            return
        owners = packs.packs(versions())
        first = {digest: packs.program_first(owners.get(digest, ())) for digest in wanted}
        if first == self._shown:
            return
        if self._needed.is_set():
            await self._until_served()
        await self._ingress.set_assets({d: packs.shown(self.store.paths(d), first[d]) for d in wanted})
        self._shown = first

    async def _until_served(self) -> None:
        """Wait, within bounds, until the server answers: a route that leads to it should find it there."""
        deadline = asyncio.get_running_loop().time() + _SERVED_WITHIN_S
        while not self._server.ready:
            if asyncio.get_running_loop().time() > deadline:
                _logger.warning("the server of static files is not ready; requests for files fail until it is")
                return
            await asyncio.sleep(_POLL_S)


async def open_files(state_dir: Path, sockets: Iterable[Path], ingress: Ingress, deno: Path) -> Files:
    """Open the packs in *state_dir* and return them; the server will listen in each folder of *sockets*."""
    store = AssetStore(state_dir / "assets")
    await asyncio.to_thread(store.open)
    listen = [folder / SOCKET for folder in sockets]
    return Files(store, ingress, AssetServer(listen, store, deno, state_dir.resolve() / "deno"))
