"""What is kept of a message that a program, or the guest for it, has printed. The rest of the runner is tested with the pool."""

import pytest

from node.sandbox.process import Message
from node.sandbox.runner import entry


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        (Message("log", "info: hello: world"), ("info", "hello: world", "")),
        (Message("log", "error: GET /", "exception"), ("error", "GET /", "exception")),
        (
            Message("log", "limit: exceeded_body: too much", "other"),
            ("limit", "exceeded_body: too much", "exceeded_body"),
        ),
        (Message("log", "shout: hello"), ("info", "hello", "")),
        (Message("log", "error: x", "r" * 100), ("error", "x", "r" * 64)),
    ],
)
def test_an_entry_has_a_level_a_text_and_a_reason(message: Message, kept: tuple[str, str, str]) -> None:
    assert entry(message) == kept
