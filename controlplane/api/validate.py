"""What a call's arguments must be. Each check collects; raise_if_any() refuses with all violations at once."""

import ipaddress
import math
from collections.abc import Iterable

from controlplane.model import Ingress, Location
from nearhop import names, spec_codec
from nearhop.errors import InvalidInput, Violation
from nearhop.spec import Limits
from nearhop.v1 import common_pb2, deployments_pb2

_ADDRESSES_MAX = 8
_MEMORY_MIB = (16, 2048)
_STEPS_MAX = 20
_PAUSE_MAX_S = 604_800  # a week
_FAILURES_MAX = 1_000_000
_LIMITS_MAX = {
    "cpu_ms": 10_000,
    "wall_ms": 300_000,
    "subrequests": 10_000,
    "request_body_bytes": 512 << 20,
    "concurrency": 10_000,
    "instances": 64,
}


class Check:
    """Collects the violations of one call."""

    def __init__(self) -> None:
        self._violations: list[Violation] = []

    def add(self, field: str, reasons: Iterable[str]) -> None:
        self._violations += [Violation(field, reason) for reason in reasons]

    def request_id(self, value: str) -> None:
        self.add("request_id", names.request_id_reasons(value))

    def length(self, field: str, value: str, maximum: int) -> None:
        if len(value) > maximum:
            self.add(field, [f"has {len(value)} characters; at most {maximum} are allowed"])

    def raise_if_any(self) -> None:
        if self._violations:
            raise InvalidInput(self._violations)


def limits(check: Check, message: common_pb2.Limits, before: Limits | None = None) -> Limits:
    """Return the limits in *message*; where it says zero those *before*, which are the platform's defaults for a new function."""
    low, high = _MEMORY_MIB
    if message.memory_mib and not low <= message.memory_mib <= high:
        check.add("limits.memory_mib", [f"is {message.memory_mib}; {low} to {high} is allowed"])
    for field, maximum in _LIMITS_MAX.items():
        if (value := getattr(message, field)) > maximum:
            check.add(f"limits.{field}", [f"is {value}; at most {maximum} is allowed"])
    return spec_codec.read_limits(message, before)


def gradual(check: Check, message: deployments_pb2.Gradual) -> None:
    """Check the steps of a deployment."""
    steps = list(message.steps)
    for number, step in enumerate(steps):
        if step > 100:
            check.add(f"gradual.steps[{number}]", [f"is {step}; it must be from 0 to 100"])
        if number and step <= steps[number - 1]:
            check.add(f"gradual.steps[{number}]", [f"is {step}, not more than the {steps[number - 1]} before it"])
    if not steps or steps[-1] != 100:
        check.add("gradual.steps", ["must end with 100"])
    if len(steps) > _STEPS_MAX:
        check.add("gradual.steps", [f"holds {len(steps)} steps; at most {_STEPS_MAX} are allowed"])
    if not 0 <= message.pause_s <= _PAUSE_MAX_S:  # false for what is not a number, too
        check.add("gradual.pause_s", [f"is {message.pause_s:g}; 0 to {_PAUSE_MAX_S} is allowed"])
    if message.max_failures > _FAILURES_MAX:
        check.add("gradual.max_failures", [f"is {message.max_failures}; at most {_FAILURES_MAX} is allowed"])


def location(check: Check, field: str, message: common_pb2.Location) -> Location:
    for name, value, bound in (("latitude", message.latitude, 90), ("longitude", message.longitude, 180)):
        if not math.isfinite(value) or abs(value) > bound:
            check.add(f"{field}.{name}", [f"is {value}; it must be from -{bound} to {bound}"])
    return Location(message.latitude, message.longitude)


def country_reasons(text: str) -> list[str]:
    """Say why *text* is no ISO 3166-1 alpha-2 code in form."""
    sound = len(text) == 2 and text.isascii() and text.isalpha() and text.isupper()
    return [] if sound else [f"{text!r} is not two upper-case letters"]


def ingress(check: Check, field: str, message: common_pb2.Ingress) -> Ingress:
    if not 1 <= message.port <= 65535:
        check.add(f"{field}.port", [f"is {message.port}; it must be from 1 to 65535"])
    if not message.ipv4 and not message.ipv6:
        check.add(field, ["needs at least one address in ipv4 or ipv6"])
    return Ingress(
        message.port,
        _addresses(check, f"{field}.ipv4", message.ipv4, 4),
        _addresses(check, f"{field}.ipv6", message.ipv6, 6),
    )


def _addresses(check: Check, field: str, values: Iterable[str], version: int) -> tuple[str, ...]:
    found: list[str] = []
    for number, value in enumerate(values):
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            address = None
        if address is None or address.version != version or "%" in value:
            check.add(f"{field}[{number}]", [f"{value!r} is not an IPv{version} address"])
        elif address.is_unspecified or address.is_multicast:
            check.add(f"{field}[{number}]", [f"{value} is not an address that clients can reach"])
        elif str(address) in found:
            check.add(f"{field}[{number}]", [f"{value} stands there twice"])
        else:
            found.append(str(address))
    if len(found) > _ADDRESSES_MAX:
        check.add(field, [f"holds {len(found)} addresses; at most {_ADDRESSES_MAX} are allowed"])
    return tuple(found)
