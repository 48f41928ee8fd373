"""Generated queries, and replies put into a form that can be compared field by field."""

import random
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from tests.controlplane.router.differential.peers import ZONE

NAMES = (
    "", "ns1", "hello", "alone", "txt", "www", "ext", "mail", "caa", "wild", "a.wild", "b.c.wild", "*.wild", "x.y", "y", "sub", "ns.sub",
    "deep.in.sub", "big", "many", "none", "a.hello", "none.x.y", "z.y", "a.www", "x" * 63, "v1--hello",
)  # fmt: skip
OUTSIDE = ("www.example.net", "example.org", "org", "xedge.example.org", ".")
TYPES = ("A", "AAAA", "TXT", "NS", "SOA", "CNAME", "MX", "CAA", "HTTPS", "SVCB", "DS", "DNSKEY", "SRV", "PTR", "HINFO", "ANY", "TYPE666",
         "TYPE65280", "AXFR", "IXFR", "TYPE254", "TYPE253", "TYPE249", "TYPE128")  # fmt: skip
COMMON_TYPES = ("A", "AAAA", "TXT", "NS", "SOA", "CNAME", "MX", "CAA")
SIZES = (0, 512, 1000, 1232, 4096, 65535)


def subnet(family: int, source: int, scope: int, address: bytes) -> bytes:
    return option(8, struct.pack("!HBB", family, source, scope) + address)


def option(code: int, data: bytes = b"") -> bytes:
    return struct.pack("!HH", code, len(data)) + data


GOOD_SUBNETS = {
    "tokyo /24": subnet(1, 24, 0, b"\xcb\0\x71"),
    "tokyo /32": subnet(1, 32, 0, b"\xcb\0\x71\x07"),
    "tokyo /20": subnet(1, 20, 0, b"\xcb\0\x70"),
    "london /25": subnet(1, 25, 0, b"\xc6\x33\x64\0"),
    "london /24": subnet(1, 24, 0, b"\xc6\x33\x64"),
    "sydney /24": subnet(1, 24, 0, b"\xc0\0\2"),
    "elsewhere /24": subnet(1, 24, 0, b"\x08\x08\x08"),
    "none /0": subnet(1, 0, 0, b""),
    "private /24": subnet(1, 24, 0, b"\x0a\x01\x02"),
    "sydney6 /56": subnet(2, 56, 0, b"\x20\x01\x0d\xb8\0\x61\1"),
    "tokyo6 /48": subnet(2, 48, 0, b"\x20\x01\x0d\xb8\0\x60"),
    "elsewhere6 /56": subnet(2, 56, 0, b"\x2a\x00\x14\x50\0\0\0"),
    "none6 /0": subnet(2, 0, 0, b""),
}
BAD_SUBNETS = {
    "family": subnet(3, 24, 0, b"\xcb\0\x71"),
    "scope": subnet(1, 24, 24, b"\xcb\0\x71"),
    "long source": subnet(1, 33, 0, b"\xcb\0\x71\0\0"),
    "short": subnet(1, 24, 0, b"\xcb\0"),
    "bits": subnet(1, 20, 0, b"\xcb\0\x71"),
    "two": subnet(1, 24, 0, b"\xcb\0\x71") * 2,
    "empty": option(8),
}
OTHER_OPTIONS = {
    "cookie": option(10, b"clientid"),
    "old cookie": option(10, b"clientid" + b"\x01\0\0\0" + bytes(12)),
    "bad cookie": option(10, b"short"),
    "nsid": option(3),
    "unknown": option(65001, b"abcd"),
    "keepalive": option(11),
    "padding": option(12, bytes(20)),
    "expire": option(9),
}


@dataclass(frozen=True)
class Case:
    """One query and what it was made of."""

    data: bytes
    name: str
    type: str
    opcode: int
    klass: int
    flags: int
    edns: str  # "", "ok", "version", "two", "owner", "overrun"
    size: int
    subnet: str
    options: tuple[str, ...]
    extra: str

    def __str__(self) -> str:
        told = {key: value for key, value in self.__dict__.items() if key != "data" and value not in ("", (), 0)}
        return f"{told} {self.data.hex()}"


def cases(count: int, seed: int) -> Iterator[Case]:
    rng = random.Random(seed)
    for _ in range(count):
        yield _case(rng)


def _case(rng: random.Random) -> Case:
    relative = "hello" if rng.random() < 0.2 else rng.choice(NAMES)
    name = f"{relative}.{ZONE}".lstrip(".") if rng.random() < 0.93 else rng.choice(OUTSIDE)
    kind = rng.choice(COMMON_TYPES if rng.random() < 0.6 else TYPES)
    klass = 1 if rng.random() < 0.97 else rng.choice((3, 4, 255, 0))
    opcode = 0 if rng.random() < 0.97 else rng.choice((1, 2, 3, 6, 15))
    flags = (
        0x0100
        if rng.random() < 0.5
        else rng.choice((0, 0x0020, 0x0010, 0x0110, 0x0400, 0x0200, 0x0080, 0x0040, 0x07F0))
    )
    wire_name = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"
    if rng.random() < 0.3:
        wire_name = bytes(octet ^ 0x20 if 97 <= octet <= 122 and rng.random() < 0.5 else octet for octet in wire_name)
    question = wire_name + struct.pack("!HH", dns.rdatatype.from_text(kind), klass)
    edns, size, told, options = _edns(rng)
    extra, before, after = "", b"", b""
    if rng.random() < 0.02:
        extra = rng.choice(("record before", "trailing"))
        before, after = (b"\1x\0\0\x10\0\1\0\0\0\0\0\3\2hi", b"") if extra == "record before" else (b"", b"trailing")
    opt = _opt(edns, size, rng, told, options)
    count = len(opt) + (extra == "record before")
    header = struct.pack("!6H", 0, opcode << 11 | flags, 1, 0, 0, count)
    data = header + question + before + b"".join(opt) + after
    return Case(data, name, kind, opcode, klass, flags, edns, size, told, options, extra)


def _edns(rng: random.Random) -> tuple[str, int, str, tuple[str, ...]]:
    if rng.random() < 0.2:
        return "", 0, "", ()
    edns = "ok" if rng.random() < 0.96 else rng.choice(("version", "two", "owner", "overrun"))
    told = ""
    if rng.random() < 0.55:
        told = rng.choice(list(GOOD_SUBNETS) if rng.random() < 0.93 else list(BAD_SUBNETS))
    options = tuple(rng.sample(sorted(OTHER_OPTIONS), rng.choice((1, 1, 2)))) if rng.random() < 0.2 else ()
    return edns, rng.choice(SIZES), told, options


def _opt(edns: str, size: int, rng: random.Random, told: str, options: tuple[str, ...]) -> list[bytes]:
    if not edns:
        return []
    data = b"".join(OTHER_OPTIONS[name] for name in options) + ({**GOOD_SUBNETS, **BAD_SUBNETS}[told] if told else b"")
    flags = rng.choice((0, 0, 0x8000, 0x7FFF))
    ttl = (1 << 16 if edns == "version" else 0) | flags
    length = len(data) + (5 if edns == "overrun" else 0)
    owner = b"\1x\0" if edns == "owner" else b"\0"
    one = owner + struct.pack("!HHIH", 41, size, ttl, length) + data
    return [one, one] if edns == "two" else [one]


@dataclass(frozen=True)
class Seen:
    """A reply's fields by name; no fields when there was none."""

    fields: Mapping[str, Any] = field(default_factory=dict)


def read(case: Case, reply: bytes | None) -> Seen:
    """Take *reply* apart. What cannot be read is a field of its own."""
    if reply is None:
        return Seen({"reply": "none"})
    try:
        message = dns.message.from_wire(reply, ignore_trailing=False)
    except dns.exception.DNSException as error:
        return Seen({"reply": f"unreadable: {type(error).__name__}"})
    told = next((one for one in message.options if isinstance(one, dns.edns.ECSOption)), None)
    return Seen({
        "reply": "yes",
        "rcode": dns.rcode.to_text(message.rcode()),
        "opcode": message.opcode(),
        "aa": bool(message.flags & dns.flags.AA),
        "tc": bool(message.flags & dns.flags.TC),
        "flags": message.flags & (dns.flags.RD | dns.flags.RA | dns.flags.AD | dns.flags.CD | 0x40),
        "question": _question(case, reply) if message.question else "left out",
        "answer": _records(message.answer),
        "authority": _records(message.authority),
        "additional": _records(message.additional),
        "edns": message.edns,
        "udp size": message.payload if message.edns >= 0 else 0,
        "do": message.ednsflags & 0xFFFF,
        "subnet": None if told is None else (told.family, told.srclen, told.address),
        "scope": None if told is None else told.scopelen,
        "options": tuple(sorted(one.otype for one in message.options if one.otype not in (8, 15))),
        "errors": tuple(one.code for one in message.options if isinstance(one, dns.edns.EDEOption)),
    })  # fmt: skip


def _question(case: Case, reply: bytes) -> str:
    end = case.data.index(0, 12) + 5
    return "as sent" if reply[12:end] == case.data[12:end] else "changed"


def _records(rrsets: list[Any]) -> frozenset[str]:
    # In lower case: the others point into the question, whose case is the client's.
    return frozenset(
        f"{rrset.name} {rrset.ttl} {rrset.rdtype.name} {record}".lower() for rrset in rrsets for record in rrset
    )


# When a field differs, those that follow from it say nothing more.
FOLLOWS = {
    "reply": ("rcode", "opcode", "aa", "tc", "flags", "question", "answer", "authority", "additional", "edns", "udp size", "do", "subnet", "scope",
              "options", "errors"),
    "rcode": ("aa", "tc", "answer", "authority", "additional", "subnet", "scope", "options", "errors", "do", "question", "edns", "udp size"),
    "tc": ("answer", "authority", "additional"),
    "edns": ("udp size", "do", "subnet", "scope", "options", "errors"),
    "subnet": ("scope",),
}  # fmt: skip


def differences(ours: Seen, theirs: Seen) -> list[str]:
    """Name the fields that differ, without those that follow from another."""
    differing = [
        name for name in ours.fields.keys() | theirs.fields.keys() if ours.fields.get(name) != theirs.fields.get(name)
    ]
    hidden = {later for name in differing for later in FOLLOWS.get(name, ())}
    return sorted(set(differing) - hidden)
