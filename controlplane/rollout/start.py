"""What a new deployment starts from, and which version a rollback goes to."""

from dataclasses import replace

from controlplane.model import Deployment, EndedDeployment, Phase, Share

_REMEMBERED = 10


def begin(
    last: Deployment | None, function: str, shares: tuple[Share, ...], *, request_id: str, now: float
) -> Deployment:
    """Return the deployment of *shares* that follows *last*; one that was still going on ends as superseded."""
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
        return fresh
    generation = last.generation + 1
    ended = supersede(last, generation, now)
    return replace(
        fresh,
        generation=generation,
        previous=ended.in_force(),
        previous_generation=ended.in_force_generation(),
        past=(_remember(ended, now), *ended.past)[:_REMEMBERED],
    )


def supersede(last: Deployment, generation: int, now: float) -> Deployment:
    """Return *last* as it ends because *generation* has come; one that had ended stays as it is."""
    if last.phase is not Phase.PROGRESSING:
        return last
    return replace(last, phase=Phase.FAILED, reason=f"superseded by generation {generation}", ended_at=now)


def rollback_target(last: Deployment) -> tuple[Share, ...]:
    """Return the shares that were in force before the present ones; empty when there were none."""
    present = last.in_force()
    if last.phase is not Phase.FAILED and last.previous not in ((), present):
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
