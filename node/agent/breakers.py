"""The breakers of the node's functions, and how often each function has overrun a limit. What a breaker does is decided in node.lifecycle."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

from nearhop import log
from node.lifecycle import breaker
from node.lifecycle.breaker import Breaker, Phase
from node.lifecycle.limits import OVERRUNS, Reason

_logger = log.get(__name__)


class Breakers:
    """*changed* is called with a function whose requests are to be treated otherwise than before."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._states: dict[str, Breaker] = {}
        self._overruns: dict[str, Counter[str]] = defaultdict(Counter)
        self._refused: dict[tuple[str, str], int] = {}

    @property
    def broken(self) -> frozenset[str]:
        """The functions whose requests are refused."""
        return frozenset(name for name, state in self._states.items() if state.phase is Phase.OPEN)

    @property
    def probed(self) -> frozenset[str]:
        """The functions that get one request at a time."""
        return frozenset(name for name, state in self._states.items() if state.phase is Phase.HALF_OPEN)

    def is_open(self, function: str) -> bool:
        state = self._states.get(function)
        return state is not None and state.open

    def overruns(self, function: str) -> Mapping[str, int]:
        """Return how often the function has overrun which limit since the agent started."""
        return dict(self._overruns.get(function, {}))

    def ended(self, function: str, reason: Reason) -> None:
        """Take in why a sandbox has ended."""
        if reason in OVERRUNS:
            self._overruns[function][reason.value] += 1
            self._step(function, breaker.Overran())
            self._changed(function)

    def overran(self, function: str, reason: str) -> None:
        """Count what went on without its sandbox's end, such as a request with too many requests of its own."""
        self._overruns[function][reason] += 1
        self._changed(function)

    def refused(self, counts: Mapping[tuple[str, str], int]) -> list[tuple[str, str, int]]:
        """Take in how many requests the ingress has refused or given up, by function and reason; its counts begin anew when it does.

        Return those that were not known: function, reason, and how many.
        """
        fresh = []
        for (function, reason), count in counts.items():
            known = self._refused.get((function, reason), 0)
            if function and count != known:
                more = count - known if count > known else count
                fresh.append((function, reason, more))
                self._overruns[function][reason] += more
                self._changed(function)
        self._refused = dict(counts)
        return fresh

    def served(self, function: str, requests: int) -> None:
        """Take in that *requests* have been answered."""
        if function in self._states:
            self._step(function, breaker.Served(requests))

    def replaced(self, function: str) -> None:
        """Forget what an earlier version has done."""
        if function in self._states:
            self._step(function, breaker.Replaced())

    def keep(self, functions: Mapping[str, object]) -> None:
        """Forget all other functions."""
        for gone in self._states.keys() - functions.keys():
            del self._states[gone]
        for gone in self._overruns.keys() - functions.keys():
            del self._overruns[gone]

    def tick(self) -> float | None:
        """Move on what is due; return the seconds until something will be, None when nothing will."""
        now = time.monotonic()
        for function, state in list(self._states.items()):
            if state.wake_at is not None and now >= state.wake_at:
                self._step(function, breaker.Ticked())
        waits = [state.wake_at - now for state in self._states.values() if state.wake_at is not None]
        return max(0.0, min(waits)) if waits else None

    def _step(self, function: str, event: breaker.Event) -> None:
        before = self._states.get(function, Breaker())
        state, commands = breaker.step(before, event, time.monotonic())
        self._states[function] = state
        if state == Breaker():
            del self._states[function]
        if commands:
            _logger.warning("breaker changed", function=function, phase=state.phase.value, before=before.phase.value)
            self._changed(function)
