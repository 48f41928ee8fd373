"""Configuration files: TOML read once into one frozen dataclass, every error reported together.

Unknown keys are refused: a misspelt key must never pass for a default. Durations are float seconds; every other unit stands in the name.
"""

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError

from nearhop.errors import InvalidInput, Violation

T = TypeVar("T")


def load(path: Path, kind: type[T]) -> T:
    """Read *path* as a *kind*, a frozen dataclass.

    Raises InvalidInput with one violation for each wrong, missing or unknown key, and for a file that is not TOML; OSError when it cannot be read.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput([Violation(str(path), f"is not TOML: {error}")]) from error
    return parse(raw, kind)


def parse(raw: Mapping[str, Any], kind: type[T]) -> T:
    """Turn *raw* into a *kind*. Raises InvalidInput as load() does."""
    try:
        return TypeAdapter(_forbidding(kind)).validate_python(dict(raw))
    except ValidationError as error:
        raise InvalidInput(
            [
                Violation(".".join(str(part) for part in detail["loc"]) or "configuration", detail["msg"])
                for detail in error.errors()
            ]
        ) from error


def _forbidding(kind: type[T]) -> type[T]:
    # pydantic reads this attribute from each nested dataclass too.
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]  # every configuration is a dataclass
        for part in (field.type, *get_args(field.type)):  # a table that may be missing is a union with None
            if isinstance(part, type) and dataclasses.is_dataclass(part):
                _forbidding(part)
    kind.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]  # pydantic's documented hook
    return kind
