"""`nearhop nodes`."""

import asyncio
from typing import Annotated

import typer

from controlplane.cli import endpoint, options

app = typer.Typer(help="List nodes, drain them, take them back, forget them.", no_args_is_help=True)
Node = Annotated[str, typer.Argument(help="The node's id.")]


@app.command("list")
def list_nodes(as_json: options.Json = False, at: options.Endpoint = None, state_dir: options.StateDir = None) -> None:
    """List all nodes with their health."""
    from controlplane.cli import listing  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await listing.nodes(connection, json=as_json)

    asyncio.run(work())


@app.command("drain")
def drain_node(
    node: Node, as_json: options.Json = False, at: options.Endpoint = None, state_dir: options.StateDir = None
) -> None:
    """Take a node out of every answer; requests that still reach it are served."""
    from controlplane.cli import listing  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await listing.drain(connection, node, json=as_json)

    asyncio.run(work())


@app.command("uncordon")
def uncordon_node(
    node: Node, as_json: options.Json = False, at: options.Endpoint = None, state_dir: options.StateDir = None
) -> None:
    """Take a drained node back into the answers."""
    from controlplane.cli import listing  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await listing.uncordon(connection, node, json=as_json)

    asyncio.run(work())


@app.command("delete")
def delete_node(node: Node, at: options.Endpoint = None, state_dir: options.StateDir = None) -> None:
    """Forget a node that has gone for good; its agent must have ended."""
    from controlplane.cli import listing  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await listing.forget(connection, node)

    asyncio.run(work())
