"""`nearhop token`."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from controlplane.cli import endpoint, options
from controlplane.client.failure import Exit, Failure

app = typer.Typer(help="Make, list and revoke API tokens and join tokens.", no_args_is_help=True)


class RoleName(StrEnum):
    """What --role takes: an API token's rights, or what joins with a join token."""

    VIEWER = "viewer"
    DEPLOYER = "deployer"
    ADMIN = "admin"
    NODE = "node"
    ROUTER = "router"


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="The token's name, or the id of the node or router that joins with it.")],
    *,
    role: Annotated[RoleName, typer.Option(help="What the token is for.")],
    function: Annotated[
        list[str] | None, typer.Option(help='For a deployer: a function that it may change, or "*"; may be repeated.')
    ] = None,
    region: Annotated[str, typer.Option(help="For a node: its region.")] = "",
    ttl: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long it holds; 0: for ever, a join token 10 minutes.")
    ] = 0.0,
    replace: Annotated[
        bool, typer.Option("--replace", help="For a join token: the name may be taken over from who has it.")
    ] = False,
    as_json: options.Json = False,
    at: options.Endpoint = None,
    state_dir: options.StateDir = None,
) -> None:
    """Make a token and print it; it is never shown again."""
    from controlplane.cli import credentials  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    joins = role in (RoleName.NODE, RoleName.ROUTER)
    if function and role is not RoleName.DEPLOYER:
        raise Failure("--function is for --role deployer", status=Exit.USAGE)
    if replace and not joins:
        raise Failure("--replace is for --role node and --role router", status=Exit.USAGE)

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            if joins:
                await credentials.create_join(
                    connection, name, role.value, region=region, ttl_s=ttl, replace=replace, json=as_json
                )
            else:
                await credentials.create_api(
                    connection, name, role.value, functions=function or [], ttl_s=ttl, json=as_json
                )

    asyncio.run(work())


@app.command("list")
def list_tokens(as_json: options.Json = False, at: options.Endpoint = None, state_dir: options.StateDir = None) -> None:
    """List all tokens, without their secrets."""
    from controlplane.cli import credentials  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await credentials.list_tokens(connection, json=as_json)

    asyncio.run(work())


@app.command("revoke")
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The token's id, as `nearhop token list` shows it.")],
    at: options.Endpoint = None,
    state_dir: options.StateDir = None,
) -> None:
    """End a token at once."""
    from controlplane.cli import credentials  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await credentials.revoke_token(connection, token_id)

    asyncio.run(work())
