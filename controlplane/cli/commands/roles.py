"""`nearhop controlplane`, `router`, `node`, `dashboard`: one part in the foreground. `nearhop node join`, `nearhop setup`."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from controlplane.client.failure import Exit, Failure
from nearhop.errors import InvalidInput
from nearhop.spiffe import Part, Role, reasons

node = typer.Typer()
Config = Annotated[
    Path, typer.Option("--config", metavar="FILE", exists=True, dir_okay=False, help="The part's TOML file.")
]


def controlplane(config: Config) -> None:
    """Run a control plane in the foreground."""
    _become("controlplane", "--config", str(config))


def setup(context: typer.Context) -> None:
    """Prepare a fleet on many hosts: `nearhop setup keys --help`, `nearhop setup tokens --help`."""
    _become("controlplane.setup", *context.args)


def router(config: Config) -> None:
    """Run a router in the foreground."""
    _become("controlplane.router", "--config", str(config))


@node.callback(invoke_without_command=True)
def run_node(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", exists=True, dir_okay=False, help="The part's TOML file."),
    ] = None,
) -> None:
    """Run a node agent in the foreground, or have it join."""
    if context.invoked_subcommand is not None:
        return
    if config is None:
        raise Failure("a node needs its configuration", do="Name it with --config FILE", status=Exit.USAGE)
    _become("node", "--config", str(config))


@node.command("join")
def join_node(
    name: Annotated[str, typer.Argument(metavar="ID", help="The node's id, as in its configuration.")],
    *,
    region: Annotated[str, typer.Option(help="The node's region, as in its configuration.")],
    token: Annotated[
        str, typer.Option(envvar="NEARHOP_JOIN_TOKEN", help="What `nearhop token create --role node` printed.")
    ],
    control_plane: Annotated[
        list[str], typer.Option(metavar="HOST:PORT", help="The API's address of a control plane; may be repeated.")
    ],
    folder: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            help="Where the certificate goes: the node's identity_dir, by default <state_dir>/identity.",
        ),
    ],
) -> None:
    """Exchange a join token for the node's certificate; the key is made here. The node may run already."""
    from controlplane.client import show  # noqa: PLC0415  # keeps --help quick
    from nearhop import enroll  # noqa: PLC0415

    part = Part(Role.NODE, name, region)
    if violations := reasons(part):
        raise InvalidInput(violations)
    try:
        credentials = asyncio.run(enroll.join(folder, part, token=token, endpoints=control_plane))
    except enroll.EnrollError as error:
        raise Failure(str(error), status=Exit.FAILED if error.final else Exit.UNREACHABLE) from error
    until = credentials.certificate.not_valid_after_utc
    show.say(f"{name} has joined; its certificate in {folder} holds until {until:%F %T} UTC and renews itself.")


def dashboard(config: Config) -> None:
    """Run a dashboard in the foreground."""
    _become("controlplane.dashboard", "--config", str(config))


def _become(module: str, *arguments: str) -> None:
    # -P: a folder that happens to be called "node" where the user stands must not be taken for ours.
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])  # noqa: S606  # an argument list, no shell
