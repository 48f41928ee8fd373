"""`nearhop geoip`: the files that tell where clients are, on this host. Whoever uses them reads them anew when they change."""

from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli import options

app = typer.Typer(help="The files that tell where clients are.", no_args_is_help=True)

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="The router's (or control plane's) TOML file, which names the files; by default the database that is installed as a package.",
        show_default=False,
    ),
]


@app.callback()
def geoip() -> None:
    """The files that tell where clients are."""


@app.command("status")
def status(config: Config = None, as_json: options.Json = False) -> None:
    """Tell which databases and places file are configured, when they were built, and whether they are good."""
    from controlplane.cli import locating  # noqa: PLC0415  # keeps --help quick

    locating.status(locating.files(config), json=as_json)


@app.command("lookup")
def lookup(
    addresses: Annotated[list[str], typer.Argument(metavar="IP…", help="Addresses, IPv4 or IPv6.")],
    config: Config = None,
    as_json: options.Json = False,
) -> None:
    """Tell where addresses are, as a router with these files takes them to be."""
    from controlplane.cli import locating  # noqa: PLC0415  # keeps --help quick

    locating.lookup(locating.files(config), addresses, json=as_json)


@app.command("use")
def use(
    database: Annotated[
        Path, typer.Argument(metavar="DATABASE", exists=True, dir_okay=False, help="The new City database.")
    ],
    config: Annotated[
        Path,
        typer.Option(
            "--config", metavar="FILE", exists=True, dir_okay=False, help="The router's (or control plane's) TOML file."
        ),
    ],
    force: Annotated[bool, typer.Option(help="Even if it is older or knows far less than the one in use.")] = False,
) -> None:
    """Check a City database, and put it in the place of the configured one; what runs takes it over within seconds, without a restart."""
    from controlplane.cli import locating  # noqa: PLC0415  # keeps --help quick

    locating.use(database, locating.files(config), force=force)
