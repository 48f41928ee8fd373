"""What is printed, and how: tables and sentences for people, JSON for programs, foreign text with its control characters escaped."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from controlplane.client.failure import Failure

# Without a terminal there is nothing to fit into: lines are cut by whoever reads them.
_PIPE_WIDTH = 200
# What stands between two columns, and what a column that is cut keeps at least.
_BETWEEN = 2
_FLEXIBLE_MIN = 8
# A rule under the headings and nothing else: no column is lost to vertical lines.
_RULE = box.Box("    \n    \n ── \n    \n    \n    \n    \n    \n")


def console(stream: TextIO | None = None) -> Console:
    """Return a console on *stream* (standard output if None) that takes every text literally."""
    stream = sys.stdout if stream is None else stream
    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False, soft_wrap=False)


def printable(text: str) -> str:
    """Return *text* with every character escaped that would steer a terminal or hide from a reader; line ends stay."""
    return "\n".join(
        "".join(
            char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode() for char in line
        )
        for line in text.replace("\r\n", "\n").split("\n")
    )


def line(text: str) -> str:
    """Return *text* as printable() does, in one line."""
    return printable(text).replace("\n", "\\n")


def indented(text: str, by: str) -> str:
    """Return *text* as printable() does, each line after *by*."""
    return "\n".join(f"{by}{part}" for part in printable(text).split("\n"))


def say(text: str = "", *, style: str = "") -> None:
    """Print a sentence of ours to standard output."""
    console().print(Text(text, style=style), soft_wrap=True)


def note(text: str, *, style: str = "") -> None:
    """Print a sentence of ours to standard error."""
    console(sys.stderr).print(Text(text, style=style), soft_wrap=True)


def emit(value: Any) -> None:
    """Print *value* as JSON to standard output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str | Text]], *, flexible: str = "", width: int | None = None
) -> Table:
    """Return a table of one line for each row: the column *flexible* is cut to what *width* (the terminal's) leaves it."""
    cells = [[cell if isinstance(cell, Text) else Text(line(cell)) for cell in row] for row in rows]
    made = Table(box=_RULE, pad_edge=False, show_edge=False, header_style="bold", padding=(0, _BETWEEN - 1, 0, 0))
    for heading in headings:
        made.add_column(heading, no_wrap=True, overflow="ellipsis")
    if flexible:
        at = headings.index(flexible)
        fixed = sum(
            max([cell_len(heading), *(row[index].cell_len for row in cells)])
            for index, heading in enumerate(headings)
            if index != at
        )
        left = (width or console().width) - fixed - _BETWEEN * (len(headings) - 1)
        for row in cells:
            row[at].truncate(max(left, _FLEXIBLE_MIN), overflow="ellipsis")
    for row in cells:
        made.add_row(*row)
    return made


def show(renderable: Table) -> None:
    """Print a table to standard output."""
    console().print(renderable)


def fail(failure: Failure) -> None:
    """Print *failure* to standard error."""
    text = Text("error: ", style="bold red").append(printable(str(failure)), style="not bold default")
    target = console(sys.stderr)
    target.print(text, soft_wrap=True)
    for reason in failure.reasons:
        target.print(Text(indented(reason, "  ")), soft_wrap=True)
