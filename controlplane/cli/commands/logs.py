"""`nearhop logs`."""

import asyncio
from typing import Annotated

import typer

from controlplane.cli import endpoint, options


def logs(
    function: Annotated[str, typer.Argument(help="The function.")],
    follow: Annotated[bool, typer.Option("--follow", help="Go on until it is interrupted.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    at: options.Endpoint = None,
    state_dir: options.StateDir = None,
) -> None:
    """Print what a function's programs said lately on every node, and what limits they ran into.

    Each control plane knows the log of the nodes connected to it: with several, name all of them by --endpoint.
    """
    from controlplane.cli import tailing  # noqa: PLC0415  # keeps --help quick

    asyncio.run(tailing.logs(endpoint.resolve(at, state_dir), function, follow=follow, as_json=as_json))
