"""Foreign text on a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.client import show


@given(st.text())
def test_nothing_that_steers_a_terminal_gets_through(text: str) -> None:
    shown = show.printable(text)
    assert all(char.isprintable() or char == "\n" for char in shown)
    assert show.line(text).isprintable()
    shown.encode()


@given(st.text(st.characters(categories=["L", "N", "P"])))
def test_ordinary_text_is_not_changed(text: str) -> None:
    assert show.printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\nb", "a\nb"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("abc\u202egpj.exe", r"abc\u202egpj.exe"),
        ("a\u200bb", r"a\u200bb"),
        ("\ud800", r"\ud800"),
        ("tab\there", r"tab\there"),
        ("東京 é", "東京 é"),
    ],
)
def test_what_hides_is_shown(text: str, shown: str) -> None:
    assert show.printable(text) == shown


def test_lines_are_indented_together() -> None:
    assert show.indented("a\nb\x1b", "  ") == "  a\n  b\\x1b"
