"""One node's whole path (HAProxy, host map, geo header, request id, sandbox) against its engines alone and other runtimes, same handler."""

import asyncio
import contextlib
import statistics
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load, peers
from benchmarks.figures import cpu_by_name, table
from nearhop import children, engines
from tests.harness.cluster import INGRESS_PORT, ZONE, Cluster
from tests.harness.eventually import eventually

ROUNDS = 6
SECONDS = 1  # short rounds, so that what else the machine does hits the contestants alike
CONNECTIONS = (8, 32, 128)
NEARHOP = "Nearhop node"
BASE = "HAProxy → Deno.serve"
PARTS = {"haproxy": "ingress", "deno": "runtime", "workerd": "runtime", "node": "runtime"}  # by the name of the process
HANDLER = 'export default { fetch() { return new Response("hello"); } };\n'
COUNTRY = 'export default { fetch(request) { return new Response(request.headers.get("x-nearhop-country")); } };\n'
BARE = "127.89.0.1"
Rounds = dict[str, list[dict[str, float]]]


@dataclass(frozen=True)
class Contestant:
    address: str
    port: int
    host: str
    pids: tuple[int, ...]


async def run() -> None:
    """Print requests per second, CPU per request by process, and latency of each contestant, for several numbers of connections."""
    with tempfile.TemporaryDirectory(prefix="nearhop-bench-") as folder:
        async with _contestants(Path(folder)) as contestants:
            for contestant in contestants.values():
                await _measure(contestant, 32, seconds=1)  # warm-up: the JIT's, not ours
            for connections in CONNECTIONS:
                print(f"{connections} connections, {load.generator()}:")
                _print(await _rounds(contestants, connections))


async def _rounds(contestants: Mapping[str, "Contestant"], connections: int) -> Rounds:
    rounds: Rounds = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, contestant in contestants.items():
            rounds[name].append(await _measure(contestant, connections, seconds=SECONDS))
    return rounds


def _print(rounds: Rounds) -> None:
    table(rounds, base=BASE)
    for name in rounds.keys() - {NEARHOP}:
        speed, cpu = (_ratio(rounds[NEARHOP], rounds[name], figure) for figure in ("requests/s", "CPU µs/request"))
        print(f"{NEARHOP} ÷ {name}: {speed:.2f}× the requests/s at {cpu:.2f}× the CPU per request")
    print(flush=True)


def _ratio(ours: Sequence[Mapping[str, float]], theirs: Sequence[Mapping[str, float]], figure: str) -> float:
    return statistics.median(one[figure] / other[figure] for one, other in zip(ours, theirs, strict=True))


@contextlib.asynccontextmanager
async def _contestants(folder: Path) -> AsyncIterator[dict[str, Contestant]]:
    async with contextlib.AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(Cluster(["tokyo"], folder=folder))
        ran = await cluster.deploy_source("hello", HANDLER)
        assert ran.status == 0, ran.stderr
        node = cluster.nodes["tokyo-1"]
        await _located(cluster, node.address)
        deno = await _bare_deno(folder, stack)
        haproxy = await _bare_haproxy(folder, stack)
        contestants = {
            BASE: Contestant(BARE, 7482, "bare", (haproxy, deno)),
            NEARHOP: Contestant(node.address, INGRESS_PORT, f"hello.{ZONE}", (node.pid,)),
        }
        home = folder / "peers"
        home.mkdir()
        if await peers.install(home):
            pid = await peers.workerd(home, HANDLER, 7491, stack)
            contestants["workerd"] = Contestant(peers.ADDRESS, 7491, "bare", (pid,))
            pid = await peers.edge_runtime(home, 7492, stack)
            contestants["edge-runtime"] = Contestant(peers.ADDRESS, 7492, "bare", (pid,))
        yield contestants


async def _located(cluster: Cluster, address: str) -> None:
    """Wait until the node knows countries: making the map takes seconds of computing, once for each database."""
    ran = await cluster.deploy_source("country", COUNTRY)
    assert ran.status == 0, ran.stderr

    async def known() -> bool:
        headers = {"host": f"country.{ZONE}", "x-forwarded-for": "8.8.8.8"}
        return (await cluster.http.get(f"http://{address}:{INGRESS_PORT}/", headers=headers)).text == "US"

    await eventually(known, within=120)


async def _bare_deno(folder: Path, stack: contextlib.AsyncExitStack) -> int:
    program = folder / "bare.js"
    socket = folder / "bare.sock"
    program.write_text(f'Deno.serve({{ path: "{socket}" }}, () => new Response("hello"));\n', encoding="utf-8")
    process = await children.spawn(
        [engines.find("deno").path, "run", "--no-config", "--allow-all", program],
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    stack.push_async_callback(children.stop, process, grace_s=2)
    async with asyncio.timeout(20):
        while not socket.exists():
            await asyncio.sleep(0.05)
    return process.pid


async def _bare_haproxy(folder: Path, stack: contextlib.AsyncExitStack) -> int:
    config = folder / "bare.cfg"
    config.write_text(
        f"""defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 1s
frontend all
    bind {BARE}:7482
    default_backend deno
backend deno
    server deno unix@{folder}/bare.sock
""",
        encoding="utf-8",
    )
    process = await children.spawn([engines.find("haproxy").path, "-db", "-f", config])
    stack.push_async_callback(children.stop, process, grace_s=2)
    await peers.accepts(process, BARE, 7482)
    return process.pid


async def _measure(contestant: Contestant, connections: int, *, seconds: int) -> dict[str, float]:
    before = _spent(contestant)
    result = await load.drive(contestant.address, contestant.port, contestant.host, connections, seconds)
    spent = {part: (s - before.get(part, 0.0)) * 1e6 / result.finished for part, s in _spent(contestant).items()}
    return {
        "requests/s": result.finished / result.seconds,
        "CPU µs/request": sum(spent.values()),
        **{f"{part} µs": spent.get(part, 0.0) for part in ("ingress", "runtime", "agent")},
        "generator µs": result.cpu_s * 1e6 / result.finished,
        "p99 ms": result.p99_ms,
    }


def _spent(contestant: Contestant) -> dict[str, float]:
    """Return the CPU time of the contestant's processes by what they do."""
    spent: dict[str, float] = {}
    for pid in contestant.pids:
        for name, seconds in cpu_by_name(pid).items():
            part = PARTS.get(name, "agent")
            spent[part] = spent.get(part, 0.0) + seconds
    return spent
