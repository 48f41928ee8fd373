"""One node with 10,000 functions of which 100 run: processes, the agent's CPU time and memory, and what a deploy costs."""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks import single
from benchmarks.figures import cpu_seconds
from node.haproxy import render
from node.haproxy.process import Ingress
from node.plan.records import Route

FUNCTIONS = 10_000
ACTIVE = 100
AT_ONCE = 10
DEPLOYS = 15
UPDATES = 20


async def run() -> None:
    """Print the figures; every function has been ready on the node before it starts."""
    names = [f"fn-{number:05}" for number in range(FUNCTIONS)]
    with tempfile.TemporaryDirectory(prefix="nearhop-bench-") as name:
        folder = Path(name)
        await _updates(folder, names)
        began = time.monotonic()
        async with single.node(folder, "127.89.1.4:7480", names, slots=ACTIVE + 24) as (node, control):
            print(f"{FUNCTIONS} functions: the node is ready after {time.monotonic() - began:.1f} s")
            await asyncio.sleep(2)
            print(f"idle: {len(single.sandboxes(node))} sandbox processes, all of them waiting for a program")
            taken = await _activate(node, names[:ACTIVE])
            print(f"{ACTIVE} first requests, {AT_ONCE} at a time: p50 {statistics.median(taken) * 1000:.0f} ms, "
                  f"slowest {max(taken) * 1000:.0f} ms; {len(single.sandboxes(node))} processes")  # fmt: skip
            await _agent_at_rest(node)
            await _deploys(node, control, names)


async def _updates(folder: Path, names: list[str]) -> None:
    """Time one deploy's update of the ingress alone: one route of all becomes another."""
    maps = folder / "maps"
    maps.mkdir()
    ingress = Ingress(render.Ingress("tokyo-1", "tokyo", ("127.89.1.5:7480",), 4, str(folder), str(maps)))
    routes = {f"{name}.example.org": Route(name, 1, None, 30_000, startable=True) for name in names}
    await ingress.start(routes)
    taken = []
    spent = time.process_time()
    for number in range(UPDATES):
        routes = {**routes, f"{names[number]}.example.org": Route(names[number], 2, 1, 30_000, (1,))}
        began = time.perf_counter()
        await ingress.set_routes(routes)
        taken.append(time.perf_counter() - began)
    spent = (time.process_time() - spent) / UPDATES
    await ingress.stop(0)
    print(f"one route of {len(routes)} changes in the ingress: p50 {statistics.median(taken) * 1000:.1f} ms, "
          f"slowest {max(taken) * 1000:.1f} ms (budget 100 ms), {spent * 1000:.0f} ms of it the agent's CPU time")  # fmt: skip


async def _activate(node: single.Node, names: list[str]) -> list[float]:
    taken: list[float] = []
    room = asyncio.Semaphore(AT_ONCE)

    async def first(name: str) -> None:
        async with room:
            began = time.perf_counter()
            answer = await single.ask(node, name)
            assert answer.startswith(b"HTTP/1.1 200"), answer
            taken.append(time.perf_counter() - began)

    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(first(name))
    return taken


async def _agent_at_rest(node: single.Node) -> None:
    assert node.process is not None
    agent = psutil.Process(node.process.pid)
    await asyncio.sleep(2)
    before, began = agent.cpu_times(), time.monotonic()
    await asyncio.sleep(6)
    after = agent.cpu_times()
    share = (after.user + after.system - before.user - before.system) / (time.monotonic() - began)
    print(
        f"the agent at rest with {ACTIVE} sandboxes: {share * 100:.1f} % of one CPU, {agent.memory_info().rss / 2**20:.0f} MiB"
    )


async def _deploys(node: single.Node, control: single.Control, names: list[str]) -> None:
    assert node.process is not None
    taken = []
    before = cpu_seconds(node.process.pid)
    for number in range(DEPLOYS):
        name = names[ACTIVE + number] if number % 2 else names[number]
        began = time.perf_counter()
        await control.deploy(name, 2, single.HANDLER.replace("hello", f"hello {number}"))
        await control.until_active(name)
        taken.append(time.perf_counter() - began)
        answer = await single.ask(node, name)
        assert answer.endswith(f"hello {number}".encode()), answer
    spent = (cpu_seconds(node.process.pid) - before) / DEPLOYS
    print(f"{DEPLOYS} deploys, from the snapshot's sending to the report: p50 {statistics.median(taken) * 1000:.0f} ms, "
          f"slowest {max(taken) * 1000:.0f} ms; {spent * 1000:.0f} ms of the node's CPU time each")  # fmt: skip
