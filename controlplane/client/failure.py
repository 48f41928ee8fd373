"""What ends a command early, and with which exit status."""

from enum import IntEnum

from nearhop.errors import NearhopError


class Exit(IntEnum):
    """The exit statuses of every command; --help prints them."""

    OK = 0
    FAILED = 1  # refused, or ended in failure
    USAGE = 2  # wrong arguments or input
    UNREACHABLE = 4  # the control plane, or its store, does not answer


class Failure(NearhopError):
    """A command's end in failure: *what* happened, *why*, and what to *do* next; *reasons* are shown one a line."""

    def __init__(
        self, what: str, why: str = "", do: str = "", *, reasons: tuple[str, ...] = (), status: Exit = Exit.FAILED
    ) -> None:
        super().__init__(". ".join(part.rstrip(". ") for part in (what, why, do) if part))
        self.reasons = reasons
        self.status = status
