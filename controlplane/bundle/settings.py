"""What a project's files say beside the program, in Nearhop's words; and the reading of their keys. Pure.

Every key ends in one of four ways: it is honored, it is of no meaning for what runs, it is named in a warning, or, when leaving it out would
change what the program does, in an error. All errors of a file are told at once.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from controlplane.bundle.errors import UnusableSource
from nearhop.spec import EdgeRoute, RateLimiter


@dataclass(frozen=True, slots=True)
class AssetSettings:
    """A folder of static files; *directory* is relative to the project's root."""

    directory: str
    binding: str = ""
    html_handling: str = "auto-trailing-slash"
    not_found_handling: str = "none"
    program_first: bool = False
    program_first_paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything of a project but its program's text."""

    name: str | None = None
    main: str | None = None
    vars: Mapping[str, str] = field(default_factory=dict)
    crons: tuple[str, ...] = ()
    calls: tuple[tuple[str, str], ...] = ()  # schedule, path: of crons that ask for a path
    routing: Mapping[str, Any] | None = (
        None  # redirects, rewrites and headers that the program follows before its own code
    )
    rate_limiters: tuple[RateLimiter, ...] = ()
    assets: AssetSettings | None = None
    hostnames: tuple[str, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()  # hostname, path prefix
    cpu_ms: int = 0  # 0: not said
    subrequests: int = 0
    version_binding: str = ""
    compatibility_date: str = ""
    compatibility_flags: tuple[str, ...] = ()
    matchers: tuple[str, ...] = ()
    edge_routes: tuple[EdgeRoute, ...] = ()
    warnings: tuple[str, ...] = ()


class Keys:
    """One table of the configuration *file*, read key by key; rest() judges the keys that were not read."""

    def __init__(self, file: str, table: Mapping[str, Any], *, at: str = "", top: "Keys | None" = None) -> None:
        self.file = file
        self._table = table
        self._at = at
        self._read: set[str] = set()
        self.errors: list[str] = top.errors if top else []
        self.warnings: list[str] = top.warnings if top else []

    def error(self, key: str, reason: str) -> None:
        """Note that *key* is wrong."""
        self.errors.append(f"{self.file}: {self._at}{key}: {reason}")

    def warn(self, key: str, reason: str) -> None:
        """Note that *key* is not honored."""
        self.warnings.append(f"{self.file}: {self._at}{key}: {reason}")

    def raise_if_any(self) -> None:
        """Raise UnusableSource with every error."""
        if self.errors:
            raise UnusableSource("\n".join(dict.fromkeys(self.errors)))

    def any(self, key: str) -> Any:
        """Return *key*'s value, None when there is none."""
        self._read.add(key)
        return self._table.get(key)

    def text(self, key: str) -> str | None:
        """Return *key*'s text, None when there is none."""
        value: str | None = self._of(key, lambda value: isinstance(value, str) and bool(value), "must be a text")
        return value

    def flag(self, key: str) -> bool | None:
        """Return whether *key* is true, None when there is none."""
        value: bool | None = self._of(key, lambda value: isinstance(value, bool), "must be true or false")
        return value

    def count(self, key: str) -> int | None:
        """Return *key*'s positive whole number, None when there is none."""
        fits = lambda value: type(value) is int and 0 < value < 1 << 31  # noqa: E731
        value: int | None = self._of(key, fits, "must be a positive whole number")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return *key*'s list of texts, an empty one when there is none."""
        fits = lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value)  # noqa: E731
        return tuple(self._of(key, fits, "must be a list of texts") or ())

    def one_of(self, key: str, choices: Iterable[str]) -> str | None:
        """Return which of *choices* *key* is, None when there is none."""
        choices = tuple(choices)
        fits = lambda value: isinstance(value, str) and value in choices  # noqa: E731
        value: str | None = self._of(key, fits, f"must be one of {', '.join(choices)}")
        return value

    def table(self, key: str) -> "Keys | None":
        """Return *key*'s table, None when there is none."""
        value = self._of(key, lambda value: isinstance(value, dict), "must be a table")
        return None if value is None else Keys(self.file, value, at=f"{self._at}{key}.", top=self)

    def tables(self, key: str) -> list["Keys"]:
        """Return *key*'s list of tables, an empty one when there is none."""
        fits = lambda value: isinstance(value, list) and all(isinstance(item, dict) for item in value)  # noqa: E731
        values = self._of(key, fits, "must be a list of tables") or []
        return [Keys(self.file, value, at=f"{self._at}{key}[{number}].", top=self) for number, value in enumerate(values)]  # fmt: skip

    def _of(self, key: str, fits: Callable[[Any], bool], reason: str) -> Any:
        value = self.any(key)
        if value is None or fits(value):
            return value
        self.error(key, reason)
        return None

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return every key with its value."""
        return self._table.items()

    def present(self, key: str) -> bool:
        """Tell whether *key* says anything: an empty list or table does not."""
        return self._table.get(key) not in (None, [], {}, False)

    def rest(self, *, meaningful: Mapping[str, str], silent: Iterable[str] = ()) -> None:
        """Judge the keys not read yet: those of *meaningful* are errors with its reason, *silent* ones nothing, the others warnings."""
        for key in self._table:
            if key in self._read or key in silent or not self.present(key):
                continue
            if key in meaningful:
                self.error(key, meaningful[key])
            else:
                self.warn(key, "is not honored here")
