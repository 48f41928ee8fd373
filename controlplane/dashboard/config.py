"""The dashboard's configuration."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from nearhop.log import Format

Seconds = Annotated[float, Field(gt=0, le=60)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """*hostnames* are the names under which browsers may reach it, beside localhost and any address: a Host header with another name is refused,
    so that no website can make its own name point here and act in the person's stead (DNS rebinding).
    *authorities* is a file with the certificates of the fleet's authority: with it the control planes are spoken to by TLS.
    *secure_cookie* belongs behind a proxy that ends TLS.
    """

    control_planes: Annotated[list[str], Field(min_length=1)]
    listen: str = "127.0.0.1:7470"
    authorities: Path | None = None
    hostnames: tuple[str, ...] = ()
    secure_cookie: bool = False
    refresh_interval_s: Seconds = 1.0
    call_timeout_s: Seconds = 5.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Format = "text"
