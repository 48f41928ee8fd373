"""What a new deployment starts from, and which version a rollback goes to."""

from dataclasses import replace

from controlplane.model import Deployment, EndedDeployment, Gradual, Phase, Rollout, Share
from controlplane.rollout.gradual import split

_REMEMBERED = 10


def begin(
    last: Deployment | None,
    function: str,
    shares: tuple[Share, ...],
    *,
    request_id: str,
    now: float,
    gradual: Gradual | None = None,
) -> Deployment:
    """Return the deployment of *shares* that follows *last*; one that was still going on ends as superseded.

    With *gradual* the version in *shares* gets there in steps, if another one is in force.
    """
    fresh = Deployment(
        function=function,
        generation=1,
        shares=shares,
        previous=(),
        phase=Phase.PROGRESSING,
        reason="the nodes have not been told yet",
        created_at=now,
        request_id=request_id,
    )
    if last is None:
        return _in_steps(fresh, gradual)
    generation = last.generation + 1
    ended = supersede(last, generation, now)
    following = replace(
        fresh,
        generation=generation,
        previous=ended.in_force(),
        previous_generation=ended.in_force_generation(),
        past=(_remember(ended, now), *ended.past)[:_REMEMBERED],
    )
    return _in_steps(following, gradual)


def _in_steps(deployment: Deployment, gradual: Gradual | None) -> Deployment:
    if gradual is None:
        return deployment
    version = deployment.version
    if not deployment.previous:
        note = f"no version is in force from which traffic could be taken in steps: version {version} gets all of it at once"
        return replace(deployment, note=note)
    stable = max(deployment.previous, key=lambda share: share.percent).version
    if stable == version:
        return replace(deployment, note=f"version {version} has all the traffic already: there are no steps to take")
    rollout = Rollout(version, stable, gradual, step_at=deployment.created_at)
    return replace(deployment, shares=split(stable, version, 0), rollout=rollout)


def supersede(last: Deployment, generation: int, now: float) -> Deployment:
    """Return *last* as it ends because *generation* has come; one that had ended stays as it is."""
    if last.ended:
        return last
    return replace(last, phase=Phase.FAILED, reason=f"superseded by generation {generation}", ended_at=now)


def rollback_target(last: Deployment) -> tuple[Share, ...]:
    """Return the shares that were in force before the present ones; empty when there were none."""
    present = last.in_force()
    if not last.gave_back and last.previous not in ((), present):
        return last.previous
    for past in last.past:
        if past.phase is Phase.COMPLETE and past.shares != present:
            return past.shares
    return ()


def _remember(ended: Deployment, now: float) -> EndedDeployment:
    return EndedDeployment(
        ended.generation,
        ended.shares,
        ended.previous,
        ended.phase,
        ended.reason,
        ended.created_at,
        ended.ended_at or now,
    )
