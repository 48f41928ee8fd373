"""Which names Nearhop accepts: functions, nodes, regions, zones, hostnames, digests, request ids.

Validators are pure and return the reasons for refusal, an empty list for a good value. Names are lower-case ASCII, so that homoglyphs,
control characters and path tricks never get further than here.
"""

import ipaddress
import re
from collections.abc import Callable

LABEL_MAX = 63  # RFC 1035 section 2.3.4
HOSTNAME_MAX = 253  # RFC 1035 section 2.3.4: 255 octets on the wire
PATH_MAX = 256
REQUEST_ID_MAX = 64
DIGEST = re.compile(r"[0-9a-f]{64}")

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_PATH = re.compile(r"/[A-Za-z0-9/._~-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]+")
# Names that the zone itself uses, or that would read as a part of it.
_RESERVED = frozenset({"localhost", "wpad", "isatap"})
_NAME_SERVER = re.compile(r"ns[0-9]*")


def label_reasons(value: str) -> list[str]:
    """Say why *value* is not a lower-case DNS label (RFC 1123 section 2.1)."""
    if not value:
        return ["must not be empty"]
    reasons = []
    if len(value) > LABEL_MAX:
        reasons.append(f"has {len(value)} characters; at most {LABEL_MAX} are allowed")
    if not _LABEL.fullmatch(value):
        reasons.append("may hold only a-z, 0-9 and inner hyphens")
    return reasons


def function_name_reasons(value: str) -> list[str]:
    """Say why *value* cannot name a function: it becomes the first label of the function's hostname."""
    reasons = label_reasons(value)
    if reasons:
        return reasons
    if not value[0].isalpha():
        reasons.append("must start with a letter")
    if "--" in value:
        reasons.append('must not hold "--", which separates the version in preview hostnames')
    if value in _RESERVED or _NAME_SERVER.fullmatch(value):
        reasons.append("is reserved")
    return reasons


def node_id_reasons(value: str) -> list[str]:
    """Say why *value* cannot be a node's (or a router's) id."""
    return label_reasons(value)


def region_reasons(value: str) -> list[str]:
    """Say why *value* cannot name a region."""
    return label_reasons(value)


def hostname_reasons(value: str) -> list[str]:
    """Say why *value* is not a lower-case hostname without a final dot. An underscore is not a hostname's (RFC 952)."""
    if not value:
        return ["must not be empty"]
    if len(value) > HOSTNAME_MAX:
        return [f"has {len(value)} characters; at most {HOSTNAME_MAX} are allowed"]
    return [f'label "{label}" {reason}' for label in value.split(".") for reason in label_reasons(label)]


def path_prefix_reasons(value: str) -> list[str]:
    """Say why *value* cannot be the path prefix of a route: it is compared as it stands, so it holds nothing that could be spelled in two ways."""
    if not value.startswith("/"):
        return ["must begin with /"]
    reasons = []
    if len(value) > PATH_MAX:
        reasons.append(f"has {len(value)} characters; at most {PATH_MAX} are allowed")
    if not _PATH.fullmatch(value):
        reasons.append("may hold only letters, digits and / . _ ~ -")
    if "//" in value or any(part in {".", ".."} for part in value.split("/")):
        reasons.append("must not hold //, /./ or /../")
    return reasons


def variable_reasons(value: str) -> list[str]:
    """Say why *value* cannot name a variable of a program's environment."""
    return [] if _VARIABLE.fullmatch(value) else ["must be a letter or _, then at most 63 letters, digits or _"]


def request_id_reasons(value: str) -> list[str]:
    """Say why *value* cannot be a request id."""
    if not value:
        return ["must not be empty: choose a fresh one for each call, a UUID is usual"]
    reasons = []
    if len(value) > REQUEST_ID_MAX:
        reasons.append(f"has {len(value)} characters; at most {REQUEST_ID_MAX} are allowed")
    if not _REQUEST_ID.fullmatch(value):
        reasons.append("may hold only letters, digits and . _ : -")
    return reasons


def digest_reasons(value: str) -> list[str]:
    """Say why *value* is not a lower-case hexadecimal SHA-256."""
    return [] if DIGEST.fullmatch(value) else ["must be 64 lower-case hexadecimal digits, the SHA-256 of the bundle"]


def is_loopback(endpoint: str) -> bool:
    """Tell whether host:port is on this machine's loopback."""
    host = endpoint.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


Validator = Callable[[str], list[str]]
