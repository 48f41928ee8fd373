"""A cold start, from the request to the answer: with and without waiting processes, beside `deno run` of the same handler from its spawn."""

import asyncio
import contextlib
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks import single

ROUNDS = 20
WARM = 2
REST_S = 0.2  # before each start, so that none meets what the one before it has left to do on either node


async def run() -> None:
    """Print the median time of each kind of start and what a waiting process leaves of it."""
    names = [f"f{number}" for number in range(ROUNDS + 1)]
    with tempfile.TemporaryDirectory(prefix="nearhop-bench-") as name:
        folder = Path(name)
        async with contextlib.AsyncExitStack() as stack:
            pooled, _ = await stack.enter_async_context(
                single.node(folder, "127.89.1.1:7480", names, warm_sandboxes=WARM)
            )
            bare, _ = await stack.enter_async_context(single.node(folder, "127.89.1.2:7480", names, warm_sandboxes=0))
            await _until_waiting(pooled, 0)
            for node in (pooled, bare):
                await single.ask(node, names[-1])  # the first start of all fills the engine's caches
            await _plain(folder)
            taken: dict[str, list[float]] = {"plain": [], "without": [], "with": [], "warm": []}
            for number in range(ROUNDS):
                await _until_waiting(pooled, number + 1)
                taken["plain"].append(await _plain(folder))
                taken["without"].append(await _timed(bare, names[number]))
                taken["with"].append(await _timed(pooled, names[number]))
                taken["warm"].append(await _timed(pooled, names[-1]))
    _report(taken)


async def _until_waiting(node: single.Node, running: int) -> None:
    async with asyncio.timeout(20):
        while len(single.sandboxes(node)) < running + WARM:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)  # the newest one has yet to import the guest


async def _timed(node: single.Node, function: str) -> float:
    await asyncio.sleep(REST_S)
    begin = time.perf_counter()
    answer = await single.ask(node, function)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    return time.perf_counter() - begin


async def _plain(folder: Path) -> float:
    await asyncio.sleep(REST_S)
    begin = time.perf_counter()
    async with single.plain_deno(folder) as (_, socket):
        while True:
            with contextlib.suppress(OSError):
                answer = await single.get(*await asyncio.open_unix_connection(socket), "plain")
                assert answer.startswith(b"HTTP/1.1 200"), answer
                return time.perf_counter() - begin
            await asyncio.sleep(0.0005)


def _report(taken: dict[str, list[float]]) -> None:
    names = {
        "plain": "deno run, from spawn to answer",
        "without": "cold, no process waiting",
        "with": "cold, a process waiting",
        "warm": "warm",
    }
    for key, name in names.items():
        times = sorted(seconds * 1000 for seconds in taken[key])
        print(f"{name:32} p50 {statistics.median(times):6.1f} ms   p90 {times[int(0.9 * len(times))]:6.1f} ms")
    ratio = statistics.median(cold / plain for cold, plain in zip(taken["without"], taken["plain"], strict=True))
    added = statistics.median(cold - warm for cold, warm in zip(taken["with"], taken["warm"], strict=True))
    print(f"without a waiting process: {ratio:.2f}× deno run (budget 1.15×)")
    print(f"with one: {added * 1000:.1f} ms added to a warm request (budget 5 ms)")
