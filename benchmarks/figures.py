"""Shared arithmetic of the benchmarks: CPU time of process trees, medians, ratios, a table."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

import psutil


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of *pid* and its living descendants, in seconds."""
    return sum(cpu_by_name(pid).values())


def cpu_by_name(pid: int) -> dict[str, float]:
    """Return the CPU time of *pid* and its living descendants, in seconds, by the name of the program."""
    parent = psutil.Process(pid)
    spent: dict[str, float] = {}
    for process in (parent, *parent.children(recursive=True)):
        try:
            times, name = process.cpu_times(), process.name()
        except psutil.NoSuchProcess:
            continue
        spent[name] = spent.get(name, 0.0) + times.user + times.system
    return spent


def table(rounds: Mapping[str, Sequence[Mapping[str, float]]], *, base: str) -> None:
    """Print, for each contestant, the median of every figure and its ratio to *base*, paired by round."""
    figures = list(next(iter(rounds.values()))[0])
    width = max(len(name) for name in rounds)
    print(f"{'':{width}}  " + "  ".join(f"{figure:>22}" for figure in figures))
    for name, taken in rounds.items():
        cells = []
        for figure in figures:
            ratio = statistics.median(_ratios(taken, rounds[base], figure))
            shown = "       " if math.isnan(ratio) else f"({ratio:4.2f}×)"
            cells.append(f"{statistics.median(row[figure] for row in taken):>14.1f} {shown}")
        print(f"{name:{width}}  " + "  ".join(f"{cell:>22}" for cell in cells))
    print(f"medians of {len(rounds[base])} alternating rounds; in brackets the median ratio to {base}, round by round")


def _ratios(taken: Sequence[Mapping[str, float]], base: Sequence[Mapping[str, float]], figure: str) -> Iterable[float]:
    return [
        row[figure] / other[figure] if other[figure] else float("nan") for row, other in zip(taken, base, strict=True)
    ]
