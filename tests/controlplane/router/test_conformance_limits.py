"""DNS behaviour by row, over real sockets: C (cookies), X (extended errors), T (TCP), S (security); T1 has more in test_tcp.py."""

import contextlib
import gc
import ipaddress
import os
import random
import resource
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.geoip import CityDatabase
from controlplane.model import FleetView, Verdict
from controlplane.router import wire
from controlplane.router.__main__ import calm_collector
from controlplane.router.cookies import Cookies
from controlplane.router.rates import RateLimit
from controlplane.router.responder import Offer, Responder
from controlplane.router.tcp import TcpLimits
from controlplane.steering import FleetIndex
from nearhop.errors import InvalidInput
from tests.controlplane.router.citydb import write_city_database
from tests.controlplane.router.test_conformance import (
    FUNCTIONS,
    HELLO,
    NODES,
    RESOLVER,
    ZONE,
    addresses,
    ask,
    client_subnet,
    locate,
    opt,
    raw,
    send,
)  # fmt: skip
from tests.controlplane.router.wired import Wired, read_framed

SECRET = b"0123456789abcdef"
INDEX = FleetIndex.of(FleetView(42, ZONE, NODES, FUNCTIONS))
UP = {node.id: Verdict.UP for node in NODES}
FUZZED = int(os.environ.get("NEARHOP_FUZZ", "30000"))  # messages; 10^7 take six minutes
Make = Callable[..., Wired]


@pytest.fixture
def make() -> Iterator[Make]:
    """Serve as told, with a view, until the test's end."""
    with contextlib.ExitStack() as stack:

        def made(**options: object) -> Wired:
            served = stack.enter_context(Wired(ZONE, locate, [ipaddress.ip_address("192.0.2.53")], **options))
            served.publish(INDEX, UP)
            return served

        yield made


def option(code: int, data: bytes = b"") -> bytes:
    return struct.pack("!HH", code, len(data)) + data


def with_options(*options: bytes, name: bytes = b"\x05hello\x04edge\x07example\x03org\x00", kind: int = 1) -> bytes:
    return raw(name, kind, counts=(1, 0, 0, 1), rest=opt(options=b"".join(options)))


def cookie_of(message: dns.message.Message) -> bytes:
    (found,) = [one for one in message.options if isinstance(one, dns.edns.CookieOption)]
    return bytes(found.client + found.server)


def errors_of(message: dns.message.Message) -> list[int]:
    return [one.code for one in message.options if isinstance(one, dns.edns.EDEOption)]


# --- C: cookies ---


def test_c1_a_client_cookie_gets_a_server_cookie_and_the_answer(make: Make) -> None:
    served = make(offer=Offer(cookies=Cookies([SECRET])))
    for tcp in (False, True):
        message = send(served, with_options(option(10, b"clientid")), tcp=tcp)
        cookie = cookie_of(message)
        assert (len(cookie), cookie[:8]) == (24, b"clientid")
        assert addresses(message) == ["192.0.2.1"]
        assert cookie_of(send(served, with_options(option(10, cookie)), tcp=tcp)) == cookie
    assert cookie_of(send(served, with_options(option(10, b"clientid"), name=b"\x03www\0"))) != b""


@pytest.mark.parametrize("length", [0, 1, 7, 9, 15, 41, 100])
def test_c2_a_cookie_of_an_impossible_length_is_formerr(make: Make, length: int) -> None:
    served = make(offer=Offer(cookies=Cookies([SECRET])))
    assert send(served, with_options(option(10, b"x" * length))).rcode() == dns.rcode.FORMERR


@pytest.mark.parametrize("cookie", [b"c" * 16, b"c" * 40, b"clientid" + b"\x01\0\0\0" + bytes(12)])
def test_c3_a_wrong_cookie_gets_a_new_one_and_the_answer(make: Make, cookie: bytes) -> None:
    served = make(offer=Offer(cookies=Cookies([SECRET])))
    message = send(served, with_options(option(10, cookie)))
    assert cookie_of(message)[:8] == cookie[:8]
    assert cookie_of(message) != cookie
    assert addresses(message) == ["192.0.2.1"]


def test_c3_badcookie_only_under_attack_and_never_over_tcp(make: Make) -> None:
    served = make(offer=Offer(cookies=Cookies([SECRET])), rates=RateLimit(5, 1))
    query = with_options(option(10, b"clientid"))
    replies = [send(served, query) for _ in range(8)]
    assert [message.rcode() for message in replies] == [dns.rcode.NOERROR] * 5 + [dns.rcode.BADCOOKIE] * 3
    assert replies[-1].answer == []
    good = with_options(option(10, cookie_of(replies[-1])))
    assert addresses(send(served, good)) == ["192.0.2.1"]
    assert addresses(send(served, query, tcp=True)) == ["192.0.2.1"]


def test_c3_an_expired_cookie_is_replaced(make: Make) -> None:
    now = [1_000_000.0]
    served = make(offer=Offer(cookies=Cookies([SECRET])), wall_clock=lambda: now[0])
    cookie = cookie_of(send(served, with_options(option(10, b"clientid"))))
    now[0] += 3601
    assert cookie_of(send(served, with_options(option(10, cookie)))) != cookie


def test_c4_servers_with_one_secret_believe_each_other_and_a_secret_rolls(make: Make) -> None:
    new = b"fedcba9876543210"
    times = {"wall_clock": lambda: 1_000_000.0}
    old, both, rolled = (make(offer=Offer(cookies=Cookies(secrets)), rates=RateLimit(1, 1), **times)
                         for secrets in ([SECRET], [SECRET, new], [new, SECRET]))  # fmt: skip
    # All are asked from one address.
    for served in (both, rolled):
        served.alias = old.alias  # type: ignore[method-assign]
    cookie = cookie_of(send(old, with_options(option(10, b"clientid"))))
    for served in (both, rolled):
        limited = [send(served, raw()), send(served, with_options(option(10, b"clientid")))]
        assert [message.rcode() for message in limited] == [dns.rcode.NOERROR, dns.rcode.BADCOOKIE]
        message = send(served, with_options(option(10, cookie)))
        assert message.rcode() == dns.rcode.NOERROR
        assert (cookie_of(message) == cookie) is (served is both)


# --- X: extended errors ---


def test_x1_refused_says_why(make: Make) -> None:
    served = make()
    assert errors_of(send(served, with_options(name=b"\x03www\0"))) == [20]
    assert errors_of(send(served, with_options(kind=252), tcp=True)) == [18]
    assert errors_of(ask(served)) == []
    assert send(served, raw(b"\x03www\0")).edns == -1


def test_x1_no_healthy_node_is_no_reachable_authority(make: Make) -> None:
    served = make()
    served.publish(INDEX, dict.fromkeys(UP, Verdict.DOWN))
    message = ask(served)
    assert (addresses(message), errors_of(message)) == (["192.0.2.1"], [22])
    assert errors_of(ask(served, f"nowhere.{ZONE}")) == [22]
    served.publish(INDEX, UP)
    assert errors_of(ask(served)) == []


def test_x1_without_a_control_plane_answers_say_that_they_may_be_stale(make: Make) -> None:
    served = make()
    served.responder.tell_stale(True)
    for _ in range(2):
        message = ask(served, ecs="203.0.113.0/24")
        assert (addresses(message), errors_of(message)) == (["192.0.2.3"], [3])
    served.responder.tell_stale(False)
    assert errors_of(ask(served)) == []


def test_x1_before_the_first_view_the_server_is_not_ready() -> None:
    with Wired(ZONE, locate) as served:
        message = ask(served)
        assert (message.rcode(), errors_of(message)) == (dns.rcode.SERVFAIL, [14])


# --- NSID and what else an operator asks ---


def test_nsid_is_told_to_those_who_ask(make: Make) -> None:
    served = make(offer=Offer(nsid=b"r1"))
    (found,) = send(served, with_options(option(3))).options
    assert isinstance(found, dns.edns.NSIDOption)
    assert found.nsid == b"r1"
    assert list(send(served, with_options()).options) == []
    assert list(send(make(), with_options(option(3))).options) == []


# --- T: TCP ---


def test_t1_pieces_pipelines_and_lengths(make: Make) -> None:
    served = make()
    query = raw()
    framed = len(query).to_bytes(2) + query
    with served.client(socket.SOCK_STREAM, RESOLVER) as sock:
        for octet in framed:
            sock.sendall(bytes([octet]))
        assert read_framed(sock) is not None
        sock.sendall(framed * 3)
        assert all(read_framed(sock) for _ in range(3))
        long = query.ljust(65535, b"\0")
        sock.sendall(len(long).to_bytes(2) + long)
        assert dns.message.from_wire(read_framed(sock) or b"").rcode() == dns.rcode.NOERROR
        sock.sendall(b"\0\0")
        assert read_framed(sock) is None


def test_t2_idle_connections_go_and_udp_does_not_notice(make: Make) -> None:
    served = make(limits=TcpLimits(idle_s=30, connections=40, connections_per_client=15))
    with contextlib.ExitStack() as stack:
        idle = []
        for number in range(100):
            sock = stack.enter_context(served.client(socket.SOCK_STREAM, f"198.51.100.{number // 10}"))
            sock.sendall(b"\0\x40half")  # a length, and too little of the message
            idle.append(sock)
        begin = time.monotonic()
        assert addresses(ask(served)) == ["192.0.2.1"]
        assert addresses(ask(served, tcp=True)) == ["192.0.2.1"]
        assert time.monotonic() - begin < 1
        assert served.tcp.connections <= 40
        assert served.events["tcp_evicted"] >= 60
        greedy = [stack.enter_context(served.client(socket.SOCK_STREAM, "192.0.2.200")) for _ in range(16)]
        assert read_framed(greedy[-1]) is None
        assert served.events["tcp_refused"] == 1


def test_t3_keepalive_is_ignored_over_udp_and_told_over_tcp(make: Make) -> None:
    served = make(offer=Offer(keepalive_s=12.0))
    query = with_options(option(11))
    message = send(served, query)
    assert (addresses(message), list(message.options)) == (["192.0.2.1"], [])
    (found,) = send(served, query, tcp=True).options
    assert (found.otype, found.to_wire()) == (11, (120).to_bytes(2))
    assert list(send(served, with_options(), tcp=True).options) == []


# --- S: security ---


def test_s1_who_asks_too_much_is_sent_to_tcp_and_nobody_else_notices(make: Make) -> None:
    served = make(rates=RateLimit(10, 2))
    query = raw()
    with served.client(socket.SOCK_DGRAM, RESOLVER) as sock:
        for _ in range(60):
            sock.send(query)
        replies = [dns.message.from_wire(sock.recv(4096)) for _ in range(10 + 25)]
    answered = [message for message in replies if message.answer]
    slipped = [message for message in replies if message.flags & dns.flags.TC]
    assert (len(answered), len(slipped)) == (10, 25)
    assert all(len(message.to_wire()) <= len(query) for message in slipped)
    assert served.counts["rate_limited"] == 25
    assert addresses(ask(served, tcp=True)) == ["192.0.2.1"]
    # Aliases of one /24 share a limit, so another network is asked for without a socket.
    other = served.responder.respond(query, "203.0.113.9", tcp=False)
    assert other is not None
    assert addresses(dns.message.from_wire(other)) == ["192.0.2.3"]


def test_s1_replies_without_a_cookie_are_bounded(make: Make) -> None:
    served = make(offer=Offer(cookies=Cookies([SECRET]), udp_size_without_cookie=512))
    query = dns.message.make_query(f"wide.{ZONE}", "NS", payload=4096)
    for kind in ("A", "AAAA", "NS", "ANY", "TXT"):
        for name in (HELLO, ZONE, f"wide.{ZONE}", f"none.{ZONE}"):
            query = dns.message.make_query(name, kind, payload=4096).to_wire()
            reply = served.respond(query, RESOLVER, tcp=False)
            assert reply is not None
            assert len(reply) <= 512
            assert len(reply) <= 4 * len(query)


def test_s1_a_known_client_gets_all_that_fits(make: Make) -> None:
    served = make(offer=Offer(cookies=Cookies([SECRET]), udp_size_without_cookie=512))
    aaaa = b"\x05alone\x04edge\x07example\x03org\x00"
    cookie = cookie_of(send(served, with_options(option(10, b"clientid"), name=aaaa, kind=28)))
    assert served.responder._is_known(  # the cap is lifted for it
        wire.parse(with_options(option(10, cookie))),  # type: ignore[arg-type]
        served.alias(RESOLVER),
    )


def test_s2_random_names_are_answered_by_one_rule(make: Make) -> None:
    """However long the name, one look for each label; nothing is kept of it (see also test_s2_random_names_leave_nothing_behind)."""
    responder = make().responder
    labels = b"\x01a" * 110 + b"\x04edge\x07example\x03org\x00"
    begin = time.process_time()
    for _ in range(200):
        assert responder.respond(raw(labels), RESOLVER, tcp=False) is not None
    assert time.process_time() - begin < 0.5
    assert (len(responder._templates), len(responder._answers)) == (0, 0)


@pytest.mark.parametrize("port", [7, 13, 19, 37, 53])
def test_s3_ports_of_services_that_answer_anything_get_nothing(make: Make, port: int) -> None:
    served = make()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((served.alias(RESOLVER), port))
        except PermissionError:
            pytest.skip("ports below 1024 need a privilege that this process does not have")
        sock.connect(served.at)
        sock.send(raw())
        ask(served)
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(512)
    assert served.events["udp_reflected"] == 1


def test_s3_a_query_from_our_own_address_is_dropped(make: Make) -> None:
    served = make()
    served.udp._sock.sendto(raw(), served.at)
    ask(served)
    assert served.events["udp_reflected"] == 1
    assert served.counts["udp"] == 1


SEEDS = [
    raw(), raw(kind=28), raw(kind=65), raw(b"\x04edge\x07example\x03org\x00", 6), with_options(), with_options(option(10, b"clientid")),
    with_options(client_subnet(1, 24, 0, b"\xcb\0\x71")), with_options(client_subnet(2, 56, 0, b"\x20\x01\x0d\xb8\0\x61\1")),
    with_options(option(10, b"clientid"), client_subnet(1, 24, 0, b"\xcb\0\x71")), with_options(option(3), option(11), option(65001, b"abc")),
    with_options(client_subnet(1, 0, 0, b"")), with_options(client_subnet(1, 24, 0, b"\x0a\0\x71")),
]  # fmt: skip


def mutated(rng: random.Random) -> bytes:
    data = bytearray(rng.choice(SEEDS))
    for _ in range(rng.randint(0, 3)):
        at = rng.randrange(len(data) or 1)
        match rng.randrange(6):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del data[at : at + rng.randint(1, 8)]
            case 2:
                data[at:at] = rng.randbytes(rng.randint(1, 8))
            case 3:
                data += rng.choice(SEEDS)[12:]
            case 4:
                data[at : at + 1] = bytes([data[at] ^ 0x20]) if at < len(data) else b""
            case _:
                data[at : at + 2] = rng.choice((b"\0\0", b"\xff\xff", b"\xc0\x0c", b"\0\1"))
    return bytes(data)


def quiet(zone: str = ZONE) -> Responder:
    made = Responder(zone, locate, lambda: 0.0, offer=Offer(cookies=Cookies([SECRET])), wall_clock=lambda: 1e6)
    made.publish(INDEX, UP)
    return made


@pytest.fixture
def collector_as_in_a_router() -> Iterator[None]:
    """So that no walk through all that the tests have made counts as a slow reply."""
    before = gc.get_threshold()
    calm_collector()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("collector_as_in_a_router")
def test_s4_mutated_messages_harm_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """No exception, no hang, no growth, no line in the log; and what is prepared says the same as what is not."""
    rng = random.Random(8484)
    responder, plain = quiet(), quiet()
    for seed in SEEDS:
        responder.respond(seed, RESOLVER, tcp=False)
    slowest = 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(FUZZED):
        data = mutated(rng)
        begin = time.thread_time()
        reply = responder.respond(data, RESOLVER, tcp=False)
        slowest = max(slowest, time.thread_time() - begin)
        plain._templates.forget()
        assert reply == plain.respond(data, RESOLVER, tcp=False), data.hex()
        if reply is not None:
            assert len(reply) <= 1232
        if number % 1000 == 0:
            responder.relocate(locate)  # so that shapes are learned from mutated messages too
    assert slowest < 0.1
    assert responder.counts["errors"] == 0
    assert caplog.records == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before * 1.05 + 20_000


@given(st.binary(max_size=600))
@settings(max_examples=300, deadline=None)
def test_s4_any_bytes_are_answered_alike_with_and_without_preparation(data: bytes) -> None:
    warm, cold = WARM, COLD
    cold._templates.forget()
    assert warm.respond(data, RESOLVER, tcp=False) == cold.respond(data, RESOLVER, tcp=False)


WARM, COLD = quiet(), quiet()
for _seed in SEEDS:
    WARM.respond(_seed, RESOLVER, tcp=False)


def test_s4_over_the_socket_the_server_stays(make: Make) -> None:
    served = make(offer=Offer(cookies=Cookies([SECRET])))
    rng = random.Random(5353)
    with served.client(socket.SOCK_DGRAM, RESOLVER) as sock:
        sock.setblocking(False)
        for _ in range(3000):
            with contextlib.suppress(BlockingIOError):
                sock.send(mutated(rng))
            with contextlib.suppress(BlockingIOError):
                sock.recv(4096)
    assert addresses(ask(served)) == ["192.0.2.1"]
    assert served.counts["errors"] == 0


def test_s5_views_change_under_load_and_every_answer_is_of_one_of_them(make: Make) -> None:
    served = make()
    down = {**UP, "tokyo-1": Verdict.DOWN}
    seen = set()
    for number in range(300):
        served.publish(INDEX, down if number % 2 else UP)
        message = ask(served, ecs="203.0.113.0/24")
        seen.add((*addresses(message), message.answer[0].ttl))
    assert seen == {("192.0.2.3", 30), ("192.0.2.2", 5)}


def test_s5_a_new_map_is_taken_whole_and_a_bad_one_never(make: Make, tmp_path: Path) -> None:
    served = make()
    assert addresses(ask(served, ecs="203.0.113.0/24")) == ["192.0.2.3"]
    moved = write_city_database(tmp_path / "city.mmdb", {"203.0.113.0/24": (51.5, -0.1)})
    database = CityDatabase.open(moved)
    served.responder.relocate(database.locate)
    assert addresses(ask(served, ecs="203.0.113.0/24")) == ["192.0.2.1"]
    bad = tmp_path / "bad.mmdb"
    bad.write_bytes(moved.read_bytes()[:-200])
    with pytest.raises(InvalidInput):
        CityDatabase.open(bad)
    assert addresses(ask(served, ecs="203.0.113.0/24")) == ["192.0.2.1"]
    database.close()
