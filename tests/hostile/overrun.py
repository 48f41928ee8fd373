"""How much CPU time an endless loop gets past its limit, while every processor of the machine is busy with something else."""

import asyncio
import os
import re
import sys
import time
from pathlib import Path

import psutil

from nearhop import children
from node.lifecycle.limits import WARMUP_FACTOR
from tests.hostile.arena import Arena

_LIMIT_MS = 50
_LOOP = "export default { fetch(r) { if (new URL(r.url).pathname === '/loop') for (;;); return new Response('fine') } }"
_ENDED = re.compile(r"a sandbox's process ended cpu_s=([0-9.]+) .*pid=(\d+)")
_COUNTED_S = 0.7  # the agent has asked the ingress by then, and knows that the first request is done
_HOG = "while True: pass"


async def measure(arena: Arena, rounds: int) -> list[float]:
    """Return for each of *rounds* loops by how many milliseconds of CPU time it passed its limit."""
    hogs = [await children.spawn([sys.executable, "-c", _HOG]) for _ in range(os.cpu_count() or 1)]
    try:
        return [await _one(arena, f"spin-{number}") for number in range(rounds)]
    finally:
        for hog in hogs:
            hog.kill()
            await hog.wait()


async def _one(arena: Arena, name: str) -> float:
    # A function of its own for each: the breaker would keep the fourth overrun of one away.
    await arena.control.deploy(name, 1, _LOOP, cpu_ms=_LIMIT_MS)
    try:
        await arena.control.until_active(name, within=30)
        if (await arena.get(name, "/")).text != "fine":
            raise AssertionError(f"{name} does not answer")
        await asyncio.sleep(_COUNTED_S)
        before = _clocks(arena)
        await arena.get(name, "/loop")
        async with asyncio.timeout(20):
            while not (spent := _spent(arena.node.log, before)):
                await asyncio.sleep(0.02)
    finally:
        del arena.control.placements[name]
        await arena.control.push()
    # The first requests of a process compile the program and have a larger budget; each loop here meets a new process.
    return max(spent) * 1000 - WARMUP_FACTOR * _LIMIT_MS


def _clocks(arena: Arena) -> dict[int, float]:
    assert arena.node.process is not None
    found = {}
    for child in psutil.Process(arena.node.process.pid).children(recursive=True):
        if child.name() == "deno":
            found[child.pid] = time.clock_gettime((~child.pid << 3) | 2)  # clock_getcpuclockid(3)
    return found


def _spent(log: Path, before: dict[int, float]) -> list[float]:
    """Return the seconds of CPU since *before* of what has ended; others than the loop's may end beside it, having spent next to nothing."""
    ended = {int(pid): float(cpu) for cpu, pid in _ENDED.findall(log.read_text(errors="replace"))}
    spent = [ended[pid] - before[pid] for pid in ended.keys() & before.keys()]
    return [seconds for seconds in spent if seconds * 1000 >= _LIMIT_MS]
