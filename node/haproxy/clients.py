"""Who the client is, and what a function is told of it. Pure."""

from node.haproxy.settings import COUNTRIES, Ingress, Network

KNOWN = "{ var(sess.address) -m found }"
_HOPS = 8  # proxies in a row that X-Forwarded-For is followed through


def session(ingress: Ingress) -> list[str]:
    """Render the rules for a new connection."""
    lines = []
    if ingress.proxy_protocol:
        lines.append(f"tcp-request connection expect-proxy layer4 if {_source(ingress.proxy_protocol)}")
    if ingress.trusted_proxies:
        lines.append(f"tcp-request session set-var(sess.trusted) bool(1) if {_source(ingress.trusted_proxies)}")
    if ingress.tls_listen:
        lines.append("tcp-request session set-var(sess.proto) str(https) if { ssl_fc }")
    # What a connection's requests are told of its client is worked out once, unless the map of countries is yet to come.
    lines.append(f"tcp-request session set-var(sess.country) src,map_ip({COUNTRIES})")
    lines.append("tcp-request session set-var-fmt(sess.address) %[src] if { var(sess.country) -m found }")
    return lines


def requests(ingress: Ingress) -> list[str]:
    """Render the rules that find the client of a request behind proxies. They end the rules of the frontend for all others."""
    # X-Forwarded-For is read from the right, each hop believed only while the one before it is a trusted proxy.
    if not ingress.trusted_proxies:
        return []
    told = "{ req.hdr(x-forwarded-for) -m found } || { req.hdr(x-forwarded-proto) -m found }"
    lines = [
        "http-request allow unless { var(sess.trusted) -m found }",
        f"http-request allow unless {told}",
        "http-request unset-var(sess.address)",  # for good: the proxy's connection has many clients
        "http-request set-var(txn.proto) str(http) if { req.hdr(x-forwarded-proto) -m found }",
        "http-request set-var(txn.proto) str(https) if { req.hdr(x-forwarded-proto) https }",
    ]
    trusted = _source(ingress.trusted_proxies)
    for hop in range(1, _HOPS + 1):
        address = f"req.hdr_ip(x-forwarded-for,-{hop})"
        lines.append(f"http-request allow unless {trusted} {{ {address} -m found }}")
        lines.append(f"http-request set-src {address}")
    return lines


def headers(*, known: bool) -> dict[str, str]:
    """Return what a function is told of the client, by header: of one that is *known* from its connection, or of one that is not."""
    country, address, proto = (
        ("%[var(sess.country)]", "%[var(sess.address)]", "%[var(sess.proto,http)]")
        if known
        else (f"%[src,map_ip({COUNTRIES},XX)]", "%[src]", "%[var(txn.proto)]")
    )
    return {
        "x-nearhop-country": country,
        "x-real-ip": address,
        "x-forwarded-for": address,
        "x-forwarded-proto": proto,
    }


def protocol(*unless: str) -> str:
    """Render the rule after which txn.proto is the protocol by which the client asked, *unless* something else holds."""
    conditions = " || ".join([*unless, "{ var(txn.proto) -m found }"])
    return f"http-request set-var(txn.proto) var(sess.proto,http) unless {conditions}"


def _source(ranges: tuple[Network, ...]) -> str:
    return f"{{ src {' '.join(map(str, ranges))} }}"
