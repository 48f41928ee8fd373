"""A client for HAProxy's runtime API: one short connection a question, every answer checked."""

import asyncio
import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nearhop.errors import NearhopError
from node.haproxy.settings import slot_name

_PAYLOAD_BYTES = 12_000  # a command and its payload must fit HAProxy's buffer of 16 KiB
_TIMEOUT_S = 2.0


class IngressError(NearhopError):
    """HAProxy could not be asked, or did not do what it was asked."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Requests of one slot since HAProxy started."""

    finished: int
    in_flight: int


class Runtime:
    """Speaks to the stats socket at *socket*."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def ask(self, command: str) -> str:
        """Send one line of commands (or one command with its payload) and return the answer. Raises IngressError."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                reader, writer = await asyncio.open_unix_connection(self._socket)
                try:
                    writer.write(f"{command}\n".encode())
                    return (await reader.read()).decode()
                finally:
                    writer.close()
                    await writer.wait_closed()
        except (OSError, TimeoutError) as error:
            raise IngressError(f"HAProxy does not answer on {self._socket}: {error!r}") from error

    async def replace_map(self, path: str, text: str) -> None:
        """Replace the whole map at once: requests see the old entries until all the new ones are there."""
        created = await self._expect(f"prepare map {path}", "New version created:")
        version = created.rpartition(":")[2].strip()
        for chunk in _chunks(text):
            await self._expect(f"add map @{version} {path} <<\n{chunk}", "")
        await self._expect(f"commit map @{version} {path}", "")

    async def set_entry(self, path: str, key: str, value: str) -> None:
        """Set one entry of a map; when it is not there, add it."""
        if "not found" in await self.ask(f"set map {path} {key} {value}"):
            await self._expect(f"add map {path} {key} {value}", "")

    async def counters(self, slots: Iterable[int]) -> dict[int, Counters]:
        """Return the counters of *slots*, asked for in one connection."""
        wanted = {slot_name(slot): slot for slot in slots}
        if not wanted:
            return {}
        answer = await self.ask(";".join(f"show stat {name} 4 -1" for name in wanted))
        return {wanted[name]: counters for name, counters in parse_stat(answer) if name in wanted}

    async def connections(self, slot: int) -> int:
        """Return how many connections HAProxy holds to the slot's socket, idle ones included."""
        return parse_connections(await self.ask(f"show servers conn {slot_name(slot)}"))

    async def _expect(self, command: str, answer: str) -> str:
        said = (await self.ask(command)).strip()
        if not said.startswith(answer) or (not answer and said):
            raise IngressError(f"HAProxy refused {command.splitlines()[0]!r}: {said or 'no answer'}")
        return said


def parse_stat(answer: str) -> Iterator[tuple[str, Counters]]:
    """Read the answers to `show stat`, each a CSV table with its header."""
    header: list[str] = []
    for row in csv.reader(answer.splitlines()):
        if not row:
            continue
        if row[0].startswith("# "):
            header = [row[0][2:], *row[1:]]
            continue
        fields = dict(zip(header, row, strict=False))
        if fields["svname"] != "sandbox":
            continue
        in_flight = int(fields["scur"] or 0) + int(fields["qcur"] or 0)
        yield fields["pxname"], Counters(int(fields["stot"] or 0) - int(fields["scur"] or 0), in_flight)


def parse_connections(answer: str) -> int:
    """Read the answer to `show servers conn`: used plus idle connections of the sandboxes in it."""
    total = 0
    names: list[str] = []
    for line in answer.splitlines():
        if line.startswith("# "):
            names = line[2:].split()
        elif (fields := line.split()) and names:
            values = dict(zip(names, fields, strict=False))
            if values["bkname/svname"].endswith("/sandbox"):
                total += int(values["used_cur"]) + int(values["idle_cur"])
    return total


def _chunks(text: str) -> Iterator[str]:
    # A payload ends with an empty line.
    lines: list[str] = []
    size = 0
    for line in text.splitlines():
        if lines and size + len(line) + 1 > _PAYLOAD_BYTES:
            yield "\n".join(lines) + "\n"
            lines, size = [], 0
        lines.append(line)
        size += len(line) + 1
    if lines:
        yield "\n".join(lines) + "\n"
