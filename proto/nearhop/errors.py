"""The errors that any part may raise about what it was given, whoever gave it.

Only the API layer turns them into a gRPC status, by one table; everywhere else they are Python exceptions that name the field and the reason.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with an input: *field* is its dotted path, *reason* a sentence for the person who wrote it."""

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class NearhopError(Exception):
    """Root of every error that Nearhop raises on purpose."""


class InvalidInput(NearhopError):
    """An input that was refused whole; it carries every violation, not only the first."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("; ".join(str(violation) for violation in violations))
        self.violations = violations


class EngineMissing(NearhopError):
    """A native engine (etcd, HAProxy, Deno) is not installed; the message says how to get it."""
