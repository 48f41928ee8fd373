"""The breakers of the versions that run here, and how often each function has overrun a limit. What a breaker does is decided in node.lifecycle.

A version has a breaker of its own: one that is tried beside another must not close the other's door.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping

from nearhop import log
from node.lifecycle import breaker
from node.lifecycle.breaker import Breaker, Phase
from node.lifecycle.limits import OVERRUNS, Reason
from node.plan.records import SandboxSpec
from node.plan.status import VersionStatus

_logger = log.get(__name__)


class Breakers:
    """*changed* is called with a function whose requests are to be treated otherwise than before."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._states: dict[tuple[str, int], Breaker] = {}  # by function and version
        self._overruns: dict[str, Counter[str]] = defaultdict(Counter)
        self._failures: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        self._refused: dict[tuple[str, str], int] = {}

    @property
    def broken(self) -> frozenset[tuple[str, int]]:
        """The functions and versions whose requests are refused."""
        return frozenset(name for name, state in self._states.items() if state.phase is Phase.OPEN)

    @property
    def probed(self) -> frozenset[tuple[str, int]]:
        """The functions and versions that get one request at a time."""
        return frozenset(name for name, state in self._states.items() if state.phase is Phase.HALF_OPEN)

    def is_open(self, function: str) -> bool:
        """Say whether requests of any version are kept away."""
        return any(state.open for (name, _), state in self._states.items() if name == function)

    def overruns(self, function: str) -> Mapping[str, int]:
        """Return how often the function has overrun which limit since the agent started."""
        return dict(self._overruns.get(function, {}))

    def version(self, function: str, number: int) -> VersionStatus:
        """Return what has gone wrong with one version since the agent started."""
        state = self._states.get((function, number))
        failures = dict(self._failures.get((function, number), {}))
        return VersionStatus(number, failures, state is not None and state.open)

    def ended(self, spec: SandboxSpec, reason: Reason) -> None:
        """Take in why a sandbox has ended."""
        if reason in OVERRUNS:
            key = _key(spec)
            self._overruns[spec.function][reason.value] += 1
            self._failures[key][reason.value] += 1
            self._step(key, breaker.Overran())
            self._changed(spec.function)

    def overran(self, spec: SandboxSpec, reason: str) -> None:
        """Count what went on without its sandbox's end, such as a request with too many requests of its own."""
        self._overruns[spec.function][reason] += 1
        self._failures[_key(spec)][reason] += 1
        self._changed(spec.function)

    def threw(self, spec: SandboxSpec) -> None:
        """Count an exception that its program did not catch. Nothing changes for its requests, so it waits for the next report."""
        self._failures[_key(spec)][Reason.EXCEPTION.value] += 1

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

    def served(self, spec: SandboxSpec, requests: int) -> None:
        """Take in that *requests* have been answered."""
        if (key := _key(spec)) in self._states:
            self._step(key, breaker.Served(requests))

    def replaced(self, function: str, versions: Collection[int]) -> None:
        """Forget what other *versions* of a function have done."""
        for key in [key for key in self._states if key[0] == function and key[1] not in versions]:
            self._step(key, breaker.Replaced())
        for key in [key for key in self._failures if key[0] == function and key[1] not in versions]:
            del self._failures[key]

    def keep(self, functions: Mapping[str, object]) -> None:
        """Forget all other functions."""
        for table in (self._states, self._failures):
            for gone in [key for key in table if key[0] not in functions]:
                del table[gone]
        for name in self._overruns.keys() - functions.keys():
            del self._overruns[name]

    def tick(self) -> float | None:
        """Move on what is due; return the seconds until something will be, None when nothing will."""
        now = time.monotonic()
        for key, state in list(self._states.items()):
            if state.wake_at is not None and now >= state.wake_at:
                self._step(key, breaker.Ticked())
        waits = [state.wake_at - now for state in self._states.values() if state.wake_at is not None]
        return max(0.0, min(waits)) if waits else None

    def _step(self, key: tuple[str, int], event: breaker.Event) -> None:
        function, version = key
        before = self._states.get(key, Breaker())
        state, commands = breaker.step(before, event, time.monotonic())
        self._states[key] = state
        if state == Breaker():
            del self._states[key]
        if commands:
            _logger.warning(
                "breaker changed",
                function=function,
                version=version,
                phase=state.phase.value,
                before=before.phase.value,
            )
            self._changed(function)


def _key(spec: SandboxSpec) -> tuple[str, int]:
    return spec.function, spec.version.number
