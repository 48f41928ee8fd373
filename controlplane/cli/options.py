"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Endpoint = Annotated[
    str | None,
    typer.Option(
        "--endpoint",
        envvar="NEARHOP_ENDPOINT",
        metavar="HOST:PORT",
        help="The control plane; by default that of the cluster on this machine.",
        show_default=False,
    ),
]
StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state-dir",
        envvar="NEARHOP_STATE_DIR",
        metavar="FOLDER",
        help="The folder of the cluster on this machine; by default ~/.local/state/nearhop.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, to standard output.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
