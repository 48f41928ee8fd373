"""HTTPS records (RFC 9460): a node's protocols and addresses, so that a browser knows both before it connects. Pure."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

_SERVICE_MODE = 1
_ALPN, _PORT, _IPV4HINT, _IPV6HINT = 1, 3, 4, 6
_DEFAULT_PORT = 443


@dataclass(frozen=True, slots=True)
class HttpsOffer:
    """What the nodes' ingresses speak over TLS; *alpn* empty: nothing, and no HTTPS record is published."""

    alpn: tuple[str, ...] = ()
    port: int = _DEFAULT_PORT


def https_data(offer: HttpsOffer, ipv4: Sequence[bytes], ipv6: Sequence[bytes]) -> bytes:
    """Render the data of one record in service mode for the owner's own name; the parameters stand in the order of their keys (section 2.2)."""
    parameters = _parameter(_ALPN, b"".join(bytes([len(name)]) + name.encode() for name in offer.alpn))
    if offer.port != _DEFAULT_PORT:
        parameters += _parameter(_PORT, offer.port.to_bytes(2))
    if ipv4:
        parameters += _parameter(_IPV4HINT, b"".join(ipv4))
    if ipv6:
        parameters += _parameter(_IPV6HINT, b"".join(ipv6))
    return struct.pack("!HB", _SERVICE_MODE, 0) + parameters


def _parameter(key: int, value: bytes) -> bytes:
    return struct.pack("!HH", key, len(value)) + value
