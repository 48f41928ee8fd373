"""The platforms' local tools, each running one program: Miniflare (workerd) and edge-runtime from npm, Deno itself."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from nearhop import children, engines
from tests.dialects.asking import ENV, HERE, source

_PACKAGES = {
    "miniflare": "^4.20260401.0",
    "edge-runtime": "^4.0.1",
    "esbuild": ">=0.25.0",
    "@vercel/routing-utils": "^6.6.0",
}
_INSTALL_S = 240.0
_READY_S = 40.0


class Missing(Exception):
    """The tool cannot be had here; the message says why."""


async def install() -> Path:
    """Return the folder with the packages, installed now unless they are there. Raises Missing."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise Missing("npm or node is not on PATH")
    folder = Path(tempfile.gettempdir(), f"nearhop-platforms-{os.getuid()}")
    manifest = json.dumps({"private": True, "dependencies": _PACKAGES})
    if await asyncio.to_thread(_there, folder, manifest):
        return folder
    await asyncio.to_thread(_prepare, folder, manifest)
    process = await children.spawn(
        [npm, "install", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_INSTALL_S):
            said, _ = await process.communicate()
    except TimeoutError as error:
        raise Missing(f"npm did not end within {_INSTALL_S:g} s") from error
    finally:
        await children.stop(process, grace_s=0)
    if process.returncode != 0:
        raise Missing(f"npm cannot install the tools: {said.decode(errors='replace')[-500:]}")
    await asyncio.to_thread((folder / "done").write_text, manifest)
    return folder


def _prepare(folder: Path, manifest: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "package.json").write_text(manifest)


def _there(folder: Path, manifest: str) -> bool:
    done = folder / "done"
    return done.exists() and done.read_text() == manifest


@contextlib.asynccontextmanager
async def running(name: str, folder: Path | None) -> AsyncIterator[str]:
    """Run a program on its platform's local tool; *folder* is where the packages are. Yields its address."""
    dialect = name.partition("/")[0]
    environment = {**os.environ, "NO_COLOR": "1", "DENO_NO_UPDATE_CHECK": "1"}
    if dialect == "deno":
        port = _free_port()
        argv = _deno(name, port)
        environment |= {**ENV, "DENO_SERVE_ADDRESS": f"tcp:127.0.0.1:{port}"}
    else:
        argv = ["node", str(HERE / "platform.mjs"), str(folder), dialect, str(source(name)), json.dumps(ENV)]
    with tempfile.TemporaryFile() as errors:
        process = await children.spawn(argv, env=environment, stdout=asyncio.subprocess.PIPE, stderr=errors)
        try:
            if dialect == "deno":
                await _listening(port)
                yield f"http://127.0.0.1:{port}"
            else:
                assert process.stdout is not None
                async with asyncio.timeout(_READY_S):
                    line = (await process.stdout.readline()).decode().strip()
                errors.seek(0)
                assert line.startswith("http"), errors.read().decode(errors="replace")[-2000:]
                yield line.rstrip("/")
        finally:
            await children.stop(process, grace_s=1)


def _deno(name: str, port: int) -> list[str]:
    deno = str(engines.find("deno").path)
    flags = ["--quiet", "--no-config", "--no-prompt", "--allow-net", "--allow-env"]
    if name == "deno/export-default":
        return [deno, "serve", *flags, f"--port={port}", "--host=127.0.0.1", str(source(name))]
    return [deno, "run", *flags, str(source(name))]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _listening(port: int) -> None:
    async with asyncio.timeout(_READY_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
