"""The rules of the edge cache: HAProxy's own, kept within RFC 9111 by what it is allowed to store. Pure.

Kept are answers to GET that say so to shared caches: `s-maxage`, or `public` with `max-age`. The key is the host with the function, its
version and its cache epoch, so that a deploy or a purge leaves everything behind that was kept before; what is left behind ages away.

The cache is asked from the first such answer on that any function of this node has given since HAProxy started: until then nothing can be
in it, and a look into it costs more than finding the route. HAProxy 2.8 hangs on cache rules in a `defaults` section.
"""

from node.haproxy.settings import Ingress

MAX_AGE_S = 86_400  # however long an answer may be kept by its own words
_MAX_OBJECT_BYTES = 1 << 20
_PROCESSED = "accept-encoding|origin|referer"  # what HAProxy keeps variants by; what varies by more is not kept
_ASKED = "{ var(txn.asked) -m found }"
_KEPT = "{ var(txn.kept) -m found }"


def section(ingress: Ingress) -> dict[str, list[str]]:
    """Return the cache by its title; nothing when none is wanted."""
    if not ingress.cache_mib:
        return {}
    return {
        "cache edge": [
            f"total-max-size {ingress.cache_mib}",
            f"max-object-size {min(_MAX_OBJECT_BYTES, (ingress.cache_mib << 20) // 2 - 1)}",
            f"max-age {MAX_AGE_S}",
            "process-vary on",
        ]
    }


def requests(ingress: Ingress) -> list[str]:
    """Render the rules that answer a request from the cache. Unsafe methods pass them too: they end what is kept for their URL."""
    if not ingress.cache_mib:
        return []
    route = "var(txn.route),field({},|)"
    key = "|".join(f"%[{route.format(number)}]" for number in (2, 3, 5))
    reached = "{ var(txn.route) -m found } !{ var(txn.reason) -m found }"
    return [
        f"http-request set-var(txn.asked) req.fhdr(host) if {{ var(proc.caching) -m found }} {reached}",
        f"http-request set-header host %[var(txn.asked),lower]|%[var(sess.proto,http)]|{key} if {_ASKED}",
        f"http-request cache-use edge if {_ASKED}",
        f"http-request set-header host %[var(txn.asked)] if {_ASKED}",
    ]


def responses(ingress: Ingress) -> list[str]:
    """Render the rules that store an answer."""
    if not ingress.cache_mib:
        return []
    directives = "res.fhdr(cache-control) -m reg -i"
    good = "{ method GET } { status 200 }"
    rules = [
        "allow if METH_GET !{ res.fhdr(cache-control) -m found }",
        rf"set-var(txn.kept) bool(1) if {good} {{ {directives} (^|[\s,])s-maxage=\"?0*[1-9] }}",
        rf"set-var(txn.kept) bool(1) if {good} {{ {directives} (^|[\s,])public([\s,]|$) }} {{ {directives} (^|[\s,])max-age=\"?0*[1-9] }}",
        rf"unset-var(txn.kept) if {{ {directives} (^|[\s,])(private|no-store|no-cache)([\s,=]|$) }}",
        rf"unset-var(txn.kept) if {{ {directives} (^|[\s,])s-maxage=\"?0+\"?([\s,]|$) }}",
        "unset-var(txn.kept) if { res.hdr(set-cookie) -m found }",
        f"unset-var(txn.kept) if {{ res.hdr(vary) -m reg -i ^(?!({_PROCESSED})$) }}",
        f"set-var(proc.caching) bool(1) if {_KEPT}",
        f'set-header cache-status "nearhop; fwd=miss; stored" if {_KEPT} {_ASKED}',
        f"cache-store edge if {_ASKED} {_KEPT}",
        f"cache-store edge if {_ASKED} !METH_GET",
    ]
    return [f"http-response {rule}" for rule in rules]


def hits(ingress: Ingress) -> list[str]:
    """Render the rules that mark what came from the cache, which no sandbox has sent, and end there."""
    if not ingress.cache_mib:
        return []
    return [
        'set-header cache-status "nearhop; hit" if { res.cache_hit }',  # RFC 9211
        "allow if { res.cache_hit }",
    ]
