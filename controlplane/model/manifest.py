"""What a version brings with it beside its module: read from the project's files at deploy time, and as immutable as the module."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class HtmlHandling(StrEnum):
    """What a path without a file of its name means."""

    AUTO_TRAILING_SLASH = "auto_trailing_slash"
    FORCE_TRAILING_SLASH = "force_trailing_slash"
    DROP_TRAILING_SLASH = "drop_trailing_slash"
    NONE = "none"


class NotFoundHandling(StrEnum):
    """What is answered when no file fits and no program is asked."""

    NONE = "none"
    PAGE_404 = "404_page"
    SINGLE_PAGE_APPLICATION = "single_page_application"


@dataclass(frozen=True, slots=True)
class Assets:
    """Static files of a version; *digest* is that of the pack, *binding* the name under which the program reaches them, empty for none."""

    digest: str
    size_bytes: int
    binding: str = ""
    html_handling: HtmlHandling = HtmlHandling.AUTO_TRAILING_SLASH
    not_found_handling: NotFoundHandling = NotFoundHandling.NONE
    program_first: bool = False
    program_first_paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RateLimiter:
    """A binding that counts a key's calls on one node: *limit* of them in *period_s* seconds."""

    name: str
    limit: int
    period_s: int


@dataclass(frozen=True, slots=True)
class EdgeRoute:
    """Which export of the bundle holds the module that answers a path pattern."""

    path: str
    export: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """See the contract's message of this name. Empty *secrets* means all of the function's, empty *matchers* every path."""

    vars: Mapping[str, str] = field(default_factory=dict, hash=False)
    secrets: tuple[str, ...] = ()
    crons: tuple[str, ...] = ()
    rate_limiters: tuple[RateLimiter, ...] = ()
    assets: Assets | None = None
    handlers: tuple[str, ...] = ()
    compatibility_date: str = ""
    compatibility_flags: tuple[str, ...] = ()
    matchers: tuple[str, ...] = ()
    edge_routes: tuple[EdgeRoute, ...] = ()
    version_binding: str = ""
