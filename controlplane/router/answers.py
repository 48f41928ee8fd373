"""What this router has answered: cumulative counts by function, node, country and kind of reason.

Whoever answers holds the tally and adds one to it; looking a tally up happens once for each decision. The number of tallies is bounded.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

KEYS_MAX = 5_000
REPORTED_MAX = 1_000  # in one report; the rest come in the next ones
_NODES_MAX = 1_000  # tallies beyond KEYS_MAX that still tell nodes apart


@dataclass(slots=True)
class Tally:
    """How often one answer was given."""

    count: int = 0


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """What is counted apart; see AnswerCount in the contract."""

    function: str
    node: str
    country: str
    reason: str


class AnswerCounts:
    """All tallies of one router."""

    def __init__(self) -> None:
        self._tallies: dict[AnswerKey, Tally] = {}

    def __len__(self) -> int:
        return len(self._tallies)

    def tally(self, key: AnswerKey) -> Tally:
        """Return the tally of *key*, or the one that it shares when there are too many."""
        found = self._tallies.get(key)
        if found is not None:
            return found
        room = KEYS_MAX - len(self._tallies)
        if room <= 0:
            key = AnswerKey("", key.node if room > -_NODES_MAX else "", "", key.reason)
        return self._tallies.setdefault(key, Tally())

    def keep(self, is_known: Callable[[AnswerKey], bool]) -> None:
        """Forget the tallies of what is not known any more; nobody may hold one of them."""
        self._tallies = {key: tally for key, tally in self._tallies.items() if is_known(key)}

    def items(self) -> Iterable[tuple[AnswerKey, int]]:
        """Return all counts."""
        return ((key, tally.count) for key, tally in self._tallies.items())


class Told:
    """What one control plane has been told of the counts."""

    def __init__(self, counts: AnswerCounts) -> None:
        self._counts = counts
        self._told: dict[AnswerKey, int] = {}

    def everything(self) -> list[tuple[AnswerKey, int]]:
        """Return all counts, as told from now on."""
        self._told = dict(self._counts.items())
        return list(self._told.items())

    def changed(self) -> list[tuple[AnswerKey, int]]:
        """Return the counts that have changed since they were told, as told from now on: those that have grown most, at most REPORTED_MAX."""
        counts = dict(self._counts.items())
        self._told = {key: count for key, count in self._told.items() if key in counts}
        grown = [item for item in counts.items() if item[1] != self._told.get(item[0], 0)]
        if len(grown) > REPORTED_MAX:
            grown.sort(key=lambda item: self._told.get(item[0], 0) - item[1])
            del grown[REPORTED_MAX:]
        self._told.update(grown)
        return grown
