"""What an idle sandbox keeps in memory, beside `deno run` of the same handler: private pages, and its share of those that it has in common."""

import asyncio
import contextlib
import statistics
import tempfile
from pathlib import Path

from benchmarks import single

EACH = 5


async def run() -> None:
    """Print the medians and their ratio, every process having answered one request and rested."""
    names = [f"f{number}" for number in range(EACH)]
    with tempfile.TemporaryDirectory(prefix="nearhop-bench-") as name:
        folder = Path(name)
        async with contextlib.AsyncExitStack() as stack:
            node, _ = await stack.enter_async_context(single.node(folder, "127.89.1.3:7480", names, warm_sandboxes=0))
            plain = []
            for number in range(EACH):
                own = folder / f"plain-{number}"
                own.mkdir()
                pid, socket = await stack.enter_async_context(single.plain_deno(own))
                await _answered(socket)
                plain.append(pid)
                assert (await single.ask(node, names[number])).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(3)  # for both engines' collectors to come to rest
            taken = {"deno run": [_memory(pid) for pid in plain]}
            taken["sandbox"] = [_memory(pid) for pid in single.sandboxes(node)]
            assert len(taken["sandbox"]) == EACH
    for figure in ("private", "pss"):
        base, own = (statistics.median(item[figure] for item in taken[name]) for name in ("deno run", "sandbox"))
        print(
            f"{figure:8} deno run {base / 2**20:6.1f} MiB   sandbox {own / 2**20:6.1f} MiB   {own / base:.2f}× (budget 1.15×)"
        )


async def _answered(socket: Path) -> None:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(OSError):
                await single.get(*await asyncio.open_unix_connection(socket), "plain")
                return
            await asyncio.sleep(0.01)


def _memory(pid: int) -> dict[str, int]:
    """Read /proc/<pid>/smaps_rollup, in bytes."""
    fields: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        key, _, rest = line.partition(":")
        fields[key] = int(rest.split()[0]) * 1024
    return {"private": fields["Private_Clean"] + fields["Private_Dirty"], "pss": fields["Pss"]}
