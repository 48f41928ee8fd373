"""`nearhop up`."""

from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli import options
from controlplane.client.failure import Exit, Failure
from deploy.local import regions, settings

_DEFAULT = ",".join(settings.DEFAULT_REGIONS)


def up(
    *,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when the cluster is ready and leave it running.")
    ] = False,
    region: Annotated[
        str, typer.Option("--regions", metavar="NAME[:COUNT],…", help="The regions, and how many nodes each has (1).")
    ] = _DEFAULT,
    base_port: Annotated[
        int, typer.Option(min=1024, max=65000, help="The control plane's port; the other ports follow it.")
    ] = settings.BASE_PORT,
    node_network: Annotated[
        str, typer.Option(metavar="A.B.C", help="The first three numbers of the nodes' loopback addresses.")
    ] = settings.NODE_NETWORK,
    geoip: Annotated[
        Path | None,
        typer.Option(
            envvar="NEARHOP_GEOIP",
            metavar="FILE",
            help="A City database in MaxMind's format; by default DB-IP City Lite.",
        ),
    ] = None,
    state_dir: options.StateDir = None,
) -> None:
    """Run a whole cluster on this machine: etcd, a control plane, a router, and nodes in several regions.

    Deploys a sample function and shows how clients around the world are answered by their nearest node. Everything listens on
    loopback. Stays in the foreground until Ctrl-C, unless --detach is given.
    """
    from deploy.local import up as local  # noqa: PLC0415  # keeps --help quick

    try:
        chosen = settings.Settings.of(
            state_dir=state_dir, regions=region, base_port=base_port, node_network=node_network, geoip=geoip
        )
    except ValueError as error:
        known = ", ".join(sorted(regions.REGIONS))
        raise Failure(str(error), do=f"Known regions: {known}", status=Exit.USAGE) from error
    raise typer.Exit(local.main(chosen, detach=detach))
