"""The backends: what a function is told of a request, its limits, and where the request goes. Pure."""

from collections.abc import Mapping

from nearhop.spec import Limits
from node.haproxy import cache, clients, pages, routing
from node.haproxy.routing import field
from node.haproxy.settings import (
    ACTIVATOR,
    STATIC,
    Ingress,
    activator_socket,
    assets_socket,
    kept_name,
    sink_socket,
    slot_name,
    slot_socket,
)

CONCURRENCY = Limits().concurrency  # of a function without limits of its own
_FEW = 50  # requests in flight that no sandbox is refused for
WALL_MS = Limits().wall_ms
# What a client says of itself, of its place, or of who asked before it, in a header that only a platform may set.
_SPOOFED_PREFIXES = ("x-nearhop-", "x-forwarded-", "cf-", "x-vercel-")
_TOLD = "exception exceeded_subrequests exceeded_body"  # the reasons that only the sandbox itself knows
_VERSION = "%[var(txn.route),word(3,|)]"
_NO_LIMITS = "!{ var(txn.limits) -m found }"
_SPOOFED = ("x-real-ip", "x-request-id", "forwarded", "true-client-ip", "cdn-loop")


def defaults(ingress: Ingress, *, is_kept: bool) -> list[str]:
    """Render the lines that all backends of functions share, those *is_kept* of functions whose answers the edge cache keeps."""
    # An `allow` here ends the rules of the backend itself too, and so its cache's.
    alone = f"!{{ var(txn.route),field({routing.SHARE},|) -m found }}"
    plain = [
        f"http-request allow if {{ be_conn le {_FEW} }} {_NO_LIMITS}",
        f"http-request allow if {{ be_conn le {CONCURRENCY} }} {_NO_LIMITS} {alone}",
    ]
    return [
        "balance first",  # the sandbox; after a failure the one retry avoids it, and so goes to the sink
        pages.asked_for_json(),
        f"http-request set-timeout server var(txn.route),word(4,|) unless {{ var(txn.route) -m end |{WALL_MS} }}",
        *(f"http-request del-header {name} -m beg" for name in _SPOOFED_PREFIXES),
        *(f"http-request del-header {name}" for name in _SPOOFED),
        *_told(ingress),
        *([] if is_kept else plain),
        f"http-request set-var(txn.quota) var(txn.route),field({routing.SHARE},|) if {_NO_LIMITS}",
        f"http-request set-var(txn.reason) str(exceeded_concurrency) if {{ be_conn gt {CONCURRENCY} }} {_NO_LIMITS}",
        "http-request set-var(txn.reason) str(exceeded_concurrency) if { var(txn.quota) -m found } { be_conn,sub(txn.quota) gt 0 }",
        *pages.counted("{ var(txn.reason) -m found }"),
        "http-request deny deny_status 503 if { var(txn.reason) -m found }",
        *_limits(ingress),
        "",
        "http-response deny deny_status 502 if { srv_id 2 }",
        f"http-response set-var(txn.from) {'int(0)' if is_kept else 'fc_http_major'}",
        f"http-response set-var(txn.reason) res.hdr(x-nearhop-reason) if {{ status 500 413 }} {{ res.hdr(x-nearhop-reason) {_TOLD} }}",
        "http-response del-header x-nearhop- -m beg",
        "http-response del-header x-request-id",
        _named(ingress),
        "http-response add-header x-nearhop-version %[var(txn.route),word(3,|)] unless { var(txn.from) -m int 1 }",
        "http-response add-header x-nearhop-reason %[var(txn.reason)] if { var(txn.reason) -m found } { status 500 413 }",
    ]


def slot(ingress: Ingress, number: int) -> dict[str, list[str]]:
    """Return the backends of a slot by title: the plain one, and the one that asks the edge cache first."""
    servers = _servers(ingress, "sandbox", slot_socket(ingress.run_dir, number))
    found = {f"backend {slot_name(number)} from slot": servers}
    if ingress.cache_mib:
        found[f"backend {kept_name(number)} from kept"] = [*cache.requests(), *cache.responses(), *servers]
    return found


def others(ingress: Ingress) -> dict[str, list[str]]:
    """Return the other backends of functions by title: who starts a sandbox for a request, and who serves files."""
    return {
        f"backend {ACTIVATOR} from slot": [
            "http-reuse never",  # a connection becomes that of the sandbox which was started for it
            "option http-server-close",  # and so must not carry the same client's next request
            "http-response set-var(txn.reason) res.hdr(activation-refused) if { res.hdr(activation-refused) -m found }",
            "http-response del-header activation-refused",
            "http-response set-header x-nearhop-reason %[var(txn.reason)] if { var(txn.reason) -m found }",
            *_servers(ingress, "activator", activator_socket(ingress.run_dir)),
        ],
        f"backend {STATIC} from slot": [
            *_servers(ingress, "assets", assets_socket(ingress.run_dir)),
        ],
    }


def tables() -> dict[str, list[str]]:
    """Return the tables of counters by title."""
    return {
        "backend clients from base": ["stick-table type string len 128 size 100k expire 2h store gpc0"],
        "backend refusals from base": ["stick-table type string len 96 size 20k expire 24h store http_req_cnt"],
        "backend functions from base": ["stick-table type string len 64 size 20k expire 1h store conn_cur"],
    }


def _told(ingress: Ingress) -> list[str]:
    # One rule for nine headers, which the ingress writes to the sandbox's HTTP/1 connection as they stand: nine rules cost three times as much.
    headers = {
        "x-nearhop-node": ingress.node,
        "x-nearhop-region": ingress.region,
        "x-nearhop-function": "%[var(txn.route),word(2,|)]",
        "x-nearhop-version": _VERSION,
        "x-request-id": "%[unique-id]",
    }
    return [
        clients.protocol(clients.KNOWN),
        f"{_joined('http-request', headers | clients.headers(known=True))} if {clients.KNOWN}",
        f"{_joined('http-request', headers | clients.headers(known=False))} unless {clients.KNOWN}",
    ]


def _named(ingress: Ingress) -> str:
    # The same for a client of HTTP/1, whose answer needs nothing else then; HTTP/2 takes one header at a time.
    headers = {
        "x-nearhop-node": ingress.node,
        "x-nearhop-region": ingress.region,
        "x-nearhop-version": _VERSION,
        "x-request-id": "%[unique-id]",
    }
    return f"{_joined('http-response', headers)} if {{ var(txn.from) -m int 1 }}"


def _joined(rules: str, headers: Mapping[str, str]) -> str:
    first, *rest = headers.items()
    text = first[1] + "".join(rf"\r\n{name}: {value}" for name, value in rest)
    return f'{rules} add-header {first[0]} "{text}"'


def _limits(ingress: Ingress) -> list[str]:
    rated = "{ var(txn.rate) -m found }"
    key = "%[var(txn.route),word(2,|)]|%[src]|%[date,div(txn.period)]"
    limited = "{ var(txn.limits) -m found }"
    over = "{ var(txn.reason) -m found }"
    counted = [rule.removeprefix("http-request ") for rule in pages.counted(over)]
    lines = [
        f"set-header x-nearhop-assets %[{field(routing.FILES)},word(1,-)] if {{ be_name {STATIC} }}",
        f"set-var(txn.body) {field(routing.BODY)} if {limited}",
        f"set-var(txn.reason) str(exceeded_body) if {limited} {{ req.hdr_val(content-length),sub(txn.body) gt 0 }}",
        f"set-var(txn.reason) str(exceeded_body) if {limited} {{ req.hdr_val(content-length) gt {ingress.max_body_bytes} }}",
        *counted,
        f"deny deny_status 413 if {over}",
        f"set-var(txn.concurrency) {field(routing.CONCURRENCY)} if {limited}",
        f"track-sc1 var(txn.route),word(2,|) table functions if {limited}",
        f"set-var(txn.reason) str(exceeded_concurrency) if {limited} {{ sc1_conn_cur,sub(txn.concurrency) gt 0 }}",
        *counted,
        f"deny deny_status 503 if {over}",
        # What follows is for functions that bound the requests of a client.
        f"set-var(txn.rate) {field(routing.RATE)} if {limited} !{{ {field(routing.RATE)} 0 }}",
        f"set-var(txn.period) {field(routing.PERIOD)} if {rated}",
        f"set-var-fmt(txn.client) {key} if {rated}",
        f"track-sc0 var(txn.client) table clients if {rated}",
        f"sc-inc-gpc0(0) if {rated}",
        f"set-var(txn.reason) str(rate_limited) if {rated} {{ sc0_get_gpc0,sub(txn.rate) gt 0 }}",
        f"set-var(txn.passed) date,mod(txn.period) if {over}",
        f"set-var(txn.retry_after) var(txn.period),sub(txn.passed) if {over}",
        *counted,
        f"deny deny_status 429 if {over}",
    ]
    return [f"http-request {line}" for line in lines]


def _servers(ingress: Ingress, name: str, socket: str) -> list[str]:
    return [f"server {name} unix@{socket} id 1", f"server sink unix@{sink_socket(ingress.run_dir)} id 2"]
