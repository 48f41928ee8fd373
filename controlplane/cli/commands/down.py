"""`nearhop down`."""

from typing import Annotated

import typer

from controlplane.cli import options


def down(
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove the cluster's state folder too: functions, versions, logs.")
    ] = False,
    state_dir: options.StateDir = None,
) -> None:
    """Stop the cluster on this machine."""
    from deploy.local import down as local  # noqa: PLC0415  # keeps --help quick

    local.main(state_dir, purge=purge)
