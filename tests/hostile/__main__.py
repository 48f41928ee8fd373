"""Prints what came of every hostile program: `python -m tests.hostile [WORD]`, beside what plain `deno run` makes of it."""

import asyncio
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.hostile import kernel, overrun, plain
from tests.hostile.arena import Outcome, opened, percentile
from tests.hostile.programs import PROGRAMS

_ROUNDS = 30
_SOLO_BETWEEN = 25  # requests of the neighbor before each program
_AFTER = 100  # and when it is gone


async def _print(word: str) -> bool:
    console = Console(width=None if sys.stdout.isatty() else 200)
    programs = [program for program in PROGRAMS if word in program.id]
    table = Table("program", "must be", "was", "ok", "neighbor's p99 / solo: meanwhile", "after", "plain deno run")
    outcomes: list[tuple[Outcome, str]] = []
    failed = 0
    with tempfile.TemporaryDirectory(prefix="hostile") as folder:
        async with opened(Path(folder)) as arena:
            for program in programs:
                await arena.measure_solo(_SOLO_BETWEEN)  # what the neighbor takes alone, in the same minutes
                outcome = await arena.run(program, after=_AFTER)
                outcomes.append((outcome, await plain.attempt(program, arena.ports)))
            solo = percentile(arena.solo, 99)
            for outcome, beside in outcomes:
                ok = outcome.ok and not outcome.neighbor_failures
                failed += not ok
                table.add_row(
                    outcome.program.id, outcome.program.end.value, outcome.said[:60], "yes" if ok else "NO",
                    f"{outcome.neighbor_p99 / solo:.1f}", f"{percentile(outcome.after, 99) / solo:.1f}", beside[:60],
                )  # fmt: skip
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
    beside_all = percentile([taken for outcome, _ in outcomes for taken in outcome.neighbor], 99)
    worst = max((outcome.neighbor_p99 for outcome, _ in outcomes), default=0.0)
    worst_after = max((percentile(outcome.after, 99) for outcome, _ in outcomes), default=0.0)
    console.print(
        f"{len(programs)} programs, {failed} failures; neighbor alone: p99 {solo * 1000:.1f} ms; beside them all: "
        f"p99 {beside_all * 1000:.1f} ms, {beside_all / solo:.1f} times as much; beside the worst: {worst / solo:.1f} times; "
        f"after the worst: {worst_after / solo:.1f} times"
    )
    return failed == 0


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(_print(sys.argv[1] if len(sys.argv) > 1 else "")) else 1)
