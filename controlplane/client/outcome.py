"""How a deployment goes, and how it has ended: for people on a terminal, and as JSON for programs."""

import sys
from typing import Any

from rich.live import Live
from rich.table import Table
from rich.text import Text

from controlplane.client import show
from controlplane.client.addresses import function_url
from controlplane.client.deploying import gave_back, has_ended
from controlplane.client.failure import Failure
from controlplane.client.rpc import TIMEOUT_S, Connection
from nearhop.v1 import deployments_pb2, functions_pb2, nodes_pb2

_STATES = {
    deployments_pb2.NodeProgress.STATE_PENDING: ("pending", "yellow"),
    deployments_pb2.NodeProgress.STATE_ACTIVE: ("active", "green"),
    deployments_pb2.NodeProgress.STATE_REFUSED: ("refused", "red"),
    deployments_pb2.NodeProgress.STATE_UNREACHABLE: ("unreachable", "dim"),
}
PHASES = {
    deployments_pb2.Deployment.PHASE_PROGRESSING: "progressing",
    deployments_pb2.Deployment.PHASE_COMPLETE: "complete",
    deployments_pb2.Deployment.PHASE_FAILED: "failed",
    deployments_pb2.Deployment.PHASE_PAUSED: "paused",
    deployments_pb2.Deployment.PHASE_ROLLED_BACK: "rolled back",
}


class Progress:
    """Progress per node on standard error: a table that changes in place on a terminal, else a line for each change."""

    def __init__(self) -> None:
        self._console = show.console(sys.stderr)
        self._live = (
            Live(console=self._console, transient=True, auto_refresh=False) if self._console.is_terminal else None
        )
        self._said: dict[str, str] = {}

    def __enter__(self) -> "Progress":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def watch(self, deployment: deployments_pb2.Deployment) -> None:
        """Show *deployment* as it is now."""
        if self._live is not None:
            self._live.update(progress_table(deployment, self._console.width), refresh=True)
            return
        if deployment.HasField("rollout") and self._said.get("") != deployment.reason:
            self._said[""] = deployment.reason
            self._console.print(Text(show.line(deployment.reason)), soft_wrap=True)
        for node in deployment.nodes:
            state, _ = _STATES.get(node.state, ("unknown", ""))
            if self._said.get(node.node) != state:
                self._said[node.node] = state
                self._console.print(Text(f"{show.line(node.node)} ({show.line(node.region)}): {state}"), soft_wrap=True)


def progress_table(deployment: deployments_pb2.Deployment, width: int) -> Table:
    """Return *deployment*'s progress per node as a table for a terminal of *width* columns."""
    rows = []
    for node in deployment.nodes:
        state, style = _STATES.get(node.state, ("unknown", ""))
        rows.append((node.region, node.node, Text(state, style=style), node.error))
    table = show.table(("region", "node", "state", "error"), rows, flexible="error", width=width)
    if deployment.HasField("rollout"):
        table.caption = Text(show.line(deployment.reason))
    return table


def as_json(
    deployment: deployments_pb2.Deployment, function: functions_pb2.Function, nodes: list[nodes_pb2.Node]
) -> dict[str, Any]:
    """Return what `--json` prints about a deployment."""
    hostname = function.hostnames[0] if function.hostnames else None
    return {
        "function": deployment.function,
        "version": _version(deployment),
        "generation": deployment.generation,
        "phase": PHASES.get(deployment.phase, "unknown"),
        "reason": deployment.reason,
        "hostname": hostname,
        "url": function_url(hostname, nodes),
        "nodes": [
            {
                "node": node.node,
                "region": node.region,
                "state": _STATES.get(node.state, ("unknown", ""))[0],
                "error": node.error,
            }
            for node in deployment.nodes
        ],
        "shares": {str(share.version): share.percent for share in deployment.shares},
        "rollout": rollout_json(deployment),
        "note": deployment.note,
    }


def _version(deployment: deployments_pb2.Deployment) -> int | None:
    if deployment.HasField("rollout"):
        return deployment.rollout.version
    return max(deployment.shares, key=lambda share: share.percent).version if deployment.shares else None


def rollout_json(deployment: deployments_pb2.Deployment) -> dict[str, Any] | None:
    """Return how far a gradual deployment is; None of one that goes all at once."""
    if not deployment.HasField("rollout"):
        return None
    rollout = deployment.rollout
    return {
        "version": rollout.version,
        "steps": list(rollout.gradual.steps),
        "step": rollout.step,
        "pause_s": rollout.gradual.pause_s,
        "hold": rollout.gradual.hold,
        "max_failures": rollout.gradual.max_failures,
        "failures": rollout.failures,
        "reached": rollout.HasField("reached_at"),
        "next_at": rollout.next_at.ToJsonString() if rollout.HasField("next_at") else None,
    }


async def conclude(connection: Connection, deployment: deployments_pb2.Deployment, *, json: bool) -> None:
    """Print how *deployment* ended, or how far it is. Raises Failure when it failed, with each node's own error."""
    function = await connection.functions.GetFunction(
        functions_pb2.GetFunctionRequest(name=deployment.function), timeout=TIMEOUT_S
    )
    nodes = await connection.nodes.ListNodes(nodes_pb2.ListNodesRequest(), timeout=TIMEOUT_S)
    result = as_json(deployment, function, list(nodes.nodes))
    if json:
        show.emit(result)
    if gave_back(deployment):
        raise refusal(deployment)
    if deployment.note:
        show.note(f"note: {show.line(deployment.note)}", style="yellow")
    if not json and not has_ended(deployment):
        show.say(show.line(f"{deployment.function}: {deployment.reason}"))
        show.say(f"It goes on by itself: nearhop rollout status {deployment.function}")
        show.say(result["url"] or result["hostname"] or "")
    elif not json:
        active = sum(node["state"] == "active" for node in result["nodes"])
        late = len(result["nodes"]) - active
        show.say(
            f"{result['function']} version {result['version']} is served by {active} node{'' if active == 1 else 's'}"
            + (f"; {late} will catch up when reachable" if late else "")
        )
        show.say(result["url"] or result["hostname"] or "")


def refusal(deployment: deployments_pb2.Deployment) -> Failure:
    """Return the failure that a failed *deployment* is; nodes that refused it for the same reason share a line."""
    by_error: dict[str, list[str]] = {}
    for node in deployment.nodes:
        if node.state == deployments_pb2.NodeProgress.STATE_REFUSED:
            by_error.setdefault(node.error.strip() or "no reason given", []).append(node.node)
    previous = max(deployment.previous, key=lambda share: share.percent, default=None)
    rolled_back = deployment.phase == deployments_pb2.Deployment.PHASE_ROLLED_BACK
    return Failure(
        f"the deployment of {deployment.function} {'was rolled back' if rolled_back else 'failed'}",
        deployment.reason.strip().split("\n")[0],
        f"Version {previous.version} goes on serving" if previous else "",
        reasons=tuple(f"{', '.join(nodes)}:\n{error}" for error, nodes in by_error.items()),
    )
