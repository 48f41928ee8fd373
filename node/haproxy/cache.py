"""The rules of the edge cache: HAProxy's own, kept within RFC 9111 by what it is allowed to store. Pure.

Kept are answers to GET that say so to shared caches: `s-maxage`, or `public` with `max-age`. The key is the host with the function, its
version and its cache epoch, so that a deploy or a purge leaves everything behind that was kept before; what is left behind ages away.

A cache costs each request more than finding its route does, looked into or not. So each slot has two backends, one of which has the cache,
and the host map sends a function's requests there once it is known to give such answers: from its text, or because it gave one, which is
then noted in the map of caching functions. HAProxy 2.8 hangs on cache rules in a `defaults` section.
"""

from node.haproxy import clients
from node.haproxy.settings import CACHING, Ingress

MAX_AGE_S = 86_400  # however long an answer may be kept by its own words
_MAX_OBJECT_BYTES = 1 << 20
_PROCESSED = "accept-encoding|referer"  # what HAProxy keeps variants by; what varies by more is not kept
_NAME = "edge"
_KEPT = "{ var(txn.kept) -m found }"


def may_cache(source: bytes) -> bool:
    """Say whether a program's text suggests that it gives answers to be kept."""
    return b"s-maxage" in source or (b"public" in source and b"max-age" in source)


def section(ingress: Ingress) -> dict[str, list[str]]:
    """Return the cache by its title; nothing when none is wanted."""
    if not ingress.cache_mib:
        return {}
    return {
        f"cache {_NAME}": [
            f"total-max-size {ingress.cache_mib}",
            f"max-object-size {min(_MAX_OBJECT_BYTES, (ingress.cache_mib << 20) // 2 - 1)}",
            f"max-age {MAX_AGE_S}",
            "process-vary on",
        ]
    }


def requests() -> list[str]:
    """Render the rules that answer a request from the cache. Unsafe methods pass them too: they end what is kept for their URL."""
    key = "|".join(f"%[var(txn.route),field({number},|)]" for number in (2, 3, 5))
    rules = [
        clients.protocol().removeprefix("http-request "),
        "set-var(txn.asked) req.fhdr(host)",
        f"set-header host %[var(txn.asked),lower]|%[var(txn.proto)]|{key}",
        f"cache-use {_NAME}",
        "set-header host %[var(txn.asked)]",
    ]
    return [f"http-request {rule}" for rule in rules]


def responses() -> list[str]:
    """Render the rules that store an answer."""
    return [
        *_kept(),
        f'http-response set-header cache-status "nearhop; fwd=miss; stored" if {_KEPT}',
        f"http-response cache-store {_NAME} if {_KEPT}",
        f"http-response cache-store {_NAME} if !METH_GET",
    ]


def learning(ingress: Ingress) -> list[str]:
    """Render the rules that note which functions give answers that could be kept."""
    if not ingress.cache_mib:
        return []
    return [
        "http-response allow unless { res.fhdr(cache-control) -m found }",
        f"http-response allow if {{ var(txn.route),word(2,|),map_str({CACHING}) -m found }} || {{ var(txn.asked) -m found }}",
        *_kept(),
        f"http-response set-map({CACHING}) %[var(txn.route),word(2,|)] 1 if {_KEPT}",
    ]


def _kept() -> list[str]:
    directives = "res.fhdr(cache-control) -m reg -i"
    good = "{ method GET } { status 200 }"
    rules = [
        rf"set-var(txn.kept) bool(1) if {good} {{ {directives} (^|[\s,])s-maxage=\"?0*[1-9] }}",
        rf"set-var(txn.kept) bool(1) if {good} {{ {directives} (^|[\s,])public([\s,]|$) }} {{ {directives} (^|[\s,])max-age=\"?0*[1-9] }}",
        rf"unset-var(txn.kept) if {{ {directives} (^|[\s,])(private|no-store|no-cache)([\s,=]|$) }}",
        rf"unset-var(txn.kept) if {{ {directives} (^|[\s,])s-maxage=\"?0+\"?([\s,]|$) }}",
        "unset-var(txn.kept) if { res.hdr(set-cookie) -m found }",
        f"unset-var(txn.kept) if {{ res.hdr(vary) -m reg -i ^(?!({_PROCESSED})$) }}",
    ]
    return [f"http-response {rule}" for rule in rules]


def mark(ingress: Ingress) -> list[str]:
    """Render the rule that says of an answer that it came from the cache."""
    return ['set-header cache-status "nearhop; hit" if { res.cache_hit }'] if ingress.cache_mib else []  # RFC 9211
