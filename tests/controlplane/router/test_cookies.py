"""Cookies against the examples of RFC 9018 appendix A, and what is not believed."""

import ipaddress

import pytest

from controlplane.router.cookies import AHEAD_S, OLD_S, RENEW_S, Cookies, read_secrets, siphash

SECRET = bytes.fromhex("e5e973e5a6b2a43f48e7dc849e37bfcf")
CLIENT = ipaddress.ip_address("198.51.100.100").packed
COOKIE = bytes.fromhex("2464c4abcf10c957010000005cf79f111f8130c3eee29480")
MADE_AT = 0x5CF79F11


@pytest.mark.parametrize(("secrets", "client", "now", "sent", "answer"), [
    pytest.param([SECRET.hex()], "198.51.100.100", 1559731985, "2464c4abcf10c957", COOKIE.hex(), id="a new one"),
    pytest.param([SECRET.hex()], "198.51.100.100", 1559734385, COOKIE.hex(),
                 "2464c4abcf10c957010000005cf7a871d4a564a1442aca77", id="an aging one is renewed"),
    pytest.param([SECRET.hex()], "203.0.113.203", 1559734700, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
                 "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e", id="reserved octets are part of the hash"),
    pytest.param(["445536bcd2513298075a5d379663c962", "dd3bdf9344b678b185a6f5cb60fca715"], "2001:db8:220:1:59de:d0f4:8769:82b8", 1559741961,
                 "22681ab97d52c298010000005cf7c57926556bd0934c72f8", "22681ab97d52c298010000005cf7c609a6bb79d16625507a", id="a rolled secret"),
])  # fmt: skip
def test_c4_the_examples_of_the_rfc(secrets: list[str], client: str, now: int, sent: str, answer: str) -> None:
    cookies = Cookies([bytes.fromhex(secret) for secret in secrets])
    packed = ipaddress.ip_address(client).packed
    assert cookies.answer(bytes.fromhex(sent), packed, now).hex() == answer
    assert cookies.is_good(bytes.fromhex(answer), packed, now)


def test_siphash_is_that_of_its_paper() -> None:
    """Appendix A of Aumasson and Bernstein 2012."""
    assert siphash(bytes(range(16)), bytes(range(15))) == (0xA129CA6149BE45E5).to_bytes(8, "little")


@pytest.mark.parametrize(
    ("age", "good"), [(0, True), (OLD_S, True), (OLD_S + 1, False), (-AHEAD_S, True), (-AHEAD_S - 1, False)]
)
def test_c3_time_is_believed_within_bounds(age: int, good: bool) -> None:
    assert Cookies([SECRET]).is_good(COOKIE, CLIENT, MADE_AT + age) is good


@pytest.mark.parametrize("cookie", [
    COOKIE[:8], COOKIE[:-1], COOKIE + b"\0", COOKIE[:8] + b"\x02" + COOKIE[9:], COOKIE[:-1] + b"\0", b"\0" + COOKIE[1:],
])  # fmt: skip
def test_c3_what_we_did_not_make_is_not_good(cookie: bytes) -> None:
    assert not Cookies([SECRET]).is_good(cookie, CLIENT, MADE_AT)


def test_c3_another_address_or_secret_is_not_good() -> None:
    assert not Cookies([SECRET]).is_good(COOKIE, b"\xc6\x33\x64\x65", MADE_AT)
    assert not Cookies([b"x" * 16]).is_good(COOKIE, CLIENT, MADE_AT)


def test_a_young_cookie_stays_and_one_from_the_future_does_not() -> None:
    cookies = Cookies([SECRET])
    assert cookies.answer(COOKIE, CLIENT, MADE_AT + RENEW_S - 1) == COOKIE
    assert cookies.answer(COOKIE, CLIENT, MADE_AT + RENEW_S) != COOKIE
    assert cookies.answer(COOKIE, CLIENT, MADE_AT - 1) != COOKIE


def test_the_clock_of_a_cookie_wraps() -> None:
    cookies = Cookies([SECRET])
    late = cookies.answer(b"clientid", CLIENT, 0xFFFFFFFF)
    assert cookies.is_good(late, CLIENT, 0x1_0000_0000 + 100)


def test_secrets_are_read() -> None:
    assert read_secrets(f"{'ab' * 16}\n{'cd' * 16}\n") == [b"\xab" * 16, b"\xcd" * 16]


@pytest.mark.parametrize("text", ["", "ab", "zz" * 16, "ab" * 17])
def test_bad_secrets_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_secrets(text)
