"""Spill-over: the share of its networks that a full node gives away. It grows while the node is full, stays while it nearly is, then shrinks slowly.

Which networks these are is decide's: always the same ones first, so that a share that grows moves none back and forth.
"""

from collections.abc import Mapping

FULL = 1.0  # of a node's capacity
ROOM = 0.85  # below it, networks are taken back
# Loads are averages over a minute and come every ten seconds: what goes faster than they follow would swing.
GROWTH_PER_S = 0.05  # of the excess: at 20 % over its capacity a node gives 1 % of its networks away each second
GROWTH_MAX_PER_S = 0.01
RETURN_PER_S = 0.002  # eight minutes from most to none
SHARE_MAX = 0.9  # a node that gives everything away would never see a load again


def step(shares: Mapping[str, float], loads: Mapping[str, float], passed_s: float) -> dict[str, float]:
    """Return the shares after *passed_s*, over 0, by node. A node whose load is not known takes its networks back."""
    after = {}
    for node in shares.keys() | loads.keys():
        share, load = shares.get(node, 0.0), loads.get(node, 0.0)
        if load > FULL:
            share += min(GROWTH_PER_S * (load - FULL), GROWTH_MAX_PER_S) * passed_s
        elif load < ROOM:
            share -= RETURN_PER_S * passed_s
        if share > 0:
            after[node] = min(share, SHARE_MAX)
    return after
