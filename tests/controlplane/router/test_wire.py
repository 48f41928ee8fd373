"""The parser and the renderer alone; what whole queries get is tests/controlplane/router/test_conformance.py."""

import struct

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.router import wire
from controlplane.router.wire import Flag, Ignored, Query, Rcode, Rejected, Reply, Type

NAME = b"\x05hello\x07example\x03org\x00"
QUESTION = NAME + struct.pack("!HH", Type.A, 1)


def header(*, ident: int = 7, flags: int = 0, counts: tuple[int, int, int, int] = (1, 0, 0, 0)) -> bytes:
    return struct.pack("!6H", ident, flags, *counts)


def opt(*, owner: bytes = b"\0", size: int = 4096, ttl: int = 0, options: bytes = b"") -> bytes:
    return owner + struct.pack("!HHIH", Type.OPT, size, ttl, len(options)) + options


def subnet(family: int = 1, source: int = 24, scope: int = 0, address: bytes = b"\xcb\x00\x71") -> bytes:
    data = struct.pack("!HBB", family, source, scope) + address
    return struct.pack("!HH", wire.Option.CLIENT_SUBNET, len(data)) + data


def with_options(options: bytes, ttl: int = 0) -> bytes:
    return header(counts=(1, 0, 0, 1)) + QUESTION + opt(options=options, ttl=ttl)


def query(data: bytes) -> Query:
    parsed = wire.parse(data)
    assert isinstance(parsed, Query), parsed
    return parsed


def rejected(data: bytes) -> Rejected:
    parsed = wire.parse(data)
    assert isinstance(parsed, Rejected), parsed
    return parsed


def test_a_plain_query_is_read() -> None:
    parsed = query(header(flags=Flag.RD) + b"\x05HeLLo\x07example\x03org\x00" + struct.pack("!HH", 28, 1))
    assert (parsed.id, parsed.name, parsed.type, parsed.klass, parsed.edns) == (7, NAME, 28, 1, None)
    assert parsed.question.startswith(b"\x05HeLLo")


def test_of_several_cookies_the_first_counts() -> None:
    def cookie(data: bytes) -> bytes:
        return struct.pack("!HH", wire.Option.COOKIE, len(data)) + data

    edns = query(with_options(cookie(b"clientid") + cookie(b"bad"))).edns
    assert edns is not None
    assert edns.cookie == b"clientid"
    assert rejected(with_options(cookie(b"bad") + cookie(b"clientid"))).rcode is Rcode.FORMERR


def test_edns_with_a_client_subnet_is_read() -> None:
    edns = query(with_options(struct.pack("!HH", 65001, 2) + b"xy" + subnet(), ttl=0x8000)).edns
    assert edns is not None
    assert (edns.udp_size, edns.version, edns.dnssec_ok) == (4096, 0, True)
    assert edns.client_subnet is not None
    assert (edns.client_subnet.family, edns.client_subnet.source, edns.client_subnet.address) == (
        1,
        24,
        b"\xcb\x00\x71\x00",
    )


def test_a_client_subnet_of_another_edns_version_is_not_read() -> None:
    edns = query(with_options(subnet(family=9), ttl=1 << 16)).edns
    assert edns is not None
    assert (edns.version, edns.client_subnet) == (1, None)


@pytest.mark.parametrize("data", [b"", b"\0" * 11, header(flags=Flag.QR) + QUESTION])
def test_what_is_no_query_is_ignored(data: bytes) -> None:
    assert isinstance(wire.parse(data), Ignored)


@pytest.mark.parametrize("name", [
    b"\xc0\x0c", b"\x40" + b"x" * 64 + b"\0", b"\x05hel", b"\x05hello", b"", (b"\x3f" + b"x" * 63) * 4 + b"\0",
    b"\x01x" * 127 + b"\x01",
])  # fmt: skip
def test_a_bad_question_is_rejected_without_echo(name: bytes) -> None:
    parsed = rejected(header() + name)
    assert (parsed.rcode, parsed.question) == (Rcode.FORMERR, b"")


def test_the_longest_name_is_taken() -> None:
    name = (b"\x3f" + b"x" * 63) * 3 + b"\x3d" + b"x" * 61 + b"\0"
    assert len(name) == 255
    assert query(header() + name + b"\0\1\0\1").name == name
    assert query(header() + b"\x01x" * 127 + b"\0\0\1\0\1").name == b"\x01x" * 127 + b"\0"


@pytest.mark.parametrize(("name", "additional"), [
    ("record cut short", b"\0\0\x29"),
    ("record data cut short", opt(options=b"xxxx")[:-1]),
    ("name cut short or too long", b"\x05ab"),
    ("name cut short or too long", b"\x3f" + b"x" * 63 + (b"\x3f" + b"x" * 63) * 4),
    ("label type", b"\x41" + b"x" * 70),
    ("OPT misplaced, repeated or not at the root", opt(owner=b"\x01x\0")),
    ("option cut short", opt(options=b"\0\x08\0")),
    ("option overruns OPT", opt(options=b"\0\x08\0\x09abc")),
])  # fmt: skip
def test_bad_additional_records_are_rejected(name: str, additional: bytes) -> None:
    parsed = rejected(header(counts=(1, 0, 0, 1)) + QUESTION + additional)
    assert (parsed.rcode, parsed.reason, parsed.question, parsed.edns) == (Rcode.FORMERR, name, QUESTION, None)


@pytest.mark.parametrize("counts", [(1, 1, 0, 0), (1, 0, 1, 0)])
def test_an_opt_that_is_not_additional_is_rejected(counts: tuple[int, int, int, int]) -> None:
    assert rejected(header(counts=counts) + QUESTION + opt()).rcode == Rcode.FORMERR


@pytest.mark.parametrize("option", [
    subnet(family=0), subnet(family=3), subnet(scope=1), subnet(source=33, address=b"\1" * 5), subnet(source=24, address=b"\1" * 4),
    subnet(source=24, address=b"\1" * 2), subnet(source=23, address=b"\1\1\1"), subnet(family=2, source=129, address=b"\1" * 17),
    struct.pack("!HH", 8, 3) + b"\0\1\0", subnet() + subnet(),
])  # fmt: skip
def test_a_bad_client_subnet_is_rejected_with_opt(option: bytes) -> None:
    parsed = rejected(with_options(option))
    assert parsed.edns is not None
    assert parsed.edns.client_subnet is None
    reply = dns.message.from_wire(wire.render_rejection(parsed))
    assert (reply.rcode(), reply.edns, len(reply.options)) == (Rcode.FORMERR, 0, 0)


@pytest.mark.parametrize(("tcp", "size", "limit"), [
    (True, None, 65535), (False, None, 512), (False, 0, 512), (False, 511, 512), (False, 900, 900), (False, 65535, 1232),
])  # fmt: skip
def test_size_limit(tcp: bool, size: int | None, limit: int) -> None:
    assert wire.size_limit(None if size is None else wire.Edns(size, 0, False), tcp=tcp) == limit


def test_names_are_encoded_in_lower_case_and_within_bounds() -> None:
    assert wire.encode_name("Hello.Example.org.") == NAME
    assert wire.encode_name(".") == b"\0"
    for text in ("x" * 64, ".".join(["x" * 60] * 5)):
        with pytest.raises(ValueError, match="does not fit"):
            wire.encode_name(text)


def reply_of(answers: int, additional: int = 0) -> Reply:
    address = wire.record(wire.QUERY_NAME, Type.AAAA, 30, b"\x20\x01" + b"\0" * 14)
    return Reply(
        Rcode.NOERROR,
        answer=(address,) * answers,
        additional=(wire.record(NAME, Type.A, 30, b"\1\2\3\4"),) * additional,
    )


def test_additional_records_are_dropped_before_the_answer_is_cut() -> None:
    parsed = query(header() + QUESTION)
    whole = dns.message.from_wire(wire.render(parsed, reply_of(17, 1), limit=512))
    assert (len(whole.answer), len(whole.additional), whole.flags & dns.flags.TC) == (1, 0, 0)
    cut = wire.render(parsed, reply_of(18), limit=512)
    assert len(cut) == 12 + len(QUESTION)
    assert dns.message.from_wire(cut).flags & dns.flags.TC


def test_soa_data_reads_back() -> None:
    data = wire.soa_data(primary=NAME, mailbox=b"\x04host\0", serial=(1 << 32) + 5, negative_ttl_s=9)
    message = wire.render(
        query(header() + QUESTION),
        Reply(Rcode.NOERROR, answer=(wire.record(wire.QUERY_NAME, Type.SOA, 60, data),)),
        limit=512,
    )
    (rrset,) = dns.message.from_wire(message).answer
    assert rrset.to_text() == "hello.example.org. 60 IN SOA hello.example.org. host. 5 3600 600 1209600 9"


@given(st.binary(max_size=600))
def test_s4_any_bytes_are_read_without_an_exception(data: bytes) -> None:
    wire.parse(data)


MUTABLE = with_options(struct.pack("!HH", 10, 8) + b"c" * 8 + subnet())


@given(
    st.lists(st.tuples(st.integers(0, len(MUTABLE) - 1), st.integers(0, 255)), max_size=6), st.integers(0, len(MUTABLE))
)
def test_s4_mutated_queries_get_well_formed_replies(changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(MUTABLE)
    for at, value in changes:
        data[at] = value
    parsed = wire.parse(bytes(data[: len(data) - cut]))
    match parsed:
        case Query():
            reply = wire.render(parsed, reply_of(40), limit=wire.size_limit(parsed.edns, tcp=False), scope=20)
            assert len(reply) <= 1232
        case Rejected():
            reply = wire.render_rejection(parsed)
        case Ignored():
            return
    assert reply[:2] == bytes(data[:2])
    assert reply[2] & 0x80
    dns.message.from_wire(reply, continue_on_error=False)


@given(
    st.lists(st.binary(min_size=1, max_size=63), max_size=4).map(lambda labels: dns.name.Name([*labels, b""])),
    st.sampled_from(["A", "AAAA", "TXT", "TYPE65280"]),
    st.one_of(st.none(), st.integers(0, 65535)),
    st.one_of(st.none(), st.tuples(st.ip_addresses(), st.integers(0, 32))),
)
def test_reads_what_dnspython_writes(name: dns.name.Name, kind: str, size: int | None, client: object) -> None:
    options = [dns.edns.ECSOption(str(client[0]), client[1])] if isinstance(client, tuple) else []
    message = dns.message.make_query(
        name,
        kind,
        use_edns=False if size is None else 0,
        payload=size or 0,
        options=options if size is not None else [],
    )
    data = message.to_wire()
    parsed = query(data)
    assert parsed.name == name.to_wire().lower()  # type: ignore[union-attr]
    assert parsed.type == dns.rdatatype.from_text(kind)
    assert (parsed.edns is None) == (size is None)
    if parsed.edns is not None and options:
        assert parsed.edns.client_subnet is not None
        assert parsed.edns.client_subnet.sent == options[0].to_wire()
