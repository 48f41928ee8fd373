"""Builds the country map: the networks of a City database with their ISO countries, as few as longest-prefix matching allows.

Run as a process of its own (`python -m node.haproxy.country_build DATABASE OUT`), because it computes for seconds. Iterating the networks one
by one would take ten times as long: the search tree is walked level by level with numpy, and each distinct record is read once.
"""

import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import maxminddb
import numpy as np
import numpy.typing as npt

from node.haproxy import country_records

_Nodes = npt.NDArray[np.uint32]
_Prefixes = npt.NDArray[np.uint64]
_Codes = npt.NDArray[np.int32]

_V6_DEPTH = 64  # networks longer than /64 belong to one site; they keep no country of their own
_V6_LONGEST = 40  # memory is finite: what is longer gets a country of its /40
_CANDIDATES = 4  # countries that are kept for a network whose parts differ
_UNKNOWN = 0  # the code of addresses without a country
_SEPARATOR = 16  # bytes between the tree and the data; a record's number counts them
_V6_GLOBAL_DEPTH = 3  # 2000::/3, the only global unicast space (RFC 4291 section 2.4)


@dataclass(frozen=True, slots=True)
class Leaves:
    """The networks of one length: *prefixes* are left-aligned in *width* bits."""

    depth: int
    prefixes: _Prefixes
    records: _Nodes


class Tree:
    """The search tree of a MaxMind-format database, section 1 of the format's specification."""

    def __init__(self, path: Path, reader: maxminddb.Reader) -> None:
        metadata = reader.metadata()
        self.nodes = metadata.node_count
        self.size = metadata.record_size
        self.version = metadata.ip_version
        raw = np.memmap(path, dtype=np.uint8, mode="r")
        tree = self.nodes * self.size // 4
        self._rows = np.asarray(raw[:tree]).reshape(self.nodes, self.size // 4)
        self.data = country_records.padded(np.asarray(raw[tree + _SEPARATOR :]))

    def offsets(self, records: _Nodes) -> npt.NDArray[np.int64]:
        """Return where *records* lie in *data*."""
        return records.astype(np.int64) - self.nodes - _SEPARATOR

    def children(self, nodes: _Nodes) -> tuple[_Nodes, _Nodes]:
        rows = self._rows[nodes].astype(np.uint32)
        half = self.size // 8
        left, right = rows[:, : self.size // 8], rows[:, rows.shape[1] - half :]
        if self.size == 28:  # the middle byte holds the high four bits of both
            middle = rows[:, 3]
            return _number(left[:, :3], middle >> np.uint32(4)), _number(right[:, -3:], middle & np.uint32(15))
        return _number(left), _number(right)

    def descend(self, bits: str) -> int:
        """Return the record that the path *bits* leads to."""
        node = 0
        for bit in bits:
            if node >= self.nodes:
                return node
            left, right = self.children(np.array([node], dtype=np.uint32))
            node = int((right if bit == "1" else left)[0])
        return node

    def walk(self, root: int, depth: int, prefix: int, *, width: int, skip: int) -> Iterator[Leaves]:
        """Yield the leaves below *root* down to *width* bits, level by level, without the subtree at *skip*."""
        nodes = np.array([root], dtype=np.uint32)
        prefixes = np.array([prefix], dtype=np.uint64)
        while len(nodes) and depth < width:
            depth += 1
            left, right = self.children(nodes)
            bit = np.uint64(1 << (width - depth))
            records = np.stack([left, right], axis=1).reshape(-1)
            prefixes = np.stack([prefixes, prefixes | bit], axis=1).reshape(-1)
            found = records > self.nodes
            yield Leaves(depth, prefixes[found], records[found])
            inner = (records < self.nodes) & (records != skip)
            nodes, prefixes = records[inner], prefixes[inner]


def _number(columns: _Nodes, high: _Nodes | None = None) -> _Nodes:
    value = np.zeros(len(columns), dtype=np.uint32) if high is None else high
    for index in range(columns.shape[1]):
        value = (value << np.uint32(8)) | columns[:, index]
    return value


def lines(path: Path) -> Iterator[str]:
    """Yield the map's lines: IPv4 networks, then IPv6 ones."""
    with maxminddb.open_database(path, maxminddb.MODE_MMAP_EXT) as reader:
        tree = Tree(path, reader)
        v4 = tree.descend("0" * 96) if tree.version == 6 else 0
        yield from _family(reader, tree, list(tree.walk(v4, 0, 0, width=32, skip=-1)) if v4 < tree.nodes else [], 32)
        if tree.version == 6:
            top = tree.descend("001")
            # 6to4 and Teredo networks lead back into the IPv4 tree: they are skipped.
            walked = tree.walk(top, _V6_GLOBAL_DEPTH, 1 << 61, width=_V6_DEPTH, skip=v4) if top < tree.nodes else ()
            yield from _family(reader, tree, list(walked), _V6_DEPTH)


def _family(reader: maxminddb.Reader, tree: Tree, levels: list[Leaves], width: int) -> Iterator[str]:
    names, coded = _codes(reader, tree, levels, width)
    longest = _V6_LONGEST if width == _V6_DEPTH else width
    for depth, prefixes, codes in _spread(_gather(list(_merged(coded, width)), width), longest, width):
        for prefix, code in zip(prefixes.tolist(), codes.tolist(), strict=True):
            yield f"{_address(prefix, width)}/{depth} {names[code]}\n"


def _codes(
    reader: maxminddb.Reader, tree: Tree, levels: list[Leaves], width: int
) -> tuple[list[str], list[tuple[int, _Prefixes, _Codes]]]:
    # Each distinct country is decoded once, by an address that leads to it.
    if not levels:
        return ["XX"], []
    used = np.zeros(len(tree.data), dtype=bool)
    for level in levels:
        used[tree.offsets(level.records)] = True
    records = np.flatnonzero(used)
    countries, inverse = np.unique(country_records.country_offsets(tree.data, records), return_inverse=True)
    ranks = np.zeros(len(tree.data), dtype=np.int32)  # of each record's country among *countries*
    ranks[records] = inverse
    ranked = [(level.depth, level.prefixes, ranks[tree.offsets(level.records)]) for level in levels]
    leads = np.zeros(len(countries), dtype=np.uint64)
    for _, prefixes, found in ranked:
        leads[found] = prefixes
    names, numbers = ["XX"], {"": _UNKNOWN}
    table = np.zeros(len(countries), dtype=np.int32)
    for rank, prefix in enumerate(leads.tolist()):
        name = _country(reader.get(_address(prefix, width)))
        if name not in numbers:
            numbers[name] = len(names)
            names.append(name)
        table[rank] = numbers[name]
    return names, [(depth, prefixes, table[found]) for depth, prefixes, found in ranked]


def _merged(levels: list[tuple[int, _Prefixes, _Codes]], width: int) -> Iterator[tuple[int, _Prefixes, _Codes]]:
    """Join sibling networks of one country into their parent, from the longest prefixes up; drop those without a country."""
    pending = {depth: (prefixes[codes > 0], codes[codes > 0]) for depth, prefixes, codes in levels}
    nothing = (np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int32))
    for depth in range(width, 0, -1):
        prefixes, codes = pending.get(depth, nothing)
        order = np.argsort(prefixes, kind="stable")  # sorted runs, which it joins
        prefixes, codes = prefixes[order], codes[order]
        bit = np.uint64(1 << (width - depth))
        joins = np.zeros(len(prefixes), dtype=bool)  # at the left sibling of each pair that joins
        joins[:-1] = ((prefixes[:-1] | bit) == prefixes[1:]) & ((prefixes[:-1] & bit) == 0) & (codes[:-1] == codes[1:])
        above = pending.get(depth - 1, nothing)
        pending[depth - 1] = (np.concatenate([above[0], prefixes[joins]]), np.concatenate([above[1], codes[joins]]))
        alone = ~joins
        alone[1:] &= ~joins[:-1]
        yield depth, prefixes[alone], codes[alone]


@dataclass(frozen=True, slots=True)
class _Level:
    """The networks of one length, sorted: for each the countries that it may be given, most of them unused (-1)."""

    prefixes: _Prefixes
    candidates: npt.NDArray[np.int32]


def _gather(levels: list[tuple[int, _Prefixes, _Codes]], width: int) -> list[_Level]:
    """Climb from the longest prefixes to the root: a parent may have what both its halves may have, else what either may have.

    The first of the two passes of R. Draves et al., "Constructing Optimal IP Routing Tables" (INFOCOM 1999).
    """
    leaves = {depth: (prefixes, _sets(codes)) for depth, prefixes, codes in levels}
    nothing = (np.zeros(0, dtype=np.uint64), np.zeros((0, _CANDIDATES), dtype=np.int32))
    climbed = nothing
    found: list[_Level] = []
    for depth in range(width, -1, -1):
        own = leaves.get(depth, nothing)
        prefixes, candidates = np.concatenate([own[0], climbed[0]]), np.concatenate([own[1], climbed[1]])
        level = (
            _paired(prefixes, candidates, np.uint64(1 << (width - depth))) if depth else _Level(prefixes, candidates)
        )
        found.append(level)
        if depth == 0:
            break
        climbed = level.prefixes[::2], _joined(level.candidates[::2], level.candidates[1::2])
    return found[::-1]


def _sets(codes: _Codes) -> npt.NDArray[np.int32]:
    sets = np.full((len(codes), _CANDIDATES), -1, dtype=np.int32)
    sets[:, 0] = codes
    return sets


def _paired(prefixes: _Prefixes, candidates: npt.NDArray[np.int32], bit: np.uint64) -> _Level:
    # Every network gets its sibling; one that the database does not have is unknown.
    order = np.argsort(prefixes, kind="stable")
    prefixes, candidates = prefixes[order], candidates[order]
    pairs = np.zeros(len(prefixes) + 1, dtype=bool)  # at i: the networks i - 1 and i are siblings
    pairs[1:-1] = (prefixes[:-1] | bit) == prefixes[1:]
    missing = prefixes[~(pairs[:-1] | pairs[1:])] ^ bit
    prefixes = np.concatenate([prefixes, missing])
    candidates = np.concatenate([candidates, _sets(np.full(len(missing), _UNKNOWN, dtype=np.int32))])
    order = np.argsort(prefixes, kind="stable")
    return _Level(prefixes[order], candidates[order])


def _joined(left: npt.NDArray[np.int32], right: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    joined = left.copy()
    differ = (left != right).any(axis=1)
    joined[differ] = _joined_sets(left[differ], right[differ])
    return joined


def _joined_sets(left: npt.NDArray[np.int32], right: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    in_both = (left[:, :, None] == right[:, None, :]).any(axis=2) & (left >= 0)
    both = np.where(in_both, left, -1)
    either = np.concatenate([left, np.where((right[:, :, None] == left[:, None, :]).any(axis=2), -1, right)], axis=1)
    apart = ~in_both.any(axis=1)
    wide = np.where(apart[:, None], either, np.concatenate([both, np.full_like(both, -1)], axis=1))
    order = np.argsort(wide < 0, axis=1, kind="stable")  # used places first, in their order
    return np.take_along_axis(wide, order, axis=1)[:, :_CANDIDATES]


def _spread(levels: list[_Level], longest: int, width: int) -> Iterator[tuple[int, _Prefixes, _Codes]]:
    """Descend from the root: a network keeps what it inherits when it may, else it is given a country and a line. The second pass."""
    above = np.zeros(1, dtype=np.uint64)
    given = np.full(1, _UNKNOWN, dtype=np.int32)
    for depth in range(1, longest + 1):  # the root itself gets no line: what nothing is known of is unknown
        level = levels[depth]
        if not len(level.prefixes):
            return
        bit = np.uint64(1 << (width - depth))
        inherited = given[np.searchsorted(above, level.prefixes & ~bit)]
        keeps = (level.candidates == inherited[:, None]).any(axis=1)
        above, given = level.prefixes, np.where(keeps, inherited, level.candidates[:, 0])
        yield depth, level.prefixes[~keeps], given[~keeps]


def _country(record: object) -> str:
    if not isinstance(record, dict):
        return ""
    country = record.get("country")
    code = country.get("iso_code") if isinstance(country, dict) else None
    return code if isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha() else ""


def _address(prefix: int, width: int) -> str:
    if width == 32:
        return socket.inet_ntop(socket.AF_INET, prefix.to_bytes(4, "big"))
    return socket.inet_ntop(socket.AF_INET6, prefix.to_bytes(8, "big") + bytes(8))


def build(database: Path, out: Path) -> None:
    """Write the map to *out*, once: processes that ask at the same time wait for the first and find its file."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if out.exists():
            return
        temporary = out.with_suffix(".tmp")
        with temporary.open("w", encoding="ascii") as file:
            file.writelines(lines(database))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(out)


if __name__ == "__main__":
    os.nice(10)
    build(Path(sys.argv[1]), Path(sys.argv[2]))
