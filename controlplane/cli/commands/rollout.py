"""`nearhop rollout`."""

import asyncio
from typing import Annotated

import typer

from controlplane.cli import endpoint, options
from controlplane.client.target import Target

app = typer.Typer(help="Watch a gradual deployment, pause it, let it go on, cut it short.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The function.")]


@app.command()
def status(
    function: Name, as_json: options.Json = False, at: options.Endpoint = None, state_dir: options.StateDir = None
) -> None:
    """Show how far a function's newest deployment is, and which version has which share of the traffic."""
    from controlplane.cli import rollouts  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await rollouts.status(connection, function, json=as_json)

    asyncio.run(work())


@app.command()
def pause(
    function: Name, as_json: options.Json = False, at: options.Endpoint = None, state_dir: options.StateDir = None
) -> None:
    """Keep the present shares; a version that fails is still rolled back."""
    _change("pause", function, as_json, endpoint.resolve(at, state_dir))


@app.command()
def resume(
    function: Name, as_json: options.Json = False, at: options.Endpoint = None, state_dir: options.StateDir = None
) -> None:
    """Go on after a pause; after a hold, go to the next step."""
    _change("resume", function, as_json, endpoint.resolve(at, state_dir))


@app.command()
def promote(
    function: Name, as_json: options.Json = False, at: options.Endpoint = None, state_dir: options.StateDir = None
) -> None:
    """Leave the other steps out: all the traffic, as soon as every connected node has the version ready."""
    _change("promote", function, as_json, endpoint.resolve(at, state_dir))


@app.command()
def abort(
    function: Name, as_json: options.Json = False, at: options.Endpoint = None, state_dir: options.StateDir = None
) -> None:
    """Give all the traffic back to the version before."""
    _change("abort", function, as_json, endpoint.resolve(at, state_dir))


def _change(verb: str, function: str, as_json: bool, target: Target) -> None:
    from controlplane.cli import rollouts  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(target) as connection:
            await rollouts.change(connection, function, verb, json=as_json)

    asyncio.run(work())
