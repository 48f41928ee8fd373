"""One node with a control plane's end of its stream, and functions that are registered without having been started one by one."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import psutil

from nearhop import children, engines
from nearhop.v1 import common_pb2
from nearhop.v1 import node_control_pb2 as pb
from node.agent import codec, spool
from node.plan.records import Good
from tests.node.conftest import Control, Node

HANDLER = 'export default { fetch() { return new Response("hello"); } };\n'


@contextlib.asynccontextmanager
async def node(folder: Path, address: str, names: Sequence[str], **keys: object) -> AsyncIterator[tuple[Node, Control]]:
    """Start a node that knows the functions *names*, all of one program, each of which has been ready there before; none runs."""
    control = Control()
    _register(control, names)
    await control.start()
    started = Node(folder / f"node-{address}", address, control.port, **({"log_level": "info", "slots": 64} | keys))
    _seed(started.state, control)
    try:
        await started.start(wait=False)
        await started.until_healthy(within=60)
        yield started, control
    finally:
        if started.process is not None:
            await started.stop()
        await control.stop()


def _register(control: Control, names: Sequence[str]) -> None:
    body = HANDLER.encode()
    digest = hashlib.sha256(body).hexdigest()
    control.bundles[digest] = body
    control.revision = 1
    for name in names:
        control.placements[name] = pb.Placement(
            function=name,
            generation=1,
            hostnames=[f"{name}.example.org"],
            versions=[
                pb.PlacedVersion(
                    number=1, digest=digest, size_bytes=len(body), dialect=common_pb2.DIALECT_WORKERS, percent=100
                )
            ],
        )


def _seed(state: Path, control: Control) -> None:
    bundles = state / "bundles"
    bundles.mkdir(parents=True)
    for digest, body in control.bundles.items():
        (bundles / digest).write_bytes(body)
    message = control.snapshot()
    spool.write(state / "snapshot.pb", message.SerializeToString())
    good = {p.function: Good(p.version, p.limits) for p in codec.snapshot(message).placements if p.version is not None}
    spool.write(state / "good.json", json.dumps(codec.good_to_json(good)).encode())


@contextlib.asynccontextmanager
async def plain_deno(folder: Path) -> AsyncIterator[tuple[int, Path]]:
    """Start `deno run` of the same handler on a unix socket; yield its pid and the socket, which may not be there yet."""
    program, socket = folder / "plain.js", folder / "plain.sock"
    socket.unlink(missing_ok=True)
    program.write_text(
        f'Deno.serve({{ path: "{socket}", onListen() {{}} }}, () => new Response("hello"));\n', encoding="utf-8"
    )
    process = await children.spawn(
        [
            engines.find("deno").path, "run", "--quiet", "--no-config", "--no-check", "--allow-net",
            f"--allow-read={socket}", f"--allow-write={socket}", program,
        ],
        env={"DENO_DIR": str(folder / "deno"), "DENO_NO_UPDATE_CHECK": "1", "HOME": "/nonexistent"},
    )  # fmt: skip
    try:
        yield process.pid, socket
    finally:
        await children.stop(process, grace_s=2)


async def get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> bytes:
    """Ask for / and return the answer, which must be complete in its Content-Length; the connection is closed then."""
    writer.write(f"GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
    try:
        return await reader.read()
    finally:
        writer.close()


async def ask(started: Node, function: str) -> bytes:
    """Ask the node's ingress for the function."""
    host, _, port = started.address.rpartition(":")
    return await get(*await asyncio.open_connection(host, int(port)), f"{function}.example.org")


def sandboxes(started: Node) -> list[int]:
    """Return the pids of the node's Deno processes, wherever below the agent they are."""
    if started.process is None:
        return []
    found = []
    for process in psutil.Process(started.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "deno" in process.name():
                found.append(process.pid)
    return found
