"""Gradual deployments as the command line asks for them, shows them and changes them."""

from datetime import UTC, datetime
from typing import Any

from controlplane.client import deploying, outcome, show
from controlplane.client.failure import Exit, Failure
from controlplane.client.rpc import TIMEOUT_S, Connection, request_id
from nearhop.v1 import deployments_pb2

_CHANGES = {
    "pause": deployments_pb2.ChangeRolloutRequest.CHANGE_PAUSE,
    "resume": deployments_pb2.ChangeRolloutRequest.CHANGE_RESUME,
    "promote": deployments_pb2.ChangeRolloutRequest.CHANGE_PROMOTE,
    "abort": deployments_pb2.ChangeRolloutRequest.CHANGE_ABORT,
}


def steps(text: str, *, pause_s: float, hold: bool, max_failures: int) -> deployments_pb2.Gradual:
    """Read what --gradual says. The control plane judges whether the steps make sense."""
    words = [word.strip().removesuffix("%").strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and len(word) <= 9 for word in words):
        raise Failure(
            f"--gradual {text!r} is no list of percentages", do="Write them like 10,50,100", status=Exit.USAGE
        )
    return deployments_pb2.Gradual(steps=map(int, words), pause_s=pause_s, hold=hold, max_failures=max_failures)


async def status(connection: Connection, function: str, *, json: bool) -> None:
    """Print how far the function's newest deployment is."""
    request = deployments_pb2.GetDeploymentRequest(function=function)
    _print(await connection.deployments.GetDeployment(request, timeout=TIMEOUT_S), json=json)


async def change(connection: Connection, function: str, verb: str, *, json: bool) -> None:
    """Do what *verb*, a command's name, says to the gradual deployment that is under way, and print how it stands."""
    request = deployments_pb2.ChangeRolloutRequest(request_id=request_id(), function=function, change=_CHANGES[verb])
    _print(await connection.deployments.ChangeRollout(request, timeout=TIMEOUT_S), json=json)


def value(deployment: deployments_pb2.Deployment) -> dict[str, Any]:
    """Return what `--json` prints."""
    return {
        "function": deployment.function,
        "generation": deployment.generation,
        "phase": outcome.PHASES.get(deployment.phase, "unknown"),
        "reason": deployment.reason,
        "shares": {str(share.version): share.percent for share in deployment.shares},
        "previous": {str(share.version): share.percent for share in deployment.previous},
        "rollout": outcome.rollout_json(deployment),
        "note": deployment.note,
    }


def _print(deployment: deployments_pb2.Deployment, *, json: bool) -> None:
    if json:
        show.emit(value(deployment))
        return
    phase = outcome.PHASES.get(deployment.phase, "unknown")
    show.say(show.line(f"{deployment.function}  {phase}: {deployment.reason}"))
    in_force = deployment.previous if deploying.gave_back(deployment) else deployment.shares
    show.say("traffic: " + ", ".join(f"version {share.version} {share.percent} %" for share in in_force))
    if deployment.HasField("rollout"):
        _print_steps(deployment)
    if deployment.note:
        show.say(show.line(deployment.note))


def _print_steps(deployment: deployments_pb2.Deployment) -> None:
    rollout = deployment.rollout
    named = (
        f"[{percent} %]" if number == rollout.step else f"{percent} %"
        for number, percent in enumerate(rollout.gradual.steps)
    )
    rule = "until resumed" if rollout.gradual.hold else f"{rollout.gradual.pause_s:g} s"
    show.say(f"steps of version {rollout.version}: {', '.join(named)}; pause between them: {rule}")
    if rollout.HasField("next_at"):
        at = datetime.fromtimestamp(rollout.next_at.seconds, UTC)
        show.say(f"next step: {at:%H:%M:%S} UTC")
    show.say(f"failures within this step: {rollout.failures}, at most {rollout.gradual.max_failures} are borne")
