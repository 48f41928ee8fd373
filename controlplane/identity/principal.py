"""Whom the control plane takes a caller for."""

from dataclasses import dataclass
from enum import StrEnum

from nearhop.spiffe import Part

EVERY_FUNCTION = "*"


class ApiRole(StrEnum):
    """What an API token may do."""

    VIEWER = "viewer"
    DEPLOYER = "deployer"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Anonymous:
    """A caller that has shown nothing, or nothing that holds; *reason* says which."""

    reason: str = "the call carries no API token and no certificate"

    def __str__(self) -> str:
        return "anonymous"


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """The holder of an API token. *functions* are those that a deployer may change."""

    token_id: str
    name: str
    role: ApiRole
    functions: frozenset[str] = frozenset()
    expires_at: float | None = None

    def __str__(self) -> str:
        return f"{self.role.value} {self.name}"

    def may_change(self, function: str) -> bool:
        """Tell whether the token lets its holder change *function*."""
        return self.role is ApiRole.ADMIN or (
            self.role is ApiRole.DEPLOYER and bool({function, EVERY_FUNCTION} & self.functions)
        )


@dataclass(frozen=True, slots=True)
class PartCaller:
    """A part of the fleet with a certificate; *epoch* and *not_after* (seconds since 1970) are the certificate's."""

    part: Part
    epoch: int
    not_after: float

    def __str__(self) -> str:
        return str(self.part)


Principal = Anonymous | ApiCaller | PartCaller
