"""The table of ISC's genreport (most of RFC 8906 section 8), over real sockets: what public checks of DNS servers ask, and what they call good."""

import struct

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest

from controlplane.router.cookies import Cookies
from controlplane.router.responder import Offer
from controlplane.steering import FleetIndex
from tests.controlplane.router.test_conformance import RESOLVER, ZONE, Make, locate
from tests.controlplane.router.test_conformance import make as make  # noqa: PLC0414  # the fixture
from tests.controlplane.router.test_conformance_limits import INDEX, UP
from tests.controlplane.router.wired import Wired

APEX = b"\x04edge\x07example\x03org\x00"
SOA, DNSKEY = 6, 48
RD, AA, TC, RA, Z, AD, CD = 0x0100, 0x0400, 0x0200, 0x0080, 0x0040, 0x0020, 0x0010
DO = 0x8000


def option(code: int, data: bytes = b"") -> bytes:
    return struct.pack("!HH", code, len(data)) + data


NSID, EXPIRE, COOKIE, SUBNET, UNKNOWN = (
    option(3),
    option(9),
    option(10, b"clientid"),
    option(8, b"\0\1\0\0"),
    option(100),
)
LIST = NSID + EXPIRE + COOKIE + SUBNET

# name: (flags, opcode, type, EDNS version or None, EDNS flags, size, options)
TABLE: dict[str, tuple[int, int, int, int | None, int, int, bytes]] = {
    "dns": (0, 0, SOA, None, 0, 0, b""),
    "aa": (AA, 0, SOA, None, 0, 0, b""),
    "ad": (AD, 0, SOA, None, 0, 0, b""),
    "cd": (CD, 0, SOA, None, 0, 0, b""),
    "ra": (RA, 0, SOA, None, 0, 0, b""),
    "rd": (RD, 0, SOA, None, 0, 0, b""),
    "tc": (TC, 0, SOA, None, 0, 0, b""),
    "zflag": (Z, 0, SOA, None, 0, 0, b""),
    "opcode": (0, 15, SOA, None, 0, 0, b""),
    "opcodeflg": (RD | AA | TC | RA | Z | AD | CD, 15, SOA, None, 0, 0, b""),
    "type666": (0, 0, 666, None, 0, 0, b""),
    "edns": (0, 0, SOA, 0, 0, 4096, b""),
    "edns1": (0, 0, SOA, 1, 0, 4096, b""),
    "edns@512": (0, 0, DNSKEY, 0, DO, 512, b""),
    "ednsopt": (0, 0, SOA, 0, 0, 4096, UNKNOWN),
    "edns1opt": (0, 0, SOA, 1, 0, 4096, UNKNOWN),
    "do": (0, 0, SOA, 0, DO, 4096, b""),
    "docd": (CD, 0, SOA, 0, DO, 4096, b""),
    "edns1do": (0, 0, SOA, 1, DO, 4096, b""),
    "ednsflags": (0, 0, SOA, 0, 0x0080, 4096, b""),
    "edns1flags": (0, 0, SOA, 1, 0x0080, 4096, b""),
    "optlist": (0, 0, SOA, 0, 0, 4096, LIST),
    "ednsnsid": (0, 0, SOA, 0, 0, 4096, NSID),
    "ednscookie": (0, 0, SOA, 0, 0, 4096, COOKIE),
    "ednsexpire": (0, 0, SOA, 0, 0, 4096, EXPIRE),
    "ednssubnet": (0, 0, SOA, 0, 0, 4096, SUBNET),
    "edns1nsid": (0, 0, SOA, 1, 0, 4096, NSID),
    "edns1cookie": (0, 0, SOA, 1, 0, 4096, COOKIE),
    "edns1expire": (0, 0, SOA, 1, 0, 4096, EXPIRE),
    "edns1subnet": (0, 0, SOA, 1, 0, 4096, SUBNET),
    "bind11": (CD, 0, SOA, 0, DO, 512, COOKIE),
    "dig11": (AD | RD, 0, SOA, 0, 0, 4096, COOKIE),
}
OPTIONS = {"optlist": {3, 8, 10}, "ednsnsid": {3}, "ednscookie": {10}, "ednssubnet": {8}, "bind11": {10}, "dig11": {10}}


@pytest.fixture
def served(make: Make) -> Wired:
    made = make(ZONE, locate, offer=Offer(nsid=b"r1", cookies=Cookies([b"0123456789abcdef"])))
    made.publish(FleetIndex.of(INDEX.view), UP)
    return made


def send(served: Wired, name: str, *, tcp: bool) -> bytes:
    flags, opcode, kind, version, edns_flags, size, options = TABLE[name]
    query = (
        struct.pack("!6H", 4711, opcode << 11 | flags, 1, 0, 0, version is not None)
        + APEX
        + struct.pack("!HH", kind, 1)
    )
    if version is not None:
        query += b"\0" + struct.pack("!HHIH", 41, size, version << 16 | edns_flags, len(options)) + options
    reply = served.respond(query, RESOLVER, tcp=tcp)
    assert reply is not None
    return reply


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("name", TABLE)
def test_every_check_is_passed(served: Wired, name: str, tcp: bool) -> None:
    reply = send(served, name, tcp=tcp)
    flags, opcode, kind, version, edns_flags, _, _ = TABLE[name]
    header = struct.unpack_from("!H", reply, 2)[0]
    assert header & (RA | Z | AD | CD | TC) == 0
    assert header & RD == flags & RD
    if opcode:
        assert (header >> 11 & 15, header & 15, header & AA) == (opcode, dns.rcode.NOTIMP, 0)
        return
    message = dns.message.from_wire(reply)
    if version == 1:
        assert (message.rcode(), message.answer, header & AA) == (dns.rcode.BADVERS, [], 0)
    else:
        assert (message.rcode(), bool(header & AA)) == (dns.rcode.NOERROR, True)
        assert [rrset.rdtype for rrset in message.answer] == ([dns.rdatatype.SOA] if kind == SOA else [])
    assert message.edns == (-1 if version is None else 0)
    assert message.ednsflags & 0xFFFF == edns_flags & DO if version is not None else True
    assert {one.otype for one in message.options} == OPTIONS.get(name, set())
