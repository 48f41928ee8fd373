"""A function's log on the terminal: from every control plane that was named, merged as it comes."""

import asyncio
import json
import sys
from dataclasses import replace
from typing import Any

from controlplane.client import rpc, show
from controlplane.client.failure import Failure
from controlplane.client.target import Target
from nearhop import tasks
from nearhop.v1 import common_pb2, functions_pb2

_QUIET_S = 1.5  # nothing new for this long: what was said lately is there
_STYLES = {"error": "red", "warn": "yellow", "limit": "red bold"}


async def logs(target: Target, function: str, *, follow: bool, as_json: bool) -> None:
    """Print the log: what was said lately, and with *follow* what is said from now on. Raises Failure when no control plane can tell."""
    printer = _Printer(as_json=as_json)
    failures: list[Failure] = []
    async with asyncio.TaskGroup() as group:
        for endpoint in target.endpoints:
            reading = _read(replace(target, address=endpoint), function, printer, failures, follow=follow)
            tasks.spawn(group, reading, name=f"log {endpoint}")
    if len(failures) == len(target.endpoints):
        raise failures[0]
    for failure in failures:
        show.note(show.line(f"not all of the log: {failure}"))
    printer.end()


async def _read(target: Target, function: str, printer: "_Printer", failures: list[Failure], *, follow: bool) -> None:
    try:
        async with rpc.connect(target) as connection:
            call = connection.functions.TailLogs(functions_pb2.TailLogsRequest(function=function))
            within = rpc.TIMEOUT_S
            while (entries := await _next(call, None if follow else within)) is not None:
                if within != _QUIET_S:
                    printer.begin(entries)
                    within = _QUIET_S
                printer.take(entries)
            call.cancel()
    except Failure as failure:
        failures.append(failure)


async def _next(call: Any, within_s: float | None) -> functions_pb2.LogEntries | None:
    """Return the next message; None at the stream's end, and when nothing comes for *within_s*."""
    try:
        async with asyncio.timeout(within_s):
            entries = await call.read()
    except TimeoutError:
        return None
    return entries if isinstance(entries, functions_pb2.LogEntries) else None


class _Printer:
    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._elsewhere: list[set[str]] = []
        self._count = 0

    def begin(self, first: functions_pb2.LogEntries) -> None:
        self._elsewhere.append(set(first.elsewhere))

    def take(self, entries: functions_pb2.LogEntries) -> None:
        if entries.missed:
            show.note(f"{entries.missed} entries are missing here: they came faster than they could be passed on")
        for entry in entries.entries:
            self._count += 1
            self._print(entry)
        sys.stdout.flush()

    def _print(self, entry: common_pb2.LogEntry) -> None:
        at = entry.at.ToDatetime().isoformat(timespec="milliseconds") + "Z"
        if self._as_json:
            value = {
                "at": at, "node": entry.node, "function": entry.function, "version": entry.version, "level": entry.level,
                "message": entry.message, "reason": entry.reason or None,
            }  # fmt: skip
            sys.stdout.write(
                json.dumps(value, ensure_ascii=False) + "\n"
            )  # one a line, for programs that read a stream
            return
        reason = f" [{entry.reason}]" if entry.reason else ""
        text = f"{at} {entry.node} v{entry.version} {entry.level}{reason} {entry.message}"
        show.say(show.line(text), style=_STYLES.get(entry.level, ""))

    def end(self) -> None:
        if not self._count:
            show.note("nothing was said lately")
        # A node that none of the control planes asked hears: each of them says that it is elsewhere.
        unheard = set.intersection(*self._elsewhere) if self._elsewhere else set()
        if unheard:
            names = ", ".join(sorted(unheard))
            show.note(
                show.line(f"not asked: {names}, connected to another control plane; name that one too, by --endpoint")
            )
