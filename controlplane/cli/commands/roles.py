"""`nearhop controlplane`, `nearhop router`, `nearhop node`, `nearhop dashboard`: one part of a cluster in the foreground."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path, typer.Option("--config", metavar="FILE", exists=True, dir_okay=False, help="The part's TOML file.")
]


def controlplane(config: Config) -> None:
    """Run a control plane in the foreground."""
    _become("controlplane", config)


def router(config: Config) -> None:
    """Run a router in the foreground."""
    _become("controlplane.router", config)


def node(config: Config) -> None:
    """Run a node agent in the foreground."""
    _become("node", config)


def dashboard(config: Config) -> None:
    """Run a dashboard in the foreground."""
    _become("controlplane.dashboard", config)


def _become(module: str, config: Path) -> None:
    # -P: a folder that happens to be called "node" where the user stands must not be taken for ours.
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, "--config", str(config)])  # noqa: S606  # an argument list, no shell
