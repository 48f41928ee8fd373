"""What a node should do next, as values.

Rule 1: diff(snapshot, observed, now) decides everything the reconcile loop does; the loop only carries actions out.
Rule 2: no I/O, no clock, no await. Actions are safe to stop after: a new diff from what is then observed reaches the same end.
Invariants: a bundle that something runs, wants or could fall back to is never removed; a host is routed only to a ready sandbox of its own
function; the old sandbox is drained only after no route names it.
"""
