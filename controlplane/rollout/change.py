"""What somebody may do to a gradual deployment that is under way. *revision* is the record's in the store."""

from dataclasses import replace

from controlplane.model import Deployment, Phase, Rollout


def pause(deployment: Deployment, rollout: Rollout, revision: int) -> Deployment:
    """Keep the present shares until somebody resumes, promotes or aborts it."""
    if deployment.phase is Phase.PAUSED:
        return deployment
    kept = replace(rollout, revision=rollout.revision or revision)
    return replace(deployment, phase=Phase.PAUSED, reason="paused", rollout=kept)


def resume(deployment: Deployment, rollout: Rollout, revision: int, now: float) -> Deployment:
    """Go on: from a hold to the next step, else with the present step's pause from its beginning."""
    if deployment.phase is not Phase.PAUSED:
        return deployment
    return _going_on(deployment, rollout, revision, now, lifted=rollout.gradual.hold and rollout.reached_at is not None)


def promote(deployment: Deployment, rollout: Rollout, revision: int, now: float) -> Deployment:
    """Leave the steps out that would come, but for all of the traffic, as soon as every connected node has the version ready."""
    done = rollout.gradual.steps[: rollout.step + 1]
    steps = done if done and done[-1] == 100 else (*done, 100)
    shortened = replace(rollout, gradual=replace(rollout.gradual, steps=steps))
    return _going_on(deployment, shortened, revision, now, lifted=True)


def abort(deployment: Deployment, who: str, now: float) -> Deployment:
    """Give the traffic back to the version before."""
    return replace(deployment, phase=Phase.ROLLED_BACK, reason=f"aborted by {who}", ended_at=now)


def _going_on(deployment: Deployment, rollout: Rollout, revision: int, now: float, *, lifted: bool) -> Deployment:
    begun = replace(
        rollout,
        step_at=now,
        reached_at=None,
        revision=rollout.revision or revision,
        lifted=rollout.step if lifted else rollout.lifted,
    )
    return replace(deployment, phase=Phase.PROGRESSING, reason="it goes on", rollout=begun)
