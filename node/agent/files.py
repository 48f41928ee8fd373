"""The node's static files: their store, what the ingress knows of them, and the process that serves them."""

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path

from nearhop import log
from nearhop.spec import Assets
from node.assets.process import SOCKET, AssetServer
from node.assets.store import AssetStore
from node.haproxy.process import Ingress
from node.plan.routes import answered

_SERVED_WITHIN_S = 5.0
_POLL_S = 0.02
_logger = log.get(__name__)


class Files:
    """The packs on this node, which of their paths the ingress has been told of, and their server, which runs once there is a pack."""

    def __init__(self, store: AssetStore, ingress: Ingress, server: AssetServer) -> None:
        self.store = store
        self._ingress = ingress
        self._server = server
        self._shown: dict[str, Assets] = {}  # by the set's name
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

    async def show(self, sets: Mapping[str, Assets]) -> None:
        """Tell the ingress which paths *sets* answer, before routes name them. Raises IngressError."""
        if self._needed.is_set():
            await self._until_served()
        if sets.keys() <= self._shown.keys():
            return
        kept = {name: item for name, item in self._shown.items() if item.digest in self.store.stored}
        shown = {**kept, **sets}
        await self._ingress.set_assets(await asyncio.to_thread(self._answered, shown))
        self._shown = shown

    def _answered(self, sets: Mapping[str, Assets]) -> dict[str, frozenset[str]]:
        # In a thread: many paths and many patterns would hold up every other function of the node.
        return {name: answered(item, self.store.paths(item.digest)) for name, item in sets.items()}

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
    cache = await asyncio.to_thread(lambda: state_dir.resolve() / "deno")
    await asyncio.to_thread(store.open)
    listen = [folder / SOCKET for folder in sockets]
    return Files(store, ingress, AssetServer(listen, store, deno, cache))
