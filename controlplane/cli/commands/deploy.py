"""`nearhop deploy`."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli import endpoint, options
from controlplane.cli.failure import Exit, Failure


class DialectName(StrEnum):
    """The dialects that --dialect takes."""

    WORKERS = "workers"
    DENO = "deno"


def deploy(
    path: Annotated[Path, typer.Argument(help="A .js, .ts, .mjs, .jsx or .tsx file, or a project folder.")],
    *,
    name: Annotated[
        str | None, typer.Option(help="The function; by default the file's, the folder's or wrangler.toml's name.")
    ] = None,
    message: Annotated[str, typer.Option("--message", "-m", help="What this version is, for people.")] = "",
    entrypoint: Annotated[str | None, typer.Option(help="The entrypoint, relative to the folder.")] = None,
    dialect: Annotated[DialectName | None, typer.Option(help="Overrides what the program's text tells.")] = None,
    as_json: options.Json = False,
    at: options.Endpoint = None,
    state_dir: options.StateDir = None,
) -> None:
    """Bundle a program into one module and run it on every node.

    Ends with 1 when a node refuses it; the version before goes on serving then.
    """
    from controlplane.bundle import bundle, locate  # noqa: PLC0415  # keeps --help quick
    from controlplane.cli import deploying, rpc  # noqa: PLC0415
    from controlplane.model import Dialect  # noqa: PLC0415

    target = endpoint.resolve(at, state_dir)
    project = locate(path, entrypoint)
    function = name or project.name
    if function is None:
        raise Failure(f"no function name can be made of {path}", do="Give one with --name NAME", status=Exit.USAGE)

    async def work() -> None:
        made = await bundle(project, Dialect(dialect.value) if dialect else None)
        async with rpc.connect(target) as connection:
            with deploying.Progress() as progress:
                _, ended = await deploying.deploy(
                    connection, made, function=function, message=message, watch=progress.watch
                )
            await deploying.conclude(connection, ended, json=as_json)

    asyncio.run(work())
