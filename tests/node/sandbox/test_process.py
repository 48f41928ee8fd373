import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.sandbox.process import Message, clean, parse


def test_reads_what_the_guest_says() -> None:
    assert parse(b'{"event":"ready"}') == Message("ready", "")
    assert parse(b'{"event":"listening"}') == Message("listening", "")
    assert parse(b'{"event":"failed","error":"a\\nb"}') == Message("failed", "a\nb")
    assert parse(b'{"event":"log","level":"info","message":"a\\nb"}') == Message("log", "info: a\\nb")
    thrown = b'{"event":"log","level":"error","message":"GET /","reason":"exception"}'
    assert parse(thrown) == Message("log", "error: GET /", "exception")
    assert parse(thrown.replace(b'"exception"', b"7")) == Message("log", "error: GET /")


@pytest.mark.parametrize(
    "line", [b"", b"hello", b"[]", b"1", b"[" * 100_000, b'{"event":"failed"}', b'{"event":"ready']
)
def test_ignores_what_is_not_the_guests(line: bytes) -> None:
    assert parse(line) is None


def test_nothing_drives_a_terminal() -> None:
    assert clean("\x1b[31mred\r\n\u202e") == "\\x1b[31mred\\r\\n\\u202e"
    assert len(clean("x" * 9000)) == 4096


@given(st.binary(max_size=200))
def test_any_line_is_survived(line: bytes) -> None:
    parse(line)


@given(st.text(max_size=100))
def test_any_log_is_printable(text: str) -> None:
    message = parse(json.dumps({"event": "log", "level": "info", "message": text}).encode())
    assert message is not None
    assert message.text.isprintable()
