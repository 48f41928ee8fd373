"""`nearhop route`."""

import asyncio
from typing import Annotated

import typer

from controlplane.cli import endpoint, options

app = typer.Typer(help="Where clients are sent, and why.", no_args_is_help=True)


@app.callback()
def route() -> None:
    """Where clients are sent, and why."""


@app.command("explain")
def explain(
    ip: Annotated[str, typer.Argument(metavar="IP", help="The client's address, IPv4 or IPv6.")],
    function: Annotated[str, typer.Option(help="The function it asks for; by default any.", show_default=False)] = "",
    as_json: options.Json = False,
    at: options.Endpoint = None,
    state_dir: options.StateDir = None,
) -> None:
    """Tell to which node a client would be sent now, and why, with every candidate."""
    from controlplane.cli import explaining, rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await explaining.explain(connection, ip, function, json=as_json)

    asyncio.run(work())
