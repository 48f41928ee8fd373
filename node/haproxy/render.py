"""Renders haproxy.cfg and the maps. Pure: text in, text out.

A fixed set of slot backends, each one unix socket, is all that HAProxy knows of sandboxes. The host map names the slot, and with it the
function, the version and the time to answer, so that one commit of one map switches everything about a hostname together.

HAProxy runs in the folder of the maps and knows them by their bare names: a path in a sample's arguments would be subject to four layers of
quoting. The folder of the sockets stands in the text as it is, and so must not need quoting.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from node.plan.records import Route

HEALTH_PATH = "/.nearhop/health"
NO_SLOT = "none"
ACTIVATOR = "activator"
CONFIG = "haproxy.cfg"
HOSTS = "hosts.map"
REASONS = "reasons.map"
COUNTRIES = "countries.map"
_SENTENCES = {
    400: "The request is not valid.",
    404: "There is no function at %[var(txn.host),json(utf8s)].",
    405: "The method is not allowed.",
    413: "The request's body is too large.",
    502: "The function's sandbox ended before it answered.",
    503: "The function has no sandbox at the moment.",
    504: "The function did not answer in time.",
}
_HOPS = 8  # proxies in a row that X-Forwarded-For is followed through
_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Ingress:
    """What the configuration is made from. *map_dir* is any folder; *run_dir* is one that needs no quoting."""

    node: str
    region: str
    listen: tuple[str, ...]
    slots: int
    run_dir: str
    map_dir: str
    trusted_proxies: tuple[Network, ...] = ()
    threads: int = 2
    max_connections: int = 4000
    max_body_bytes: int = 100 << 20


@dataclass(frozen=True, slots=True)
class Paths:
    """The files that HAProxy and the agent share."""

    config: str
    stats_socket: str
    hosts: str
    reasons: str
    countries: str


def paths(ingress: Ingress) -> Paths:
    return Paths(
        config=f"{ingress.map_dir}/{CONFIG}",
        stats_socket=f"{ingress.run_dir}/haproxy.sock",
        hosts=f"{ingress.map_dir}/{HOSTS}",
        reasons=f"{ingress.map_dir}/{REASONS}",
        countries=f"{ingress.map_dir}/{COUNTRIES}",
    )


def slot_name(slot: int) -> str:
    return f"s{slot:03d}"


def slot_socket(run_dir: str, slot: int) -> str:
    return f"{run_dir}/{slot_name(slot)}.sock"


def sink_socket(run_dir: str) -> str:
    return f"{run_dir}/sink.sock"


def activator_socket(run_dir: str) -> str:
    return f"{run_dir}/activator.sock"


def hosts_map(routes: Mapping[str, Route]) -> str:
    """Render the host map: hostname, then slot|function|version|milliseconds to answer."""
    lines = []
    for host, route in sorted(routes.items()):
        slot = slot_name(route.slot) if route.slot is not None else ACTIVATOR if route.startable else NO_SLOT
        lines.append(f"{host} {slot}|{route.function}|{route.version}|{route.wall_ms}\n")
    return "".join(lines)


def reasons_map(reasons: Mapping[int, str]) -> str:
    """Render the reason map: slot, then why its sandbox last ended."""
    return "".join(f"{slot_name(slot)} {reason}\n" for slot, reason in sorted(reasons.items()))


def config(ingress: Ingress) -> str:
    """Render the whole haproxy.cfg."""
    sections = [
        _global(ingress),
        _defaults(),
        _frontend(ingress),
        _sink(ingress),
        _activator(ingress),
        *(_slot(ingress, n) for n in range(ingress.slots)),
    ]
    return "\n".join(sections)


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([title, *(f"    {line}" if line else "" for line in lines)]) + "\n"


def _global(ingress: Ingress) -> str:
    return _section(
        "global",
        [
            f"stats socket {paths(ingress).stats_socket} mode 600 level admin",
            "stats timeout 1m",
            f"nbthread {ingress.threads}",
            f"maxconn {ingress.max_connections}",
            "noreuseport",  # a second process on the same address must fail, not share it
            "hard-stop-after 30s",
            "tune.http.maxhdr 100",
        ],
    )


def _defaults() -> str:
    base = _section(
        "defaults base",
        [
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
            *_error_pages(),
        ],
    )
    slot = _section(
        "defaults slot from base",
        ["balance roundrobin", "http-request set-timeout server var(txn.route),word(4,|)"],
    )
    return f"{base}\n{slot}"


def _frontend(ingress: Ingress) -> str:
    lines = [
        *(f"bind {address}" for address in ingress.listen),
        "unique-id-format %[uuid()]",
        "",
        f"http-request return status 200 if {{ path {HEALTH_PATH} }}",  # the http-after-response rules name the node
        "",
        *_page_parts(),
        "",
        *_refusals(ingress),
        "",
        *_client(ingress),
        "",
        *_routing(),
        "",
        *_request_headers(ingress),
        "",
        *_responses(ingress),
        "",
        "use_backend %[var(txn.slot)]",
    ]
    return _section("frontend ingress from base", lines)


def _refusals(ingress: Ingress) -> list[str]:
    return [
        "http-request set-var(txn.reason) str(bad_host) unless { req.hdr_cnt(host) eq 1 }",
        r"http-request set-var(txn.reason) str(bad_host) unless { req.hdr(host) -m reg -i ^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\.?(:[0-9]{1,5})?$ }",
        "http-request deny deny_status 400 if { var(txn.reason) -m found }",
        "http-request set-var(txn.reason) str(bad_framing)",  # RFC 9112 section 6.1; the other kinds HAProxy refuses or rewrites by itself
        "http-request deny deny_status 400 if HTTP_1.0 { req.hdr_cnt(transfer-encoding) gt 0 }",
        "http-request set-var(txn.reason) str(body_too_large)",
        f"http-request deny deny_status 413 if {{ req.hdr_val(content-length) gt {ingress.max_body_bytes} }}",
        "http-request set-var(txn.reason) str(bad_method)",
        "http-request deny deny_status 405 if { method CONNECT TRACE }",
        "http-request unset-var(txn.reason)",
    ]


def _client(ingress: Ingress) -> list[str]:
    # X-Forwarded-For is read from the right, each hop believed only while the one before it is a trusted proxy.
    lines = ["http-request set-var(txn.client) src"]
    ranges = " ".join(str(network) for network in ingress.trusted_proxies)
    for hop in range(1, _HOPS + 1) if ranges else ():
        before = "src" if hop == 1 else f"var(txn.hop{hop - 1}) -m ip"
        lines.append(
            f"http-request set-var(txn.hop{hop}) req.hdr_ip(x-forwarded-for,-{hop}) if {{ {before} {ranges} }}"
        )
        lines.append(f"http-request set-var(txn.client) var(txn.hop{hop}) if {{ var(txn.hop{hop}) -m found }}")
    lines.append("http-request set-var(txn.proto) str(http)")
    if ranges:
        lines.append(
            f"http-request set-var(txn.proto) str(https) if {{ src {ranges} }} {{ req.hdr(x-forwarded-proto) https }}"
        )
    return lines


def _routing() -> list[str]:
    missing = "!{ var(txn.route) -m found }"
    return [
        "http-request set-var(txn.host) req.hdr(host),host_only,lower,rtrim(.)",
        f"http-request set-var(txn.route) var(txn.host),map_str({HOSTS})",
        f"http-request set-var(txn.reason) str(no_such_host) if {missing}",
        f"http-request deny deny_status 404 if {missing}",
        "http-request set-var(txn.slot) var(txn.route),word(1,|)",
        "http-request set-var(txn.function) var(txn.route),word(2,|)",
        "http-request set-var(txn.version) var(txn.route),word(3,|)",
        "http-request set-var(txn.reason) str(no_sandbox) if { var(txn.slot) -m str none }",
        "http-request deny deny_status 503 if { var(txn.reason) -m found }",
    ]


def _request_headers(ingress: Ingress) -> list[str]:
    return [
        "http-request del-header x-nearhop- -m beg",
        f"http-request set-header x-nearhop-node {ingress.node}",
        f"http-request set-header x-nearhop-region {ingress.region}",
        "http-request set-header x-nearhop-function %[var(txn.function)]",
        "http-request set-header x-nearhop-version %[var(txn.version)]",
        f"http-request set-header x-nearhop-country %[var(txn.client),map_ip({COUNTRIES},XX)]",
        "http-request set-header x-request-id %[unique-id]",
        "http-request set-header x-real-ip %[var(txn.client)]",
        "http-request set-header x-forwarded-for %[var(txn.client)]",
        "http-request set-header x-forwarded-proto %[var(txn.proto)]",
        "http-request del-header x-forwarded-host",
        "http-request del-header x-forwarded-port",
        "http-request del-header forwarded",
    ]


def _responses(ingress: Ingress) -> list[str]:
    # Only a response that a sandbox sent passes the http-response rules: txn.from tells it from the ingress' own.
    own = "!{ var(txn.from) -m found }"
    failed = f"{own} {{ status ge 400 }}"
    return [
        "http-response deny deny_status 502 if { srv_name sink }",
        "http-response set-var(txn.from) str(sandbox)",
        "http-response set-var(txn.reason) str(exception) if { status 500 } { res.hdr(x-nearhop-reason) exception }",
        "http-response del-header x-nearhop- -m beg",
        "http-response del-header x-request-id",
        "",
        f"http-after-response set-var(txn.reason) str(exceeded_wall) if {own} {{ status 504 }}",
        *(
            f"http-after-response set-var(txn.reason) {_killed(status)} "
            f"if {own} {{ status {status} }} !{{ var(txn.reason) -m found }}"
            for status in (502, 503)
        ),
        f"http-after-response set-header retry-after 1 if {own} {{ status 503 }}",
        f"http-after-response set-header content-type {_JSON} if {failed} {{ var(txn.json) -m found }}",
        f"http-after-response set-header cache-control no-store if {own}",
        "http-after-response set-header x-nearhop-reason %[var(txn.reason)] if { var(txn.reason) -m found }",
        f"http-after-response set-header x-nearhop-node {ingress.node}",
        f"http-after-response set-header x-nearhop-region {ingress.region}",
        "http-after-response set-header x-nearhop-version %[var(txn.version)] if { var(txn.version) -m found }",
        "http-after-response set-header x-request-id %[unique-id]",
    ]


def _page_parts() -> list[str]:
    # A page is one text: the JSON punctuation round its reason and sentence is there only when the client asked for it.
    return [
        "http-request set-var(txn.json) str(1) if { req.hdr(accept) -m sub application/json }",
        r'http-request set-var-fmt(txn.p1) "{\"reason\":\"" if { var(txn.json) -m found }',
        r'http-request set-var-fmt(txn.p2) "\",\"message\":\"" if { var(txn.json) -m found }',
        r'http-request set-var-fmt(txn.p3) "\"}" if { var(txn.json) -m found }',
        'http-request set-var-fmt(txn.p2) ": " unless { var(txn.json) -m found }',
    ]


def _error_pages() -> list[str]:
    lines = []
    for status, sentence in _SENTENCES.items():
        reason = "str(exceeded_wall)" if status == 504 else "var(txn.reason)"
        if status in (502, 503):
            reason = _killed(status)
        page = f"%[var(txn.p1)]%[{reason}]%[var(txn.p2)]{sentence}%[var(txn.p3)]"
        lines.append(f'http-error status {status} content-type "{_TEXT}" lf-string "{page}\\n"')
    return lines


def _killed(status: int) -> str:
    # 502: it ended while it served, for a reason that the agent has yet to tell; 503: none listens on the socket.
    return f"var(txn.slot),map_str({REASONS},{'sandbox_ended' if status == 502 else 'no_sandbox'})"


def _slot(ingress: Ingress, slot: int) -> str:
    socket = slot_socket(ingress.run_dir, slot)
    return _section(
        f"backend {slot_name(slot)} from slot",
        [
            "use-server sandbox unless FALSE",  # balancing alone would choose the sink, and does so for the retry
            f"server sandbox unix@{socket} weight 0",
            f"server sink unix@{sink_socket(ingress.run_dir)} weight 1",
        ],
    )


def _activator(ingress: Ingress) -> str:
    # One request a connection: the activator joins it to whatever sandbox answers, so that a kept one would lead astray.
    return _section(
        f"backend {ACTIVATOR} from base",
        [
            "http-reuse never",
            "option http-server-close",
            "retries 0",
            "http-request set-timeout server var(txn.route),word(4,|),add(15000)",
            "http-response set-var(txn.reason) res.hdr(x-nearhop-activation) if { status 502 503 } { res.hdr(x-nearhop-activation) -m found }",
            f"server activator unix@{activator_socket(ingress.run_dir)}",
        ],
    )


def _sink(ingress: Ingress) -> str:
    return _section(
        "frontend sink from base",
        [f"bind unix@{sink_socket(ingress.run_dir)} mode 600", "http-request return status 502"],
    )
