"""Where control planes are, and how to speak to them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Target:
    """Where control planes are, host:port with commas between, and how to speak to them. Without *ca* in the open, on loopback only."""

    address: str
    ca: Path | None = None
    token: str = ""

    def __str__(self) -> str:
        return self.address

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Each control plane's host:port."""
        return tuple(self.address.split(","))
