"""Runs the server of static files: a Deno process that may read the packs and listen on one socket, started again whenever it ends."""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from nearhop import children, log
from node.assets.store import AssetStore

SOCKET = "assets.sock"
_MAIN = Path(__file__).with_name("server") / "main.ts"
_READY_WITHIN_S = 10.0
_RESTART_DELAY_S = 0.1
_RESTART_DELAY_MAX_S = 5.0
_STEADY_S = 10.0  # who ran for this long begins anew with the shortest delay
_HEAP_MIB = 128
_LINE_CHARACTERS = 500
_logger = log.get(__name__)


class AssetServerError(Exception):
    """The server ended before it was ready."""


class AssetServer:
    """The server of *store*'s packs on *sockets*, of which everybody may use those whose folders let them. Keep run() going."""

    def __init__(self, sockets: Sequence[Path], store: AssetStore, deno: Path, cache_dir: Path) -> None:
        self.sockets = tuple(sockets)
        self._store = store.path.resolve()
        self._deno = deno
        self._cache = cache_dir
        self._process: asyncio.subprocess.Process | None = None
        self.restarts = 0

    @property
    def ready(self) -> bool:
        """Whether requests are answered now."""
        return self._process is not None and self._process.returncode is None

    async def run(self) -> None:
        """Start the server, and start it again whenever it ends, until cancelled; it has ended when this has."""
        loop = asyncio.get_running_loop()
        delay = _RESTART_DELAY_S
        while True:
            began = loop.time()
            try:
                await self._serve()
            except (AssetServerError, OSError) as error:
                _logger.warning("the server of static files does not start; it is tried again", error=str(error))
            delay = _RESTART_DELAY_S if loop.time() - began > _STEADY_S else min(2 * delay, _RESTART_DELAY_MAX_S)
            self.restarts += 1
            await asyncio.sleep(delay)

    async def _serve(self) -> None:
        for socket in self.sockets:
            socket.unlink(missing_ok=True)
        process = await children.spawn(
            self.command(),
            env={"DENO_DIR": str(self._cache), "DENO_NO_UPDATE_CHECK": "1", "HOME": "/nonexistent", "NO_COLOR": "1", "TZ": "UTC"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_listen(process), name="asset server stderr")
                await _until_ready(process)
                for socket in self.sockets:
                    socket.chmod(
                        0o666
                    )  # sandboxes have users of their own; who may come here at all, the folder decides
                self._process = process
                _logger.info("static files are served")
                status = await process.wait()
            _logger.error("the server of static files ended; starting it again", status=status)
        except* AssetServerError as errors:
            raise errors.exceptions[0] from None
        finally:
            self._process = None
            await children.stop(process, grace_s=1.0)

    def command(self) -> list[str | Path]:
        """Return the command that starts the server: it reads its packs, listens on its sockets, and may do nothing else."""
        sockets = ",".join(map(str, self.sockets))
        return [
            self._deno, "run", "--quiet", "--no-prompt", "--no-config", "--no-remote", "--no-npm", "--no-lock", "--no-check", "--cached-only",
            "--deny-run", "--deny-ffi", "--deny-sys", "--deny-env", "--deny-import",
            f"--allow-read={self._store},{sockets}", f"--allow-write={sockets}",
            "--allow-net=" + ",".join(f"unix:{socket}" for socket in self.sockets),
            f"--v8-flags=--max-old-space-size={_HEAP_MIB}",
            _MAIN, str(self._store), *map(str, self.sockets),
        ]  # fmt: skip


async def _until_ready(process: asyncio.subprocess.Process) -> None:
    stdout = process.stdout
    if stdout is None:
        raise RuntimeError("the server's standard output is not a pipe")
    try:
        async with asyncio.timeout(_READY_WITHIN_S):
            line = await stdout.readline()
    except TimeoutError:
        line = b""
    if line.strip() != b"ready":
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):  # whose output has ended is about to end
                await process.wait()
        raise AssetServerError(f"it was not ready within {_READY_WITHIN_S:g} s, or ended before")


async def _listen(process: asyncio.subprocess.Process) -> None:
    """Log what the server says on standard error until it ends."""
    if process.stderr is None:
        raise RuntimeError("the server's standard error is not a pipe")
    async for raw in process.stderr:
        line = "".join(char for char in raw.decode(errors="replace") if char.isprintable())[:_LINE_CHARACTERS]
        if line:
            _logger.warning("the server of static files said", message=line)
