"""`nearhop`: the commands put together, and the one place where an error becomes an exit status."""

import os
import sys

import typer

from controlplane.cli import options
from controlplane.cli.commands import (
    deploy,
    down,
    functions,
    geoip,
    identities,
    logs,
    nodes,
    roles,
    rollback,
    rollout,
    route,
    secret,
    status,
    token,
    up,
    versions,
)
from controlplane.client import show
from controlplane.client.failure import Exit, Failure
from nearhop.errors import EngineMissing, InvalidInput, NearhopError

_HELP = """Deploy a function once; it runs in every region; each client is sent to its nearest healthy node."""
_EPILOG = (
    "Exit status: 0 done; 1 refused or failed, such as a deployment that a node refuses; 2 wrong arguments or input; "
    "4 the control plane or its store cannot be reached."
)

app = typer.Typer(
    name="nearhop",
    help=_HELP,
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.callback()(options.access)
app.command()(up.up)
app.command()(down.down)
app.command()(status.status)
app.command()(deploy.deploy)
app.command()(rollback.rollback)
app.command()(logs.logs)
app.add_typer(rollout.app, name="rollout")
app.add_typer(functions.app, name="functions")
app.add_typer(secret.app, name="secret")
app.add_typer(versions.app, name="versions")
app.add_typer(nodes.app, name="nodes")
app.add_typer(route.app, name="route")
app.add_typer(geoip.app, name="geoip")
app.add_typer(token.app, name="token")
app.add_typer(identities.app, name="identity")
for role in (roles.controlplane, roles.router, roles.dashboard):
    app.command(rich_help_panel="One part of a cluster")(role)
app.add_typer(roles.node, name="node", rich_help_panel="One part of a cluster")
app.command(
    rich_help_panel="One part of a cluster",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(roles.setup)


def main() -> None:
    """Run the command line and exit."""
    try:
        app()
    except NearhopError as error:
        failure = as_failure(error)
        show.fail(failure)
        sys.exit(failure.status)
    except KeyboardInterrupt:
        sys.exit(130)  # 128 + SIGINT, the shells' convention
    except BrokenPipeError:
        # Whoever read our output has enough; the interpreter must not complain while it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.FAILED)


def as_failure(error: NearhopError) -> Failure:
    """Return *error* as a command's end."""
    match error:
        case Failure():
            return error
        case InvalidInput():
            reasons = tuple(str(violation) for violation in error.violations)
            return Failure("the input is refused", reasons=reasons, status=Exit.USAGE)
        case EngineMissing():
            return Failure(str(error))
        case _:
            return Failure(str(error), status=Exit.USAGE)
