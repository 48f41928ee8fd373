"""Prints what came of every hostile program: `python -m tests.hostile [WORD]`, beside what plain `deno run` makes of it."""

import asyncio
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.hostile import kernel, overrun, plain
from tests.hostile.arena import opened, percentile
from tests.hostile.programs import PROGRAMS

_ROUNDS = 30


async def _print(word: str) -> bool:
    console = Console(width=None if sys.stdout.isatty() else 200)
    programs = [program for program in PROGRAMS if word in program.id]
    table = Table("program", "must be", "was", "ok", "neighbor's p99 / solo", "plain deno run")
    worst, failed = 0.0, 0
    with tempfile.TemporaryDirectory(prefix="hostile") as folder:
        async with opened(Path(folder)) as arena:
            solo = percentile(arena.solo, 99)
            for program in programs:
                outcome = await arena.run(program)
                beside = await plain.attempt(program, arena.ports)
                ratio = outcome.neighbor_p99 / solo
                worst = max(worst, ratio)
                ok = outcome.ok and not outcome.neighbor_failures
                failed += not ok
                row = (
                    program.id,
                    program.end.value,
                    outcome.said[:60],
                    "yes" if ok else "NO",
                    f"{ratio:.1f}",
                    beside[:60],
                )
                table.add_row(*row)
            console.print(table)
            if not word:
                overruns = await overrun.measure(arena, _ROUNDS)
                p99 = percentile(overruns, 99)
                console.print(
                    f"CPU past the limit, all processors busy, {_ROUNDS} loops: p50 {percentile(overruns, 50):.1f} ms, p99 {p99:.1f} ms"
                )
    if not word:
        with tempfile.TemporaryDirectory(prefix="kernel") as folder:
            found, level = await kernel.attempt_all(Path(folder))
        opened_up = {name: said for name, said in found.items() if not said.startswith("shut")}
        failed += len(opened_up)
        console.print(
            f"with all of the engine's rights, isolation {level}: {len(found)} attempts, open: {opened_up or 'none'}"
        )
    console.print(
        f"{len(programs)} programs, {failed} failures; neighbor alone: p99 {solo * 1000:.1f} ms, worst ratio {worst:.1f}"
    )
    return failed == 0


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(_print(sys.argv[1] if len(sys.argv) > 1 else "")) else 1)
