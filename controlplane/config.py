"""The control plane's configuration file."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from nearhop.errors import InvalidInput, Violation
from nearhop.names import hostname_reasons

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """How long things may take, and how much may be kept."""

    heartbeat_interval_s: Positive = 2.0
    lease_ttl_s: Annotated[float, Field(ge=2, le=3600)] = 6.0  # etcd grants no lease under 2 s
    progress_deadline_s: Positive = 60.0
    bundle_grace_s: Positive = 600.0
    bundle_quota_mib: Annotated[int, Field(ge=10)] = 1024
    shutdown_grace_s: Positive = 5.0


@dataclass(frozen=True, slots=True)
class Config:
    """*listen* is the API's host:port; *geoip_database* is a City database in MaxMind's format, or empty for none."""

    etcd: list[str]
    zone: str
    listen: str = "127.0.0.1:7400"
    geoip_database: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    limits: LimitsConfig = field(default_factory=LimitsConfig)

    def __post_init__(self) -> None:
        violations = [Violation("zone", reason) for reason in hostname_reasons(self.zone)]
        violations += [Violation("etcd", "needs at least one host:port")] if not self.etcd else []
        for name, value in [("listen", self.listen), *(("etcd", endpoint) for endpoint in self.etcd)]:
            if not _is_host_and_port(value):
                violations.append(Violation(name, f"{value!r} is not host:port"))
        if self.limits.lease_ttl_s < 2 * self.limits.heartbeat_interval_s:
            violations.append(Violation("limits.lease_ttl_s", "must be at least twice limits.heartbeat_interval_s"))
        if violations:
            raise InvalidInput(violations)


def _is_host_and_port(value: str) -> bool:
    host, colon, port = value.rpartition(":")
    return bool(colon and host) and port.isascii() and port.isdigit() and int(port) <= 65535
