"""The frontend: what is refused at once, who the client is, and what every answer carries. Pure.

A rule costs every request a twentieth to a quarter of a microsecond. So what only some requests need stands behind an `accept` or `allow`
that ends the rules for the others, and what is wrong with a request is told by the backend `refusal`, which only such requests meet.
"""

from zlib import crc32

from nearhop.spec import Limits
from node.haproxy import cache, clients, pages, routing
from node.haproxy.settings import HEALTH_PATH, WALLS, Ingress

BODY_BYTES = Limits().request_body_bytes  # of a function without limits of its own
_FUNCTION = "%[var(txn.route),word(2,|)]"
_REASON = "http-request set-var(txn.reason)"


def frontend(ingress: Ingress) -> list[str]:
    """Render the lines of the frontend."""
    return [
        *_binds(ingress),
        f"unique-id-format {_request_id(ingress.node)}",
        "",
        *clients.session(ingress),
        *routing.rules(),
        "",
        f"http-request return status 200 if {{ path {HEALTH_PATH} }}",  # the http-after-response rules name the node
        *_redirect(ingress),
        *_checks(ingress),
        *clients.requests(ingress),
        "",
        *cache.learning(ingress),
        "",
        *_responses(ingress),
        "",
        "use_backend refusal if { var(txn.reason) -m found }",
        "use_backend %[var(txn.route),word(1,|)]",
        "default_backend refusal",
    ]


def refusal() -> list[str]:
    """Render the lines of the backend that answers what reaches no function."""
    return [
        pages.asked_for_json(),
        # Nothing else is known of a request when the name of its host is not valid.
        f"{_REASON} str(bad_host) unless {{ var(txn.host) -m found }} || {{ var(txn.route) -m found }}",
        f"{_REASON} str(no_such_host) unless {{ var(txn.route) -m found }} || {{ var(txn.reason) -m found }}",
        f"{_REASON} var(txn.route),field(5,|) unless {{ var(txn.reason) -m found }}",
        *pages.counted("TRUE"),
        "http-request deny deny_status 400 if { var(txn.reason) -m str bad_host bad_framing }",
        "http-request deny deny_status 405 if { var(txn.reason) -m str bad_method }",
        "http-request deny deny_status 413 if { var(txn.reason) -m str exceeded_body }",
        pages.returned(414, "{ var(txn.reason) -m str url_too_long }"),
        "http-request deny deny_status 404 if { var(txn.reason) -m str no_such_host }",
        "http-request deny deny_status 503",
    ]


def _binds(ingress: Ingress) -> list[str]:
    tls = "ssl crt-list certificates.list strict-sni alpn h2,http/1.1 ssl-min-ver TLSv1.2"
    return [*(f"bind {text}" for text in ingress.listen), *(f"bind {text} {tls}" for text in ingress.tls_listen)]


def _request_id(node: str) -> str:
    # Decimal digits, and none that is random: HAProxy's own clock and counter cost a third of random ones. The first part tells nodes apart.
    return f"{crc32(node.encode()):08x}-%Ts-%pid-%rt"


def _redirect(ingress: Ingress) -> list[str]:
    if not (ingress.redirect_to_https and ingress.tls_listen):
        return []
    port = ingress.tls_listen[0].rpartition(":")[2]
    where = "" if port == "443" else f":{port}"
    target = f"http-request redirect location https://%[req.fhdr(host),host_only]{where}%[pathq] code 308"
    plain = "{ var(txn.route) -m found } !{ ssl_fc }"
    return [
        f"{target} if {plain} !{{ {doubt} }}"
        for doubt in ("var(sess.trusted) -m found", "req.hdr(x-forwarded-proto) https")
    ]


def _checks(ingress: Ingress) -> list[str]:
    return [
        f"{_REASON} str(bad_method) if {{ method CONNECT TRACE }}",
        f"{_REASON} str(url_too_long) if {{ url,length gt {ingress.max_url_bytes} }}",
        f"{_REASON} str(exceeded_body) if {{ req.hdr_val(content-length) gt {BODY_BYTES} }} !{{ var(txn.limits) -m found }}",
        # RFC 9112 section 6.1; the other kinds HAProxy refuses or rewrites by itself
        f"{_REASON} str(bad_framing) if {{ req.hdr_cnt(transfer-encoding) gt 0 }} HTTP_1.0",
    ]


def _responses(ingress: Ingress) -> list[str]:
    # Only a response that a sandbox sent passes the http-response rules: txn.from tells it from the ingress' own, and 1 that it is named already.
    rules = [
        "allow if { var(txn.from) -m int 1 }",
        f"add-header x-nearhop-node {ingress.node}",
        f"add-header x-nearhop-region {ingress.region}",
        "add-header x-request-id %[unique-id]",
        *cache.mark(ingress),
        "allow if { var(txn.from) -m found }",
        "set-header x-nearhop-version %[var(txn.route),word(3,|)] if { var(txn.route) -m found }",
        "set-var(txn.reason) str(exceeded_wall) if { status 504 }",
        # No counter of HAProxy's can be chosen this late. Two at the very same moment may count as one.
        f"set-map({WALLS}) {_FUNCTION} %[var(txn.route),word(2,|),map_str_int({WALLS},0),add(1)] if {{ status 504 }} {{ var(txn.route) -m found }}",
        *(
            f"set-var(txn.reason) {pages.ended(status)} if {{ status {status} }} !{{ var(txn.reason) -m found }}"
            for status in (502, 503)
        ),
        "set-header retry-after 1 if { status 503 }",
        "set-header retry-after %[var(txn.retry_after)] if { status 429 }",
        f"set-header content-type {pages.JSON} if {{ status ge 400 }} {{ var(txn.json) -m found }}",
        "set-header cache-control no-store",
        "set-header x-nearhop-reason %[var(txn.reason)] if { var(txn.reason) -m found }",
    ]
    return [f"http-after-response {rule}" for rule in rules]
