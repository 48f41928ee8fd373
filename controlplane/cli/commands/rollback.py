"""`nearhop rollback`."""

import asyncio
from typing import Annotated

import typer

from controlplane.cli import endpoint, options


def rollback(
    function: Annotated[str, typer.Argument(help="The function.")],
    to: Annotated[
        int,
        typer.Option(
            min=0, help="The version to go back to; by default the one before the present one.", show_default=False
        ),
    ] = 0,
    as_json: options.Json = False,
    at: options.Endpoint = None,
    state_dir: options.StateDir = None,
) -> None:
    """Deploy an earlier version of a function again."""
    from controlplane.client import deploying, outcome, rpc  # noqa: PLC0415  # keeps --help quick
    from nearhop.v1 import deployments_pb2  # noqa: PLC0415

    target = endpoint.resolve(at, state_dir)

    async def work() -> None:
        request = deployments_pb2.RollbackRequest(request_id=rpc.request_id(), function=function, to_version=to)
        async with rpc.connect(target) as connection:
            with outcome.Progress() as progress:
                ended = await deploying.follow(
                    lambda: connection.deployments.Rollback(request, timeout=rpc.STREAM_TIMEOUT_S),
                    progress.watch,
                    again=connection.several,
                )
            await outcome.conclude(connection, ended, json=as_json)

    asyncio.run(work())
