"""DNS messages: a bounded parser of queries and a renderer of replies (RFC 1035, EDNS RFC 6891, client subnet RFC 7871, cookies RFC 7873).

Pure. The parser never follows a compression pointer, reads every octet at most once and says of any bytes whether to drop, refuse or answer
them. Names are octets in lower-case wire form throughout, so that a dot or a NUL inside a label is a character like any other.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

NAME_MAX = 255  # octets, RFC 1035 section 2.3.4
LABEL_MAX = 63
UDP_SIZE = 1232  # what a reply may have without fragmenting anywhere: DNS flag day 2020, RFC 9715
UDP_SIZE_PLAIN = 512  # without EDNS, and the least that EDNS may ask for: RFC 6891 section 6.2.3
TCP_SIZE = 65535
EDNS_VERSION = 0
QUERY_NAME = b"\xc0\x0c"  # a pointer to the question's name, which always starts after the header

_HEADER = struct.Struct("!6H")
_TYPE_CLASS = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")
_OPTION = struct.Struct("!HH")
_OPT = struct.Struct("!BHHIH")
_SUBNET = struct.Struct("!HBB")
_OPCODE = 0x7800
_DO = 0x8000  # the only EDNS flag that is defined


class Type(IntEnum):
    """Record and query types that are treated specially."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    HINFO = 13
    AAAA = 28
    OPT = 41
    DS = 43
    HTTPS = 65
    META_FIRST = 128  # RFC 6895 section 3.1: 128-255 are query and meta types
    IXFR = 251
    AXFR = 252
    ANY = 255


class Class(IntEnum):
    """The only class of the data here."""

    IN = 1


class Rcode(IntEnum):
    """Response codes; those over 15 need EDNS."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16
    BADCOOKIE = 23


class Flag(IntFlag):
    """The header's flag bits."""

    QR = 0x8000
    AA = 0x0400
    TC = 0x0200
    RD = 0x0100


class Option(IntEnum):
    """EDNS options that are read or written."""

    NSID = 3
    CLIENT_SUBNET = 8
    COOKIE = 10
    KEEPALIVE = 11
    ERROR = 15


class ExtendedError(IntEnum):
    """Reasons beside the response code (RFC 8914 section 4)."""

    STALE = 3
    NOT_READY = 14
    PROHIBITED = 18
    NOT_AUTHORITATIVE = 20
    NO_REACHABLE_AUTHORITY = 22


@dataclass(frozen=True, slots=True)
class ClientSubnet:
    """A client-subnet option: *address* is padded with zeros to 4 or 16 octets, *sent* is how it came, to be echoed.

    *last*: the message ends with it.
    """

    family: int
    source: int
    address: bytes
    sent: bytes
    last: bool = False


@dataclass(frozen=True, slots=True)
class Edns:
    """A query's OPT record. The options are left out for a version that is not ours: theirs may mean something else."""

    udp_size: int
    version: int
    dnssec_ok: bool
    client_subnet: ClientSubnet | None = None
    cookie: bytes = b""
    nsid: bool = False
    keepalive: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A well-formed standard query with one question. *name* is lower case, *question* the octets as they came (RFC 4343 section 3)."""

    id: int
    flags: int
    name: bytes
    type: int
    klass: int
    question: bytes
    edns: Edns | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message to be answered with *rcode* and nothing else; *question* is empty when it cannot or must not be echoed."""

    id: int
    flags: int
    rcode: Rcode
    reason: str
    question: bytes = b""
    edns: Edns | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message that gets no reply at all."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer: rendered records by section, each one whole, and the reasons that EDNS has room for."""

    rcode: Rcode
    authoritative: bool = True
    answer: tuple[bytes, ...] = ()
    authority: tuple[bytes, ...] = ()
    additional: tuple[bytes, ...] = ()
    errors: tuple[ExtendedError, ...] = ()


class _Malformed(Exception):
    """The message breaks a rule; *edns* when the fault lies in an option of a well-formed OPT."""

    def __init__(self, reason: str, edns: Edns | None = None) -> None:
        super().__init__(reason)
        self.edns = edns


def parse(data: bytes) -> Query | Rejected | Ignored:
    """Read one message. Any bytes are allowed; nothing is raised."""
    if len(data) < _HEADER.size:
        return Ignored("short")
    ident, flags, questions, answers, authorities, additionals = _HEADER.unpack_from(data)
    if flags & Flag.QR:
        return Ignored("response")  # answering a response can loop for ever between two servers
    if flags & _OPCODE:
        return Rejected(ident, flags, Rcode.NOTIMP, "opcode")
    if questions != 1:
        return _other_than_one(data, questions, answers + authorities, additionals)
    question = b""
    try:
        end = _question_end(data)
        question = data[_HEADER.size : end]
        kind, klass = _TYPE_CLASS.unpack_from(data, end - _TYPE_CLASS.size)
        edns = (
            _find_edns(data, end, answers + authorities, additionals) if answers or authorities or additionals else None
        )
    except _Malformed as error:
        return Rejected(ident, flags, Rcode.FORMERR, str(error), question, error.edns)
    # Label lengths are below 64, where lower() changes nothing.
    return Query(ident, flags, question[: -_TYPE_CLASS.size].lower(), kind, klass, question, edns)


def _other_than_one(data: bytes, questions: int, before: int, additionals: int) -> Rejected:
    ident, flags = _HEADER.unpack_from(data)[:2]
    if questions == 0:
        try:
            edns = _find_edns(data, _HEADER.size, before, additionals)
        except _Malformed as error:
            return Rejected(ident, flags, Rcode.FORMERR, str(error))
        if edns is not None and edns.cookie:
            return Rejected(ident, flags, Rcode.NOERROR, "cookie only", edns=edns)  # RFC 7873 section 5.4
    return Rejected(ident, flags, Rcode.FORMERR, "question count")  # RFC 9619 section 4


def _question_end(data: bytes) -> int:
    offset = _HEADER.size
    size = len(data)
    while offset < size and (length := data[offset]):
        if length > LABEL_MAX:
            raise _Malformed(
                "label type"
            )  # a pointer in the first name of a message can only point to itself or the header
        offset += length + 1
        if offset >= _HEADER.size + NAME_MAX:
            raise _Malformed("name length")
    end = offset + 1 + _TYPE_CLASS.size
    if end > size:
        raise _Malformed("question cut short")
    return end


def _find_edns(data: bytes, offset: int, before: int, additionals: int) -> Edns | None:
    """Walk the records after the question, *before* of them not additional, and read the OPT among the additional ones."""
    found: tuple[int, int, int, int] | None = None
    for number in range(before + additionals):
        name = offset
        offset = _skip_name(data, offset)
        if offset + _RECORD.size > len(data):
            raise _Malformed("record cut short")
        kind, klass, ttl, length = _RECORD.unpack_from(data, offset)
        offset += _RECORD.size
        if offset + length > len(data):
            raise _Malformed("record data cut short")
        if kind == Type.OPT:
            if number < before or found is not None or data[name]:
                raise _Malformed("OPT misplaced, repeated or not at the root")  # RFC 6891 section 6.1.1
            found = (klass, ttl, offset, offset + length)
        offset += length
    return None if found is None else _edns(data, *found)


def _skip_name(data: bytes, offset: int) -> int:
    start = offset
    size = len(data)
    while offset < size and offset - start < NAME_MAX:
        length = data[offset]
        if length == 0:
            return offset + 1
        if length >= 0xC0:
            return offset + 2
        if length > LABEL_MAX:
            raise _Malformed("label type")
        offset += length + 1
    raise _Malformed("name cut short or too long")


def _edns(data: bytes, udp_size: int, ttl: int, offset: int, end: int) -> Edns:
    version, dnssec_ok = ttl >> 16 & 0xFF, bool(ttl & _DO)
    if version != EDNS_VERSION or offset == end:
        return Edns(udp_size, version, dnssec_ok)
    bare = Edns(udp_size, version, dnssec_ok)
    subnet: ClientSubnet | None = None
    cookie = b""
    nsid = keepalive = False
    while offset < end:
        if offset + _OPTION.size > end:
            raise _Malformed("option cut short")
        code, length = _OPTION.unpack_from(data, offset)
        offset += _OPTION.size
        if offset + length > end:
            raise _Malformed("option overruns OPT")
        match code:
            case Option.CLIENT_SUBNET:
                if subnet is not None:
                    raise _Malformed("two client subnets", bare)
                subnet = _client_subnet(data[offset : offset + length], bare, last=offset + length == len(data))
            case Option.COOKIE:
                if not cookie:  # of several only the first counts: RFC 7873 section 5.2
                    if length != 8 and not 16 <= length <= 40:  # section 5.2.2
                        raise _Malformed("cookie length", bare)
                    cookie = data[offset : offset + length]
            case Option.NSID:
                nsid = True
            case Option.KEEPALIVE:
                keepalive = True
            case _:
                pass  # RFC 6891 section 6.1.2
        offset += length
    return Edns(udp_size, version, dnssec_ok, subnet, cookie, nsid, keepalive)


def _client_subnet(option: bytes, edns: Edns, *, last: bool) -> ClientSubnet:
    """Read the option; every rule is of RFC 7871 section 6 or 7.2.1."""
    if len(option) < _SUBNET.size:
        raise _Malformed("client subnet cut short", edns)
    family, source, scope = _SUBNET.unpack_from(option)
    octets = {1: 4, 2: 16}.get(family)
    if octets is None:
        raise _Malformed("client subnet family", edns)
    if scope:
        raise _Malformed("client subnet scope in a query", edns)
    address = option[_SUBNET.size :]
    if source > octets * 8 or len(address) != (source + 7) // 8:
        raise _Malformed("client subnet length", edns)
    if source % 8 and address[-1] & 0xFF >> source % 8:
        raise _Malformed("client subnet has bits after its prefix", edns)
    return ClientSubnet(family, source, address.ljust(octets, b"\0"), option, last)


def encode_name(name: str) -> bytes:
    """Return *name*, a hostname with or without its final dot, in lower-case wire form. Raises ValueError when it is too long."""
    labels = [label.encode("ascii") for label in name.lower().rstrip(".").split(".") if label]
    if any(len(label) > LABEL_MAX for label in labels) or sum(len(label) + 1 for label in labels) >= NAME_MAX:
        raise ValueError(f"{name!r} does not fit into a DNS name")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def record(owner: bytes, kind: int, ttl_s: int, data: bytes) -> bytes:
    """Render one record of class IN."""
    return owner + _RECORD.pack(kind, Class.IN, ttl_s, len(data)) + data


def soa_data(*, primary: bytes, mailbox: bytes, serial: int, negative_ttl_s: int) -> bytes:
    """Render SOA data. The refresh times are RFC 1912 section 2.2's; no secondary transfers this zone."""
    return primary + mailbox + struct.pack("!5I", serial & 0xFFFFFFFF, 3600, 600, 1209600, negative_ttl_s)


def character_string(text: bytes) -> bytes:
    """Render a character string (RFC 1035 section 3.3); at most 255 octets."""
    return bytes([len(text)]) + text


def size_limit(edns: Edns | None, *, tcp: bool) -> int:
    """Return how long a reply may be."""
    if tcp:
        return TCP_SIZE
    return UDP_SIZE_PLAIN if edns is None else min(max(edns.udp_size, UDP_SIZE_PLAIN), UDP_SIZE)


def option(code: Option, data: bytes) -> bytes:
    """Render one EDNS option."""
    return _OPTION.pack(code, len(data)) + data


def render(query: Query, reply: Reply, *, limit: int, scope: int = 0, options: bytes = b"") -> bytes:
    """Render *reply* to *query* in at most *limit* octets: when it does not fit, additional records go first, then all of them, with TC set.

    *options* are rendered EDNS options; what the reply's own are (reasons, the client subnet with *scope*) follows them, the subnet last.
    """
    edns = query.edns
    opt = b"" if edns is None else _opt(edns, reply, scope, options)
    room = limit - _HEADER.size - len(query.question) - len(opt)
    answer, authority, additional = reply.answer, reply.authority, reply.additional
    flags = Flag.QR | Flag.AA if reply.authoritative else Flag.QR
    body = b"".join(answer + authority + additional)
    if len(body) > room:
        additional = ()
        body = b"".join(answer + authority)
    if len(body) > room:
        answer = authority = ()
        body = b""
        flags |= Flag.TC
    header = _HEADER.pack(
        query.id,
        flags | query.flags & Flag.RD | reply.rcode & 0xF,
        1,
        len(answer),
        len(authority),
        len(additional) + (edns is not None),
    )
    return header + query.question + body + opt


def render_truncated(query: Query, options: bytes = b"") -> bytes:
    """Render a reply without records that sends the client to TCP."""
    opt = b"" if query.edns is None else _opt(query.edns, Reply(Rcode.NOERROR), 0, options)
    header = _HEADER.pack(query.id, Flag.QR | Flag.TC | query.flags & Flag.RD, 1, 0, 0, bool(opt))
    return header + query.question + opt


def render_rejection(rejected: Rejected, options: bytes = b"") -> bytes:
    """Render the reply to a message that could not be answered: the header, and the question and OPT where they are known."""
    opt = b"" if rejected.edns is None else _opt(rejected.edns, Reply(rejected.rcode), 0, options)
    flags = Flag.QR | rejected.flags & (_OPCODE | Flag.RD) | rejected.rcode & 0xF
    header = _HEADER.pack(rejected.id, flags, bool(rejected.question), 0, 0, bool(opt))
    return header + rejected.question + opt


def _opt(edns: Edns, reply: Reply, scope: int, options: bytes) -> bytes:
    ttl = reply.rcode >> 4 << 24 | EDNS_VERSION << 16 | (_DO if edns.dnssec_ok else 0)
    for error in reply.errors:
        options += _OPTION.pack(Option.ERROR, 2) + error.to_bytes(2)
    subnet = edns.client_subnet
    if subnet is not None:
        options += _echo(subnet, scope)
    return _OPT.pack(0, Type.OPT, UDP_SIZE, ttl, len(options)) + options


def _echo(subnet: ClientSubnet, scope: int) -> bytes:
    sent = subnet.sent
    return _OPTION.pack(Option.CLIENT_SUBNET, len(sent)) + sent[:3] + bytes([scope]) + sent[4:]
