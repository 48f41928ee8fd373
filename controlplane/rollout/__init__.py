"""Rollout: when a deployment is complete, when it has failed, and what a new one starts from.

Rule 1: no I/O, no clock, no randomness, no await: *now* is an argument and the next look a return value.
Rule 2: a deployment that has ended never changes again.
Invariants: one refusal fails a deployment everywhere; a failed one puts the shares before it in force again, under their own generation; a node
that is not connected neither completes nor delays a deployment.
"""

from controlplane.rollout.plan import Decision, PlacedNode, apply, describe, plan
from controlplane.rollout.start import begin, rollback_target, supersede

__all__ = ["Decision", "PlacedNode", "apply", "begin", "describe", "plan", "rollback_target", "supersede"]
