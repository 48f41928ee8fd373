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
_HOG = "while True: pass"


async def measure(arena: Arena, rounds: int) -> list[float]:
    """Return for each of *rounds* loops by how many milliseconds of CPU time it passed its limit."""
    await arena.control.deploy("spin", 1, _LOOP, cpu_ms=_LIMIT_MS)
    await arena.control.until_active("spin", within=30)
    hogs = [await children.spawn([sys.executable, "-c", _HOG]) for _ in range(os.cpu_count() or 1)]
    try:
        return [await _one(arena) for _ in range(rounds)]
    finally:
        for hog in hogs:
            hog.kill()
            await hog.wait()


async def _one(arena: Arena) -> float:
    async with asyncio.timeout(30):
        while (await arena.get("spin", "/")).text != "fine":
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.1)
    before = _clocks(arena)
    await arena.get("spin", "/loop")
    async with asyncio.timeout(10):
        while not (ended := _ended(arena.node.log) & before.keys()):
            await asyncio.sleep(0.02)
    [pid] = ended
    # The first requests of a process compile the program and have a larger budget; each loop here meets a new process.
    return (_cpu_s(arena.node.log, pid) - before[pid]) * 1000 - WARMUP_FACTOR * _LIMIT_MS


def _clocks(arena: Arena) -> dict[int, float]:
    assert arena.node.process is not None
    found = {}
    for child in psutil.Process(arena.node.process.pid).children(recursive=True):
        if child.name() == "deno":
            found[child.pid] = time.clock_gettime((~child.pid << 3) | 2)  # clock_getcpuclockid(3)
    return found


def _ended(log: Path) -> set[int]:
    return {int(pid) for _, pid in _ENDED.findall(log.read_text(errors="replace"))}


def _cpu_s(log: Path, pid: int) -> float:
    return next(float(cpu) for cpu, found in _ENDED.findall(log.read_text(errors="replace")) if int(found) == pid)
