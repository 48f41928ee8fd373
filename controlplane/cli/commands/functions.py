"""`nearhop functions`."""

import asyncio
import sys
from typing import Annotated

import typer

from controlplane.cli import endpoint, options
from controlplane.cli.failure import Exit, Failure

app = typer.Typer(help="List, show and delete functions.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The function.")]


@app.command("list")
def list_functions(
    as_json: options.Json = False, at: options.Endpoint = None, state_dir: options.StateDir = None
) -> None:
    """List all functions."""
    from controlplane.cli import listing, rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await listing.functions(connection, json=as_json)

    asyncio.run(work())


@app.command("show")
def show_function(
    name: Name, as_json: options.Json = False, at: options.Endpoint = None, state_dir: options.StateDir = None
) -> None:
    """Show one function: its hostnames, limits, versions, and which node serves which version."""
    from controlplane.cli import listing, rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await listing.function(connection, name, json=as_json)

    asyncio.run(work())


@app.command("delete")
def delete_function(
    name: Name, yes: options.Yes = False, at: options.Endpoint = None, state_dir: options.StateDir = None
) -> None:
    """Delete a function with all its versions; its hostnames stop answering."""
    from controlplane.cli import listing, rpc  # noqa: PLC0415  # keeps --help quick

    target = endpoint.resolve(at, state_dir)
    if not yes:
        if not sys.stdin.isatty():
            raise Failure(
                f"{name} is not deleted", "there is no terminal to ask on", "Say --yes to delete it", status=Exit.USAGE
            )
        typer.confirm(f"Delete {name} with all its versions?", abort=True, err=True)

    async def work() -> None:
        async with rpc.connect(target) as connection:
            await listing.delete(connection, name)

    asyncio.run(work())
