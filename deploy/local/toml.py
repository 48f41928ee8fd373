"""Writing TOML: the few kinds of value that a part's configuration has."""

import json
from collections.abc import Mapping, Sequence

Simple = str | int | float | bool | Sequence[str]
Table = Mapping[str, Simple]
Value = Simple | Table


def render(values: Mapping[str, Value]) -> str:
    """Return *values* as a TOML document that reads back to the same."""
    return "".join(f"{key} = {_value(value)}\n" for key, value in values.items())


def _value(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            # A basic string is JSON's but for DEL, which it does not allow.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case Mapping():
            return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
        case _:
            return "[" + ", ".join(_value(item) for item in value) + "]"
