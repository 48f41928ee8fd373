"""`nearhop secret`."""

import asyncio
import sys
from typing import Annotated

import typer

from controlplane.cli import endpoint, options
from controlplane.client.failure import Exit, Failure

app = typer.Typer(help="Set, list and remove secrets of functions.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The secret's name, under which programs read it.")]
Function = Annotated[str, typer.Option("--function", "-f", help="The function.")]


@app.command("put")
def put(name: Name, *, function: Function, at: options.Endpoint = None, state_dir: options.StateDir = None) -> None:
    """Set a secret. Its value is read from standard input, or asked for: never an argument, which other users could see.

    One line end at the end of the input is not part of the value.
    """
    from controlplane.cli import updating  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    value = _value(name)

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await updating.put_secret(connection, function, name, value)

    asyncio.run(work())


@app.command("list")
def list_secrets(
    *,
    function: Function,
    as_json: options.Json = False,
    at: options.Endpoint = None,
    state_dir: options.StateDir = None,
) -> None:
    """List the names of a function's secrets; their values are never given back."""
    from controlplane.cli import updating  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await updating.secrets(connection, function, json=as_json)

    asyncio.run(work())


@app.command("delete")
def delete(name: Name, *, function: Function, at: options.Endpoint = None, state_dir: options.StateDir = None) -> None:
    """Remove a secret; the function's sandboxes are replaced by new ones without it."""
    from controlplane.cli import updating  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await updating.delete_secret(connection, function, name)

    asyncio.run(work())


def _value(name: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(f"Value of {name}", hide_input=True, err=True))
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise Failure("the value is not UTF-8 text", str(error), status=Exit.USAGE) from error
    return text.removesuffix("\n").removesuffix("\r")
