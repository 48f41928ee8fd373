"""The search tree of a file in MaxMind's format, walked without reading a record: which one an address is in, and of how long a prefix that is true.

To read a record costs ten times as much as to find it, and most addresses are in one that has been read before. maxminddb stays the authority: it
checks the file and reads the records; what the tree alone does not tell, it is asked for. Reading is thread-safe.
"""

import mmap
import os
import struct
from array import array
from pathlib import Path
from typing import Self

import maxminddb

from nearhop.errors import InvalidInput, Violation

_IPV4_BITS, _IPV6_BITS = 32, 128
_IPV4_OCTETS = 4
# The first steps of a walk are remembered, as many as these bits: all of IPv4's, and of IPv6 those that are asked for.
_IPV4_AHEAD, _IPV6_AHEAD = 16, 24
_IPV6_REMEMBERED = 65_536
_TRIES = 3
# Of a node in its first eight octets, by the size of its two records: octets, then how to get the left record (shift, shift and mask of its high
# bits) and the right one (shift, mask). See "Node Layout" in the format's description.
_LAYOUTS = {
    24: (6, 40, 0, 0, 16, 0xFFFFFF),
    28: (7, 40, 12, 0xF000000, 8, 0xFFFFFFF),
    32: (8, 32, 0, 0, 0, 0xFFFFFFFF),
}
_octets = struct.Struct("!Q").unpack_from


class SearchTree:
    """The tree of one mapped file. A *record* is a number that is the same for all addresses of one entry of the data section."""

    def __init__(self, mapped: mmap.mmap, metadata: maxminddb.reader.Metadata) -> None:
        self._mapped = mapped
        self._nodes: int = metadata.node_count
        self._layout = _LAYOUTS[metadata.record_size]
        self._bits = _IPV4_BITS if metadata.ip_version == 4 else _IPV6_BITS
        # IPv4 stands below ::/96.
        below = 0 if self._bits == _IPV4_BITS else self._walk(0, _IPV6_BITS - _IPV4_BITS, 0, 0)[0]
        self._ipv4 = below if below < self._nodes else self._nodes  # one record for all of IPv4 has no prefix there
        # Value and depth of the place that the first bits lead to, in one number; 0 is not yet known.
        self._ipv4_ahead = array("Q", bytes(8 << _IPV4_AHEAD))
        self._ipv6_ahead: dict[int, int] = {}

    @classmethod
    def map(cls, path: Path) -> tuple[maxminddb.Reader, Self]:
        """Open the file at *path*, once for its records and once for its tree. Raises OSError, InvalidInput and what maxminddb raises."""
        for _ in range(_TRIES):
            with path.open("rb") as file:
                reader = maxminddb.open_database(path)
                try:
                    if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                        return reader, cls(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), reader.metadata())
                except BaseException:
                    reader.close()
                    raise
                reader.close()  # of a file that was put there just now: the tree must be of the same one
        raise InvalidInput([Violation(str(path), "is replaced again and again")])

    def find(self, packed: bytes) -> tuple[int, int] | None:
        """Return the record of the address *packed* and its prefix' length; None when there is none, or maxminddb must be asked."""
        number = int.from_bytes(packed)
        if len(packed) == _IPV4_OCTETS:
            first = number >> _IPV4_BITS - _IPV4_AHEAD
            bits, ahead = _IPV4_BITS, self._ipv4_ahead[first] or self._look_ahead_ipv4(first)
        elif self._bits == _IPV6_BITS:
            first = number >> _IPV6_BITS - _IPV6_AHEAD
            bits, ahead = _IPV6_BITS, self._ipv6_ahead.get(first) or self._look_ahead_ipv6(first)
        else:
            return None
        found = self._walk(number, bits, ahead >> 8, ahead & 0xFF)
        return found if found[0] > self._nodes else None  # the number of nodes itself stands for "nothing"

    def close(self) -> None:
        """Unmap the file."""
        self._mapped.close()

    def _look_ahead_ipv4(self, first: int) -> int:
        value, depth = self._walk(first, _IPV4_AHEAD, self._ipv4, 0)
        self._ipv4_ahead[first] = ahead = value << 8 | depth
        return ahead

    def _look_ahead_ipv6(self, first: int) -> int:
        if len(self._ipv6_ahead) >= _IPV6_REMEMBERED:
            self._ipv6_ahead = {}
        value, depth = self._walk(first, _IPV6_AHEAD, 0, 0)
        self._ipv6_ahead[first] = ahead = value << 8 | depth
        return ahead

    def _walk(self, number: int, bits: int, value: int, depth: int) -> tuple[int, int]:
        """Follow *number*'s bits, of which there are *bits*, from the node *value* at *depth* to what is no node, or to the last bit."""
        mapped, nodes = self._mapped, self._nodes
        width, left, high, high_mask, right, mask = self._layout
        shift = bits - 1 - depth
        while value < nodes and shift >= 0:
            (pair,) = _octets(mapped, value * width)
            value = pair >> right & mask if number >> shift & 1 else pair >> left | pair >> high & high_mask
            shift -= 1
        return value, bits - 1 - shift
