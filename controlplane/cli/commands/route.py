"""`nearhop route`."""

import asyncio
from typing import Annotated

import typer

from controlplane.cli import endpoint, options

app = typer.Typer(help="Where clients are sent, and why.", no_args_is_help=True)


@app.callback()
def route() -> None:
    """Where clients are sent, and why."""


Function = Annotated[str, typer.Option(help="The function it asks for; by default any.", show_default=False)]


@app.command("explain")
def explain(
    client: Annotated[
        str,
        typer.Argument(
            metavar="IP|CIDR|HOST",
            help="The client: its address, its network as a resolver tells it (ECS), or its host name.",
            show_default=False,
        ),
    ] = "",
    *,
    function: Function = "",
    as_country: Annotated[
        str, typer.Option(metavar="CC", help="As if only this country were known of it.", show_default=False)
    ] = "",
    resolver: Annotated[
        str,
        typer.Option(
            metavar="IP", help="Its resolver, which counts when its own address says nothing.", show_default=False
        ),
    ] = "",
    as_json: options.Json = False,
    at: options.Endpoint = None,
    state_dir: options.StateDir = None,
) -> None:
    """Tell to which node a client would be sent now, and why, with every candidate."""
    from controlplane.cli import explaining  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    question = explaining.question(client, function, as_country, resolver)

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await explaining.explain(connection, question, json=as_json)

    asyncio.run(work())


@app.command("simulate")
def simulate(
    *,
    sample: Annotated[int, typer.Option(min=1, max=100_000, help="How many networks to draw.")] = 10_000,
    drain: Annotated[
        str, typer.Option(metavar="NODE", help="Also tell what would change without it.", show_default=False)
    ] = "",
    function: Function = "",
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same networks.")] = 0,
    as_json: options.Json = False,
    at: options.Endpoint = None,
    state_dir: options.StateDir = None,
) -> None:
    """Tell which share of the world's clients each node would get, and how far away they are.

    Networks are drawn from the control plane's City database, with a chance in proportion to their addresses (IPv4).
    """
    from controlplane.cli import simulating  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await simulating.simulate(connection, sample, drain, function, seed=seed, json=as_json)

    asyncio.run(work())
