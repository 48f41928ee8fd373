"""Placement: which functions belong on which nodes.

Rule 1: no I/O, no clock, no randomness, no await.
Rule 2: the same inputs give the same nodes, in the order of their ids; a node's health has no say here, or a flapping node would
make functions wander.
"""

from controlplane.placement.place import place

__all__ = ["place"]
