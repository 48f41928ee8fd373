"""`nearhop versions`."""

import asyncio
from typing import Annotated

import typer

from controlplane.cli import endpoint, options

app = typer.Typer(help="List a function's versions.", no_args_is_help=True)


@app.callback()
def versions() -> None:
    """List a function's versions."""


@app.command("list")
def list_versions(
    function: Annotated[str, typer.Argument(help="The function.")],
    as_json: options.Json = False,
    at: options.Endpoint = None,
    state_dir: options.StateDir = None,
) -> None:
    """List a function's versions, newest first, with their shares of the traffic; a star marks the one with the greatest."""
    from controlplane.cli import listing  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await listing.versions(connection, function, json=as_json)

    asyncio.run(work())
