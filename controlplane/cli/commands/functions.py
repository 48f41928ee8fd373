"""`nearhop functions`."""

import asyncio
import sys
from enum import StrEnum
from typing import Annotated

import typer

from controlplane.cli import endpoint, options
from controlplane.client.failure import Exit, Failure

app = typer.Typer(help="List, show, change and delete functions.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The function.")]


class RoutingName(StrEnum):
    """What --routing takes."""

    NEAREST = "nearest"
    FAILOVER = "failover"
    WEIGHTED = "weighted"


@app.command("list")
def list_functions(
    as_json: options.Json = False, at: options.Endpoint = None, state_dir: options.StateDir = None
) -> None:
    """List all functions."""
    from controlplane.cli import listing  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await listing.functions(connection, json=as_json)

    asyncio.run(work())


@app.command("show")
def show_function(
    name: Name, as_json: options.Json = False, at: options.Endpoint = None, state_dir: options.StateDir = None
) -> None:
    """Show one function: its hostnames, limits, versions, and which node serves which version."""
    from controlplane.cli import listing  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await listing.function(connection, name, json=as_json)

    asyncio.run(work())


@app.command("delete")
def delete_function(
    name: Name, yes: options.Yes = False, at: options.Endpoint = None, state_dir: options.StateDir = None
) -> None:
    """Delete a function with all its versions; its hostnames stop answering."""
    from controlplane.cli import listing  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

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


@app.command("update")
def update_function(
    name: Name,
    *,
    hostname: Annotated[
        list[str] | None,
        typer.Option(help="A domain of yours that it answers; may be repeated, and replaces those before."),
    ] = None,
    no_hostnames: Annotated[bool, typer.Option("--no-hostnames", help="Give all your domains up.")] = False,
    route: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST/PATH", help="A path of a domain that it answers; may be repeated, and replaces those before."
        ),
    ] = None,
    no_routes: Annotated[bool, typer.Option("--no-routes", help="Give all path routes up.")] = False,
    cpu_ms: Annotated[int, typer.Option(min=0, help="CPU time of a request.")] = 0,
    memory_mib: Annotated[int, typer.Option(min=0, help="V8's heap.")] = 0,
    wall_ms: Annotated[int, typer.Option(min=0, help="Time to answer.")] = 0,
    subrequests: Annotated[int, typer.Option(min=0, help="Outgoing requests of one request.")] = 0,
    request_body_bytes: Annotated[int, typer.Option(min=0, help="The greatest body.")] = 0,
    concurrency: Annotated[int, typer.Option(min=0, help="Requests at once on a node.")] = 0,
    instances: Annotated[int, typer.Option(min=0, help="Sandboxes of a version on a node.")] = 0,
    rate_limit: Annotated[
        str | None, typer.Option(metavar="REQUESTS[/SECONDS]", help="Of one client on a node; 0 for none.")
    ] = None,
    routing: Annotated[RoutingName | None, typer.Option(help="What makes one node better than another.")] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(help="For failover: a region, in order; for weighted: REGION=NUMBER. May be repeated."),
    ] = None,
    allow_region: Annotated[
        list[str] | None, typer.Option(help='Only in this region; may be repeated, "" for all again.')
    ] = None,
    deny_region: Annotated[
        list[str] | None, typer.Option(help='Never in this region; may be repeated, "" for none again.')
    ] = None,
    answers: Annotated[int | None, typer.Option(min=1, max=8, help="Addresses in a DNS answer.")] = None,
    as_json: options.Json = False,
    at: options.Endpoint = None,
    state_dir: options.StateDir = None,
) -> None:
    """Change a function's domains, limits and policies; what is not named stays as it is."""
    from controlplane.cli import updating  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    limits = {
        "cpu_ms": cpu_ms, "memory_mib": memory_mib, "wall_ms": wall_ms, "subrequests": subrequests,
        "request_body_bytes": request_body_bytes, "concurrency": concurrency, "instances": instances,
    }  # fmt: skip
    changes = updating.Changes(
        limits={name: value for name, value in limits.items() if value},
        hostnames=[] if no_hostnames else hostname,
        routes=[] if no_routes else route,
        rate_limit=rate_limit,
        routing=None if routing is None else routing.value,
        regions=region or [],
        allowed=allow_region,
        denied=deny_region,
        answers=answers,
    )
    if changes == updating.Changes():
        raise Failure("nothing is to be changed", "name at least one option", status=Exit.USAGE)

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await updating.update(connection, name, changes, json=as_json)

    asyncio.run(work())


@app.command("purge")
def purge_function(name: Name, at: options.Endpoint = None, state_dir: options.StateDir = None) -> None:
    """Forget what the nodes' edge caches keep for a function."""
    from controlplane.cli import updating  # noqa: PLC0415  # keeps --help quick
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    async def work() -> None:
        async with rpc.connect(endpoint.resolve(at, state_dir)) as connection:
            await updating.purge(connection, name)

    asyncio.run(work())
