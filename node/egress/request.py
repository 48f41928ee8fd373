"""The head of a proxy request, RFC 9112 section 3.2: CONNECT with an authority, or any method with an absolute target. Pure.

The engine sends https: targets in clear to a proxy on a unix socket: the proxy speaks TLS for it.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from node.egress.addresses import Address

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,252})")
_TARGET = re.compile(rb"(https?)://([^/?#@\s]+)([/?][\x21-\x7e]*)?", re.IGNORECASE)
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00\r\n]*)")
_HOP_BY_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"te", b"host"}
_HEADERS_MAX = 128


class BadRequest(ValueError):
    """The request is not one that a proxy takes."""


@dataclass(frozen=True, slots=True)
class Request:
    """Where a request goes, and what is to be sent there first; nothing for a tunnel."""

    host: str
    port: int
    tunnel: bool
    tls: bool
    head: bytes


def parse(head: bytes) -> Request:
    """Read a request's head, without the empty line that ends it. Raises BadRequest."""
    line, *fields = head.split(b"\r\n")
    parts = line.split(b" ")
    if len(parts) != 3 or parts[2] not in (b"HTTP/1.1", b"HTTP/1.0") or not _TOKEN.fullmatch(parts[0]):
        raise BadRequest("not an HTTP/1 request line")
    headers = _headers(fields)
    if parts[0] == b"CONNECT":
        host, port = _authority(parts[1], None)
        return Request(host, port, tunnel=True, tls=False, head=b"")
    target = _TARGET.fullmatch(parts[1])
    if target is None:
        raise BadRequest("the target is no absolute http: or https: URL")
    tls = target[1].lower() == b"https"
    host, port = _authority(target[2], 443 if tls else 80)
    path = target[3] or b"/"
    origin = path if path.startswith(b"/") else b"/" + path
    return Request(host, port, tunnel=False, tls=tls, head=_rewritten(parts[0], origin, target[2], headers))


def _headers(fields: list[bytes]) -> list[tuple[bytes, bytes]]:
    if len(fields) > _HEADERS_MAX:
        raise BadRequest(f"more than {_HEADERS_MAX} headers")
    found = []
    for field in fields:
        match = _HEADER.fullmatch(field)
        if match is None:
            raise BadRequest("a header that is none")
        found.append((match[1].lower(), match[2]))
    return found


def _authority(authority: bytes, default_port: int | None) -> tuple[str, int]:
    text = authority.decode("latin-1")
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or not _is_v6(host):
            raise BadRequest(f"{text!r} is no authority")
    else:
        host, colon, rest = text.partition(":")
        rest = colon + rest
        if not _NAME.fullmatch(host):
            raise BadRequest(f"{text!r} is no authority")
    if rest == "" and default_port is not None:
        return host, default_port
    if not (rest.startswith(":") and rest[1:].isascii() and rest[1:].isdecimal() and len(rest) <= 6):
        raise BadRequest(f"{text!r} has no port")
    return host, int(rest[1:])


def _is_v6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text


def _rewritten(method: bytes, origin: bytes, authority: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    # One request a connection: whatever else comes over it goes to the same, checked address.
    upgrade = any(name == b"upgrade" for name, _ in headers)
    named = {token.strip().lower() for name, value in headers if name == b"connection" for token in value.split(b",")}
    dropped = (_HOP_BY_HOP | named) - {b"upgrade"}
    lines = [b"%s %s HTTP/1.1" % (method, origin), b"host: " + authority]
    lines += [name + b": " + value for name, value in headers if name not in dropped]
    lines.append(b"connection: upgrade" if upgrade else b"connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def literal(host: str) -> Address | None:
    """Return the address that *host* is in its canonical spelling; everything else is for the resolver, which knows the odd ones."""
    for kind in (IPv4Address, IPv6Address):
        try:
            return kind(host)
        except ValueError:
            continue
    return None
