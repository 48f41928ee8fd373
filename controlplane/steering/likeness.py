"""Which clients get the same answer: a key that costs a tenth of a decision. Nothing is chosen here, decide() does that, once for each key.

There is one where distance alone puts a function's nodes in order, and the client is clearly nearer to one than to the next. Then the answer, its
TTL and the kind of its reason follow from the first nodes' order and from whether one nearer than the last of them is down.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from controlplane.model import RoutingKind, Verdict
from controlplane.steering.decide import answers_wanted
from controlplane.steering.distance import Vector, unit_vector
from controlplane.steering.index import FleetIndex
from controlplane.steering.location import ClientLocation
from controlplane.steering.outlook import Outlook

# Between the cosines of two distances. A cosine changes by no more than its angle, so that the distances differ by 2.5 m at least: more than
# decide() rounds away. Nearer than that, it decides.
APART = 4e-7


@dataclass(frozen=True, slots=True)
class Likeness:
    """What one function's clients are told apart by: where its eligible nodes are, and those that would be were they not down."""

    eligible: tuple[Vector, ...]
    down: tuple[Vector, ...]
    wanted: int

    @classmethod
    def of(cls, function: str | None, index: FleetIndex, outlook: Outlook) -> Self | None:
        """Return what tells *function*'s clients apart, None when more than their places does."""
        policy = index.policy(function)
        if policy.kind is not RoutingKind.NEAREST or function in index.crowded:
            return None
        able = [
            placed
            for placed in index.candidates(function) or ()
            if policy.allows(placed.node.region) and not placed.node.draining
        ]
        down = [outlook.verdicts.get(placed.node.id) is Verdict.DOWN for placed in able]
        if all(down):
            return None
        return cls(
            eligible=tuple(placed.vector for placed, is_down in zip(able, down, strict=True) if not is_down),
            down=tuple(placed.vector for placed, is_down in zip(able, down, strict=True) if is_down),
            wanted=answers_wanted(policy),
        )

    def key(self, client: ClientLocation) -> Hashable | None:
        """Return what *client* has in common with all who get its answer, None when it must be decided for it alone."""
        if client.location is None or client.target is not None or client.prefix_length == 0:
            return None
        x, y, z = unit_vector(client.location)
        cosines = [x * a + y * b + z * c for a, b, c in self.eligible]
        order = sorted(range(len(cosines)), key=cosines.__getitem__, reverse=True)
        if any(cosines[near] - cosines[far] <= APART for near, far in pairwise(order[: self.wanted + 1])):
            return None
        chosen = order[: self.wanted]
        last, waiting = cosines[chosen[-1]], False
        for a, b, c in self.down:
            ahead = x * a + y * b + z * c - last
            if abs(ahead) <= APART:
                return None
            waiting = waiting or ahead > 0
        return *chosen, waiting, client.source == "operator"
