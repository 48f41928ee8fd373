"""`nearhop deploy`."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli import endpoint, options
from controlplane.client.failure import Exit, Failure


class DialectName(StrEnum):
    """The dialects that --dialect takes."""

    WORKERS = "workers"
    DENO = "deno"
    VERCEL = "vercel"
    STATIC = "static"


def deploy(
    path: Annotated[
        Path, typer.Argument(help="A .js, .ts, .mjs, .jsx or .tsx file, a project folder, or a folder of static files.")
    ],
    *,
    name: Annotated[
        str | None, typer.Option(help="The function; by default the file's, the folder's or the configuration's name.")
    ] = None,
    message: Annotated[str, typer.Option("--message", "-m", help="What this version is, for people.")] = "",
    entrypoint: Annotated[str | None, typer.Option(help="The entrypoint, relative to the folder.")] = None,
    environment: Annotated[
        str | None, typer.Option("--env", help="The environment of the Wrangler configuration.")
    ] = None,
    dialect: Annotated[DialectName | None, typer.Option(help="Overrides what the program's text tells.")] = None,
    gradual: Annotated[
        str | None,
        typer.Option(
            metavar="STEPS", help="In steps: percentages that ascend to 100, such as 10,50,100.", show_default=False
        ),
    ] = None,
    pause: Annotated[float, typer.Option(min=0, help="Seconds between two steps of --gradual.")] = 60.0,
    hold: Annotated[bool, typer.Option("--hold", help="Wait after each step until `nearhop rollout resume`.")] = False,
    max_failures: Annotated[
        int,
        typer.Option(
            min=0, help="Failures within one step that are still borne; one more rolls it back.", show_default="10"
        ),
    ] = 0,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the last step, not just for the first.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Bundle, and print what would be deployed; nothing is sent.")
    ] = False,
    as_json: options.Json = False,
    at: options.Endpoint = None,
    state_dir: options.StateDir = None,
) -> None:
    """Bundle a program into one module and run it on every node, with its static files.

    Reads wrangler.toml, vercel.json and deno.json as they are, and warns of what is not honored in them. Ends with 1 when a node refuses the
    version; the one before goes on serving then. With --gradual it ends once the nodes serve the first step; the others follow by themselves.
    """
    from controlplane.bundle import bundle, locate  # noqa: PLC0415  # keeps --help quick
    from controlplane.cli import rollouts  # noqa: PLC0415
    from controlplane.client import deploying, manifesting, outcome, rpc, show  # noqa: PLC0415
    from nearhop.spec import Dialect  # noqa: PLC0415

    steps = None if gradual is None else rollouts.steps(gradual, pause_s=pause, hold=hold, max_failures=max_failures)
    target = None if dry_run else endpoint.resolve(at, state_dir)
    chosen = Dialect(dialect.value) if dialect else None
    project = locate(path, entrypoint, environment=environment, dialect=chosen)
    function = name or project.name
    if function is None:
        raise Failure(f"no function name can be made of {path}", do="Give one with --name NAME", status=Exit.USAGE)

    async def work() -> None:
        made = await bundle(project, chosen)
        for warning in made.warnings:
            show.note(f"warning: {show.line(warning)}", style="yellow")
        if target is None:
            planned = manifesting.plan(made, function)
            if as_json:
                show.emit(planned)
            for line in [] if as_json else manifesting.lines(planned):
                show.say(show.line(line))
            return
        async with rpc.connect(target) as connection:
            with outcome.Progress() as progress:
                _, last = await deploying.deploy(
                    connection,
                    made,
                    function=function,
                    message=message,
                    watch=progress.watch,
                    gradual=steps,
                    wait=wait,
                )
            await outcome.conclude(connection, last, json=as_json)

    asyncio.run(work())
