"""Renders haproxy.cfg. Pure: text in, text out.

A fixed set of slot backends, each one unix socket, is all that HAProxy knows of sandboxes. The host map names the slot, and with it the
function, the version and the time to answer, so that one commit of one map switches everything about a hostname together.

HAProxy runs in the folder of the maps and knows them by their bare names: a path in a sample's arguments would be subject to four layers of
quoting. The folder of the sockets stands in the text as it is, and so must not need quoting.
"""

from collections.abc import Iterator, Sequence

from node.haproxy import backends, cache, frontend, pages
from node.haproxy.settings import Ingress, paths, sink_socket, slot_socket

__all__ = ["Ingress", "config", "paths", "slot_socket"]


def config(ingress: Ingress) -> str:
    """Render the whole haproxy.cfg."""
    return "\n".join(f"{title}\n" + "".join(_line(line) for line in lines) for title, lines in _sections(ingress))


def _sections(ingress: Ingress) -> Iterator[tuple[str, Sequence[str]]]:
    yield "global", _global(ingress)
    yield from cache.section(ingress).items()
    yield "defaults base", _defaults()
    yield "defaults slot from base", backends.defaults(ingress, is_kept=False)
    if ingress.cache_mib:
        yield "defaults kept from base", backends.defaults(ingress, is_kept=True)
    yield "frontend ingress from base", frontend.frontend(ingress)
    yield "backend refusal from base", frontend.refusal()
    yield (
        "frontend sink from base",
        [
            f"bind unix@{sink_socket(ingress.run_dir)} mode 600",
            # A sandbox that the kernel ended is gone before the agent has told why.
            "tcp-request inspect-delay 100ms",
            "tcp-request content accept if WAIT_END",
            "http-request return status 502",
        ],
    )
    yield from backends.tables().items()
    yield from backends.others(ingress).items()
    for number in range(ingress.slots):
        yield from backends.slot(ingress, number).items()


def _line(line: str) -> str:
    return f"    {line}\n" if line else "\n"


def _global(ingress: Ingress) -> list[str]:
    return [
        f"stats socket {paths(ingress).stats_socket} mode 600 level admin",
        "stats timeout 1m",
        f"nbthread {ingress.threads}",
        f"maxconn {ingress.max_connections}",
        "tune.memory.hot-size 8388608",  # of each thread: what a retry would need is kept for each request, more than the default holds at once
        "noreuseport",  # a second process on the same address must fail, not share it
        "hard-stop-after 30s",
        "tune.http.maxhdr 100",
        "tune.h2.fe.max-concurrent-streams 100",
    ]


def _defaults() -> list[str]:
    return [
        "mode http",
        "timeout http-request 10s",
        "timeout http-keep-alive 60s",
        "timeout client 60s",
        "timeout connect 1s",
        "timeout queue 1s",
        "timeout server 30s",
        "timeout tunnel 1h",
        # When a sandbox ends in the middle of a request, or none listens, the one retry goes to the sink and becomes the page with the
        # reason. Without it HAProxy closes the client's connection in silence where the broken one had been kept. No request ever
        # reaches a sandbox twice.
        "retries 1",
        "retry-on conn-failure empty-response",
        "option redispatch 1",
        "http-reuse always",  # a sandbox never closes a kept connection while it has its slot
        "option http-keep-alive",
        "",
        *pages.errors(),
    ]
