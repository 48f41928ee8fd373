"""`nearhop identity`."""

import asyncio
from typing import Annotated

import typer

from controlplane.cli import endpoint, options

app = typer.Typer(help="List the parts that have joined, and revoke their certificates.", no_args_is_help=True)


@app.command("list")
def list_identities(
    as_json: options.Json = False, at: options.Endpoint = None, state_dir: options.StateDir = None
) -> None:
    """List the nodes and routers that have joined."""
    from controlplane.cli import credentials  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await credentials.list_identities(connection, json=as_json)

    asyncio.run(work())


@app.command("revoke")
def revoke_identity(
    name: Annotated[str, typer.Argument(help="node/REGION/ID or router/ID.")],
    reason: Annotated[str, typer.Option(help="Why, for people.")] = "",
    at: options.Endpoint = None,
    state_dir: options.StateDir = None,
) -> None:
    """Make a part's certificates worthless: its streams end within seconds. It comes back only with a new join token."""
    from controlplane.cli import credentials  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await credentials.revoke_identity(connection, name, reason)

    asyncio.run(work())


@app.command("whoami")
def whoami(as_json: options.Json = False, at: options.Endpoint = None, state_dir: options.StateDir = None) -> None:
    """Show whom the control plane takes you for."""
    from controlplane.cli import credentials  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await credentials.whoami(connection, json=as_json)

    asyncio.run(work())
