"""Which functions the plan is asked about: those for which there may be something to do, of however many there are."""

from collections.abc import Collection, Iterable

from node.plan.records import Observed, function_of

REVISIT_S = 5.0  # between two looks at functions to which nothing has happened
_ROUND = 100  # functions that one such look takes, each time the next ones


class Attention:
    """Names of functions; a lane that is gone is named beside them. What a turn is about stays so until the plan has come to rest."""

    def __init__(self) -> None:
        self._news: set[str] = set()
        self._pending: set[str] = set()
        self._under_way: set[str] = set()
        self._round: list[str] = []
        self._looked_at = 0.0

    @property
    def has_news(self) -> bool:
        """Whether something has happened since the last turn."""
        return bool(self._news)

    def happened(self, names: Iterable[str]) -> None:
        """Say that something has happened to these."""
        self._news.update(names)

    def waits(self, name: str, *, pending: bool) -> None:
        """Say whether a function is not as it should be yet, for whatever reason."""
        (self._pending.add if pending else self._pending.discard)(name)

    def keep(self, placed: Collection[str]) -> None:
        """Wait for no others."""
        self._pending.intersection_update(placed)

    def turn(self, observed: Observed) -> set[str]:
        """Name what the next plan is to be about: beside what has happened and waits, what requests wait for and what is to run more than once."""
        demanded, several = map(function_of, observed.demanded), (spec.function for spec in observed.instances)
        self._under_way.update(self._news, self._pending, demanded, several)
        self._news.clear()
        return set(self._under_way)

    def rest(self, *, done: bool) -> None:
        """End the turns; what is not *done* is part of the next ones."""
        if done:
            self._under_way.clear()

    def look_round(self, placed: Iterable[str], now: float) -> None:
        """Attend to the next functions, if it is time to, so that each is looked at now and then whatever was missed."""
        if now - self._looked_at < REVISIT_S:
            return
        self._looked_at = now
        if not self._round:
            self._round = [*placed]
        self._news.update(self._round[-_ROUND:])
        del self._round[-_ROUND:]
