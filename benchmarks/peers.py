"""Other runtimes of edge functions as contestants: those that npm has, each in its documented way to serve one handler."""

import asyncio
import contextlib
import platform
import shutil
import time
from pathlib import Path

from nearhop import children

ADDRESS = "127.89.0.2"
_INSTALL_WITHIN_S = 180.0
_READY_WITHIN_S = 20.0
_WORKERD = """using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [ (name = "main", worker = .hello) ],
  sockets = [ (name = "http", address = "%s:%d", http = (), service = "main") ],
);
const hello :Workerd.Worker = (
  modules = [ (name = "hello", esModule = embed "hello.js") ],
  compatibilityDate = "2026-01-01",
);
"""
_EDGE_RUNTIME = """const { EdgeRuntime, runServer } = require("edge-runtime");
const initialCode = 'addEventListener("fetch", (event) => event.respondWith(new Response("hello")));';
runServer({ runtime: new EdgeRuntime({ initialCode }), host: "%s", port: %d });
"""


async def install(folder: Path) -> bool:
    """Install the runtimes into *folder*; False, with a word why, when that cannot be."""
    npm = shutil.which("npm")
    if npm is None:
        print("no npm: workerd and edge-runtime are left out")
        return False
    (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
    process = await children.spawn(
        [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "workerd", "edge-runtime"],
        cwd=folder, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_INSTALL_WITHIN_S):
            _, errors = await process.communicate()
    except TimeoutError:
        await children.stop(process, grace_s=1)
        print("npm does not answer: workerd and edge-runtime are left out")
        return False
    if process.returncode != 0:
        print(f"npm install failed: workerd and edge-runtime are left out: {errors.decode(errors='replace')[-300:]}")
    return process.returncode == 0


async def workerd(folder: Path, handler: str, port: int, stack: contextlib.AsyncExitStack) -> int:
    """Start workerd with *handler*; return its process id."""
    (folder / "hello.js").write_text(handler, encoding="utf-8")
    (folder / "hello.capnp").write_text(_WORKERD % (ADDRESS, port), encoding="utf-8")
    machine = {"x86_64": "64", "aarch64": "arm64"}[platform.machine()]
    binary = folder / f"node_modules/@cloudflare/workerd-linux-{machine}/bin/workerd"
    return await _start([binary, "serve", folder / "hello.capnp"], folder, port, stack)


async def edge_runtime(folder: Path, port: int, stack: contextlib.AsyncExitStack) -> int:
    """Start edge-runtime with the same answer, without its log of requests; return its process id."""
    (folder / "serve.cjs").write_text(_EDGE_RUNTIME % (ADDRESS, port), encoding="utf-8")
    return await _start(["node", folder / "serve.cjs"], folder, port, stack)


async def _start(argv: list[str | Path], folder: Path, port: int, stack: contextlib.AsyncExitStack) -> int:
    process = await children.spawn(
        argv, cwd=folder, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    stack.push_async_callback(children.stop, process, grace_s=2)
    await accepts(process, ADDRESS, port)
    return process.pid


async def accepts(process: asyncio.subprocess.Process, address: str, port: int) -> None:
    """Wait until *process* accepts connections. Raises ConnectionRefusedError when it has ended, or does not in time."""
    deadline = time.monotonic() + _READY_WITHIN_S
    while True:
        try:
            _, writer = await asyncio.open_connection(address, port)
        except ConnectionRefusedError:
            if time.monotonic() > deadline or process.returncode is not None:
                raise
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
