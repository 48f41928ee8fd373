from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.egress.request import BadRequest, Request, literal, parse


def test_connect() -> None:
    assert parse(b"CONNECT a.example.org:443 HTTP/1.1\r\nhost: b.example.org") == Request(
        "a.example.org", 443, tunnel=True, tls=False, head=b""
    )
    assert parse(b"CONNECT [2606:4700::1]:8443 HTTP/1.1").host == "2606:4700::1"


def test_absolute_form_becomes_origin_form_of_the_same_host() -> None:
    request = parse(
        b"POST http://a.example.org:8080/x?y=1 HTTP/1.1\r\nHost: evil.example.org\r\nConnection: x-hop, keep-alive\r\n"
        b"X-Hop: 1\r\nProxy-Authorization: z\r\nContent-Length: 3\r\nX-Kept: v"
    )
    assert (request.host, request.port, request.tunnel, request.tls) == ("a.example.org", 8080, False, False)
    assert request.head == (
        b"POST /x?y=1 HTTP/1.1\r\nhost: a.example.org:8080\r\ncontent-length: 3\r\nx-kept: v\r\nconnection: close\r\n\r\n"
    )


def test_paths_and_ports_that_are_left_out() -> None:
    assert parse(b"GET http://a.example.org HTTP/1.1").head.startswith(b"GET / HTTP/1.1\r\n")
    assert parse(b"GET http://a.example.org?x HTTP/1.1").head.startswith(b"GET /?x HTTP/1.1\r\n")
    assert parse(b"GET http://[::1]/ HTTP/1.1").port == 80


def test_an_upgrade_stays_one() -> None:
    request = parse(b"GET http://a.example.org/ HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket")
    assert b"upgrade: websocket\r\nconnection: upgrade\r\n" in request.head


def test_an_https_target_is_for_the_proxy_to_encrypt() -> None:
    request = parse(b"GET https://a.example.org/x HTTP/1.1")
    assert (request.port, request.tls, request.tunnel) == (443, True, False)
    assert request.head.startswith(b"GET /x HTTP/1.1\r\nhost: a.example.org\r\n")
    assert parse(b"GET https://a.example.org:8443/ HTTP/1.1").port == 8443


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET / HTTP/1.1",
        b"GET ftp://a.example.org/ HTTP/1.1",
        b"GET http://a.example.org/ HTTP/2",
        b"GET http://user@a.example.org/ HTTP/1.1",
        b"GET http://a.example.org:x/ HTTP/1.1",
        b"GET http://a.example.org:123456/ HTTP/1.1",
        b"GET http://[::1/ HTTP/1.1",
        b"GET http://[fe80::1%eth0]/ HTTP/1.1",
        b"GET http://[zz]/ HTTP/1.1",
        b"GET http://a_\xff/ HTTP/1.1",
        b"CONNECT a.example.org HTTP/1.1",
        b"CONNECT a.example.org: HTTP/1.1",
        b"CONNECT /run/etcd.sock HTTP/1.1",
        b"G T http://a.example.org/ HTTP/1.1",
        b"(GET) http://a.example.org/ HTTP/1.1",
        b"GET http://a.example.org/ HTTP/1.1\r\n folded",
        b"GET http://a.example.org/ HTTP/1.1\r\nx : y",
        b"GET http://a.example.org/ HTTP/1.1\r\nx: y\nHost: z",
        b"GET http://a.example.org/ HTTP/1.1" + b"\r\na: b" * 129,
    ],
)
def test_everything_else_is_refused(head: bytes) -> None:
    with pytest.raises(BadRequest):
        parse(head)


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(head: bytes) -> None:
    try:
        request = parse(head)
    except BadRequest:
        return
    assert request.host


def test_literals() -> None:
    assert literal("127.0.0.1") == ip_address("127.0.0.1")
    assert literal("::1") == ip_address("::1")
    for text in ("0177.0.0.1", "127.1", "2130706433", "localhost", "0x7f.1"):
        assert literal(text) is None
