"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli.endpoint import SAID, Access

Endpoint = Annotated[
    list[str] | None,
    typer.Option(
        "--endpoint",
        envvar="NEARHOP_ENDPOINT",
        metavar="HOST:PORT",
        help="The control plane; by default that of the cluster on this machine. Several, repeated or with commas: any that answers.",
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


def access(
    token: Annotated[
        str,
        typer.Option(
            envvar="NEARHOP_TOKEN",
            help="An API token; by default that of the cluster on this machine. Other users see a command line: "
            "prefer NEARHOP_TOKEN.",
            show_default=False,
            show_envvar=True,
        ),
    ] = "",
    ca: Annotated[
        Path | None,
        typer.Option(
            envvar="NEARHOP_CA",
            metavar="FILE",
            help="The certificate of the control plane's authority (ca.pem).",
            show_default=False,
        ),
    ] = None,
) -> None:
    SAID.set(Access(token, ca))
