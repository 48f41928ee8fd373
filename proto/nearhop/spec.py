"""What a function's owner asks for, and each version brings with it: the records that the control plane keeps and the node carries out.

Pure: no I/O, clock, randomness or stubs; spec_codec is the way to the contract's messages. What a value may be is judged by each side for itself.
Zero in a message means the default that stands here. Units stand in the fields' names; percentages and counts have none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Dialect(StrEnum):
    """The form in which a program exports its handler."""

    WORKERS = "workers"
    DENO = "deno"
    VERCEL = "vercel"
    STATIC = "static"  # no program: the version's assets alone


@dataclass(frozen=True, slots=True)
class Limits:
    """What a function may use: each sandbox of it, each request, and the function as a whole on one node.

    50 ms of CPU and 128 MiB are the industry's figure (Fastly Compute, Netlify Edge, Workers' bundled plan).
    """

    cpu_ms: int = 50  # spent while requests are in flight and none finishes
    memory_mib: int = 128  # of one sandbox
    wall_ms: int = 30_000  # to answer a request
    subrequests: int = 50  # that one request may cause
    request_body_bytes: int = 10 << 20
    concurrency: int = 500  # requests in flight on one node
    instances: int = 4  # sandboxes of one version on one node


@dataclass(frozen=True, slots=True)
class PathRoute:
    """A path prefix of a hostname that a function answers; the longest of all functions' wins."""

    hostname: str  # lower case, without the final dot
    path: str  # begins with /


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many *requests* one client address may send within *period_s*, on each node for itself; 0: no limit."""

    requests: int = 0
    period_s: int = 10


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
    size_bytes: int  # of the pack
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
