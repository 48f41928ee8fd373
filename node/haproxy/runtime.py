"""A client for HAProxy's runtime API: one short connection a question, every answer checked."""

import asyncio
import csv
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nearhop.errors import NearhopError
from node.haproxy.settings import CERTIFICATES, WALLS, kept_name, slot_name

_PAYLOAD_BYTES = 12_000  # a command and its payload must fit HAProxy's buffer of 16 KiB
_TIMEOUT_S = 2.0
_QUOTED = 200  # characters of a refused command that an error quotes


class IngressError(NearhopError):
    """HAProxy could not be asked, or did not do what it was asked."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Requests of one slot since HAProxy started."""

    finished: int
    in_flight: int

    def __add__(self, other: "Counters") -> "Counters":
        return Counters(self.finished + other.finished, self.in_flight + other.in_flight)


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

    async def change_map(
        self, path: str, entries: Mapping[str, str], *, known: Collection[str], removed: Iterable[str]
    ) -> None:
        """Set *entries* of a map, of which it has the *known* ones with other values, and delete the keys *removed*.

        HAProxy makes them one after another, and requests may see some of them before the last is there.
        """
        commands = [f"{'set' if key in known else 'add'} map {path} {key} {value}" for key, value in entries.items()]
        commands += [f"del map {path} {key}" for key in removed]
        for batch in _batches(commands, ";"):
            await self._expect(batch, "")

    async def set_entry(self, path: str, key: str, value: str) -> None:
        """Set one entry of a map; when it is not there, add it."""
        if "not found" in await self.ask(f"set map {path} {key} {value}"):
            await self._expect(f"add map {path} {key} {value}", "")

    async def keys(self, path: str) -> set[str]:
        """Return the keys of a map. Raises IngressError."""
        return {line.split()[0] for line in await self.lines(path)}

    async def lines(self, path: str) -> list[str]:
        """Return the lines of a map, as its file has them. Raises IngressError."""
        shown = [line.partition(" ") for line in (await self.ask(f"show map {path}")).splitlines() if line]
        if any(not pointer.startswith("0x") for pointer, _, _ in shown):
            raise IngressError(f"HAProxy does not show {path}: {''.join(shown[0])}")
        return [f"{line}\n" for _, _, line in shown]

    async def refusals(self) -> dict[tuple[str, str], int]:
        """Return how many requests the ingress has refused or given up itself, by function ("" for none) and reason."""
        late = (line.split() for line in await self.lines(WALLS))
        refused = dict(parse_refusals(await self.ask("show table refusals")))
        return refused | {(function, "exceeded_wall"): int(count) for function, count in late}

    async def put_certificate(self, file: str, pem: str, *, known: bool) -> None:
        """Serve the chain and key *pem* under the name *file*, in place of the one before where it is *known*."""
        if not known:
            await self._expect(f"new ssl cert {file}", "New empty certificate store")
        await self._expect(f"set ssl cert {file} <<\n{pem.rstrip()}\n", "Transaction")
        await self._expect(f"commit ssl cert {file}", "Committing")
        if not known:
            await self._expect(f"add ssl crt-list {CERTIFICATES} {file}", "Inserting")

    async def remove_certificate(self, file: str) -> None:
        """Serve *file* no longer."""
        await self._expect(f"del ssl crt-list {CERTIFICATES} {file}", "Entry")
        await self._expect(f"del ssl cert {file}", "Certificate")

    async def counters(self, slots: Iterable[int]) -> dict[int, Counters]:
        """Return the counters of *slots*, asked for in one connection."""
        wanted = {name(slot): slot for slot in slots for name in (slot_name, kept_name)}
        if not wanted:
            return {}
        found: dict[int, Counters] = {}
        # Which of them there are depends on the cache; of one that is not there HAProxy says nothing but its table's head.
        for name, counters in parse_stat(await self.ask(";".join(f"show stat {name} 4 -1" for name in wanted))):
            if (slot := wanted.get(name)) is not None:
                found[slot] = found.get(slot, Counters(0, 0)) + counters
        return found

    async def connections(self, slot: int) -> int:
        """Return how many connections HAProxy holds to the slot's socket, idle ones included."""
        answers = [await self.ask(f"show servers conn {name(slot)}") for name in (slot_name, kept_name)]
        return sum(map(parse_connections, answers))

    async def _expect(self, command: str, answer: str) -> str:
        said = (await self.ask(command)).strip()
        if not said.startswith(answer) or (not answer and said):
            raise IngressError(f"HAProxy refused {command.splitlines()[0][:_QUOTED]!r}: {said or 'no answer'}")
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
        if fields.get("svname") != "sandbox":  # of a backend that is not there it says so in words
            continue
        in_flight = int(fields["scur"] or 0) + int(fields["qcur"] or 0)
        yield fields["pxname"], Counters(int(fields["stot"] or 0) - int(fields["scur"] or 0), in_flight)


def parse_refusals(answer: str) -> Iterator[tuple[tuple[str, str], int]]:
    """Read the answer to `show table refusals`."""
    for line in answer.splitlines():
        values = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if "key" in values:
            function, _, reason = values["key"].partition("|")
            yield (function, reason), int(values["http_req_cnt"])


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
    return (f"{chunk}\n" for chunk in _batches(text.splitlines(), "\n"))


def _batches(lines: Iterable[str], joint: str) -> Iterator[str]:
    batch: list[str] = []
    size = 0
    for line in lines:
        if batch and size + len(line) + 1 > _PAYLOAD_BYTES:
            yield joint.join(batch)
            batch, size = [], 0
        batch.append(line)
        size += len(line) + 1
    if batch:
        yield joint.join(batch)
