"""Rollout: when a deployment is complete, when it has failed, what a new one starts from, and the steps of a gradual one.

Rule 1: no I/O, no clock, no randomness, no await: *now* is an argument and the next look a return value.
Rule 2: a deployment that has ended never changes again.
Invariants: shares sum to 100; a version gets more traffic only when every connected node has it ready; one refusal fails a deployment everywhere;
a failed one, or one that was rolled back, puts the shares before it in force again, under their own generation; a node that is not connected
neither completes nor delays a deployment.
"""

from controlplane.rollout.change import abort, pause, promote, resume
from controlplane.rollout.gradual import due_at
from controlplane.rollout.plan import apply, plan
from controlplane.rollout.progress import Decision, PlacedNode, describe
from controlplane.rollout.start import begin, rollback_target, supersede

__all__ = [
    "Decision",
    "PlacedNode",
    "abort",
    "apply",
    "begin",
    "describe",
    "due_at",
    "pause",
    "plan",
    "promote",
    "resume",
    "rollback_target",
    "supersede",
]
