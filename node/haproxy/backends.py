"""The backends: what a function is told of a request, its limits, and where the request goes. Pure."""

from node.haproxy import pages, routing
from node.haproxy.routing import field
from node.haproxy.settings import (
    ACTIVATOR,
    COUNTRIES,
    STATIC,
    Ingress,
    activator_socket,
    assets_socket,
    sink_socket,
    slot_name,
    slot_socket,
)

CONCURRENCY = 500  # of a function without limits of its own: the contract's default
WALL_MS = 30_000  # the same
# What a client says of itself, of its place, or of who asked before it, in a header that only a platform may set.
_SPOOFED_PREFIXES = ("x-nearhop-", "x-forwarded-", "cf-", "x-vercel-")
_SPOOFED = ("x-real-ip", "x-request-id", "forwarded", "true-client-ip", "cdn-loop")


def defaults(ingress: Ingress) -> list[str]:
    """Render the lines that all backends of functions share."""
    return [
        "balance first",  # the sandbox; after a failure the one retry avoids it, and so goes to the sink
        pages.asked_for_json(),
        f"http-request set-timeout server var(txn.route),word(4,|) unless {{ var(txn.route),word(4,|) {WALL_MS} }}",
        *(f"http-request del-header {name} -m beg" for name in _SPOOFED_PREFIXES),
        *(f"http-request del-header {name}" for name in _SPOOFED),
        _told(ingress),
        f"http-request allow if {{ be_conn le {CONCURRENCY} }} !{{ var(txn.limits) -m found }}",
        "http-request set-var(txn.reason) str(exceeded_concurrency) unless { var(txn.limits) -m found }",
        "http-request deny deny_status 503 if { var(txn.reason) -m found }",
        *_limits(),
        "",
        "http-response deny deny_status 502 if { srv_id 2 }",
        "http-response set-var(txn.from) bool(1)",
        "http-response set-var(txn.reason) str(exception) if { status 500 } { res.hdr(x-nearhop-reason) exception }",
        "http-response set-var(txn.reason) str(exceeded_subrequests) if { status 500 } { res.hdr(x-nearhop-reason) exceeded_subrequests }",
        "http-response del-header x-nearhop- -m beg",
        "http-response del-header x-request-id",
    ]


def slot(ingress: Ingress, number: int) -> tuple[str, list[str]]:
    """Return the title and the lines of a slot's backend."""
    return f"backend {slot_name(number)} from slot", _servers(ingress, "sandbox", slot_socket(ingress.run_dir, number))


def others(ingress: Ingress) -> dict[str, list[str]]:
    """Return the other backends of functions by title: who starts a sandbox for a request, and who serves files."""
    return {
        f"backend {ACTIVATOR} from slot": [
            "http-reuse never",  # a connection becomes that of the sandbox which was started for it
            "option http-server-close",  # and so must not carry the same client's next request
            "http-response set-var(txn.reason) res.hdr(activation-refused) if { res.hdr(activation-refused) -m found }",
            "http-response del-header activation-refused",
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
        "backend functions from base": ["stick-table type string len 64 size 20k expire 1h store conn_cur"],
    }


def _told(ingress: Ingress) -> str:
    # One rule for nine headers, which the ingress writes to the sandbox's HTTP/1 connection as they stand: nine rules cost three times as much.
    headers = {
        "x-nearhop-node": ingress.node,
        "x-nearhop-region": ingress.region,
        "x-nearhop-function": "%[var(txn.route),word(2,|)]",
        "x-nearhop-version": "%[var(txn.route),word(3,|)]",
        "x-nearhop-country": f"%[src,map_ip({COUNTRIES},XX)]",
        "x-request-id": "%[unique-id]",
        "x-real-ip": "%[src]",
        "x-forwarded-for": "%[src]",
        "x-forwarded-proto": "%[var(sess.proto,http)]",
    }
    first, *rest = headers.items()
    text = first[1] + "".join(rf"\r\n{name}: {value}" for name, value in rest)
    return f'http-request add-header {first[0]} "{text}"'


def _limits() -> list[str]:
    key = "%[var(txn.route),word(2,|)]|%[src]|%[date,div(txn.period)]"
    lines = [
        f"set-header x-nearhop-assets %[{field(routing.DIGEST)}] if {{ be_name {STATIC} }}",
        f"set-var(txn.body) {field(routing.BODY)}",
        "set-var(txn.reason) str(body_too_large) if { req.hdr_val(content-length),sub(txn.body) gt 0 }",
        "deny deny_status 413 if { var(txn.reason) -m found }",
        f"set-var(txn.concurrency) {field(routing.CONCURRENCY)}",
        "track-sc1 var(txn.route),word(2,|) table functions",
        "set-var(txn.reason) str(exceeded_concurrency) if { sc1_conn_cur,sub(txn.concurrency) gt 0 }",
        "deny deny_status 503 if { var(txn.reason) -m found }",
        f"allow if {{ {field(routing.RATE)} 0 }}",
        f"set-var(txn.rate) {field(routing.RATE)}",
        f"set-var(txn.period) {field(routing.PERIOD)}",
        f"set-var-fmt(txn.client) {key}",
        "track-sc0 var(txn.client) table clients",
        "sc-inc-gpc0(0)",
        "allow unless { sc0_get_gpc0,sub(txn.rate) gt 0 }",
        "set-var(txn.reason) str(rate_limited)",
        "set-var(txn.passed) date,mod(txn.period)",
        "set-var(txn.retry_after) var(txn.period),sub(txn.passed)",
        "deny deny_status 429",
    ]
    return [f"http-request {line}" for line in lines]


def _servers(ingress: Ingress, name: str, socket: str) -> list[str]:
    return [f"server {name} unix@{socket} id 1", f"server sink unix@{sink_socket(ingress.run_dir)} id 2"]
