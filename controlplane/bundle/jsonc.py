"""JSON with comments and last commas, as the platforms' tools read it, and TOML. Pure; linear in the text's length."""

import json
import re
import tomllib
from typing import Any

from controlplane.bundle.errors import UnusableSource

TEXT_MAX = 1 << 20
# A string, which is kept; a comment, or a comma before a closing bracket (comments between them are gone by then), which are not JSON. What
# never ends is taken to the end of the text, so that nothing is looked at twice.
_STRING = r'("(?:\\.|[^"\\])*"?)'
_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_LAST_COMMA = re.compile(rf"{_STRING}|,(?=\s*[}}\]])", re.DOTALL)


def parse(file: str, text: str) -> dict[str, Any]:
    """Return the table that the configuration *text* holds; *file*'s suffix tells its form. Raises UnusableSource."""
    if len(text) > TEXT_MAX:
        raise UnusableSource(f"{file} has {len(text):,} characters; at most {TEXT_MAX:,} are read")
    form = "TOML" if file.endswith(".toml") else "JSON"
    try:
        value = tomllib.loads(text) if form == "TOML" else json.loads(_plain(text))
    except (ValueError, RecursionError) as error:
        raise UnusableSource(f"{file} is not {form}: {error}") from error
    if not isinstance(value, dict):
        raise UnusableSource(f"{file} is not a JSON object")
    return value


def _plain(text: str) -> str:
    for pattern in (_COMMENT, _LAST_COMMA):
        text = pattern.sub(lambda match: match[1] or " ", text.removeprefix("\ufeff"))
    return text
