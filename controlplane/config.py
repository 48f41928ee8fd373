"""The control plane's configuration file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from controlplane.geoip import PlacesConfig
from controlplane.store.election import TTL_S
from nearhop.errors import InvalidInput, Violation
from nearhop.names import hostname_reasons, is_loopback, node_id_reasons

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """How long things may take, and how much may be kept."""

    heartbeat_interval_s: Positive = 2.0
    lease_ttl_s: Annotated[float, Field(ge=2, le=3600)] = 6.0  # etcd grants no lease under 2 s
    leader_ttl_s: Annotated[int, Field(ge=2, le=60)] = TTL_S
    progress_deadline_s: Positive = 60.0
    bundle_grace_s: Positive = 600.0
    bundle_quota_mib: Annotated[int, Field(ge=10)] = 1024
    shutdown_grace_s: Positive = 5.0


@dataclass(frozen=True, slots=True)
class IdentityConfig:
    """Who may speak to the control plane. *key_file* holds the key-encryption key, the same for all control planes and not in the store.

    *listen* is the fleet's host:port, where nodes and routers connect with their certificates. *names* are the hosts and addresses under which
    clients that check names reach this control plane. Into *bootstrap_dir* go the authority's certificate and a first admin token.
    """

    key_file: Path
    listen: str
    id: str = "controlplane"
    trust_domain: str = ""  # the zone
    names: list[str] = field(default_factory=lambda: ["localhost", "127.0.0.1", "::1"])
    certificate_life_s: Annotated[float, Field(ge=2, le=90 * 86400)] = 86_400.0
    bootstrap_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class EtcdTlsConfig:
    """The authority that etcd's certificates are of, and this control plane's certificate and key towards etcd, in PEM."""

    authority: Path
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Config:
    """*listen* is the API's host:port; *geoip_database* is a City database in MaxMind's format, or empty for none; an ASN database and an operator's
    file of places as the routers have them are for explanations that tell the same.

    *metrics_listen* is the host:port where monitors read /metrics over HTTP, or empty for nowhere: it asks for no credential.

    *insecure* is for tests of one part: no identities, no TLS, on loopback only.
    """

    etcd: list[str]
    zone: str
    listen: str = "127.0.0.1:7400"
    geoip_database: str = ""
    metrics_listen: str = ""
    geoip_asn_database: str = ""
    places_file: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    identity: IdentityConfig | None = None
    etcd_tls: EtcdTlsConfig | None = None
    insecure: bool = False

    def places(self) -> PlacesConfig:
        """Return the files that tell where clients are."""
        return PlacesConfig(self.geoip_database, self.geoip_asn_database, self.places_file)

    @property
    def trust_domain(self) -> str:
        """The fleet's name in its certificates."""
        return (self.identity.trust_domain if self.identity else "") or self.zone

    def __post_init__(self) -> None:
        violations = [Violation("zone", reason) for reason in hostname_reasons(self.zone)]
        violations += [Violation("etcd", "needs at least one host:port")] if not self.etcd else []
        addresses = [("listen", self.listen), *(("etcd", endpoint) for endpoint in self.etcd)]
        addresses += [("metrics_listen", self.metrics_listen)] if self.metrics_listen else []
        for name, value in addresses:
            if not _is_host_and_port(value):
                violations.append(Violation(name, f"{value!r} is not host:port"))
        if self.limits.lease_ttl_s < 2 * self.limits.heartbeat_interval_s:
            violations.append(Violation("limits.lease_ttl_s", "must be at least twice limits.heartbeat_interval_s"))
        violations += self._identity_violations()
        if violations:
            raise InvalidInput(violations)

    def _identity_violations(self) -> list[Violation]:
        if self.identity is None:
            if not self.insecure:
                return [Violation("identity", "is missing: without it nobody could be told from anybody else")]
            if not is_loopback(self.listen):
                return [Violation("insecure", f"is for loopback only, and {self.listen} is not")]
            return []
        found = [Violation("insecure", "contradicts identity")] if self.insecure else []
        found += [Violation("identity.id", reason) for reason in node_id_reasons(self.identity.id)]
        found += [Violation("identity.trust_domain", reason) for reason in hostname_reasons(self.trust_domain)]
        if not _is_host_and_port(self.identity.listen):
            found.append(Violation("identity.listen", f"{self.identity.listen!r} is not host:port"))
        return found


def _is_host_and_port(value: str) -> bool:
    host, colon, port = value.rpartition(":")
    return bool(colon and host) and port.isascii() and port.isdigit() and int(port) <= 65535
