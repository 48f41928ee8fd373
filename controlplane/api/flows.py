"""Flows: from the routers' cumulative answer counts to answers per second.

No clock is read here: *now* is monotonic. Every router is connected to every control plane, so each knows all flows.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

WINDOW_S: Final = 2.0
FLOWS_MAX: Final = 1_000
EMERGENCY = "emergency"
_KEYS_MAX = 8_000  # of one router: more than any honest one has
_GAP_S = 1.0  # a router that tells nothing for longer had nothing to tell
_SPAN_S = 0.25  # reports that come faster are taken together
_FRESH_S = 0.2  # how old a picture may be that several watchers share


@dataclass(frozen=True, slots=True)
class FlowKey:
    """What the flows tell apart; the reason is summed over."""

    country: str
    node: str
    function: str


@dataclass(frozen=True, slots=True)
class CountKey:
    """What the routers count apart."""

    flow: FlowKey
    reason: str


@dataclass(slots=True)
class _Span:
    start: float
    end: float
    grown: defaultdict[CountKey, int] = field(default_factory=lambda: defaultdict(int))


class Meter:
    """One router's stream: what its counts have grown by, and when."""

    def __init__(self) -> None:
        self._counts: dict[CountKey, int] | None = None
        self._spans: deque[_Span] = deque()
        self._heard_at = 0.0

    def hear(self, counts: Mapping[CountKey, int], now: float) -> None:
        """Take over reported counts. The first ones are what is counted from."""
        if self._counts is None:
            self._counts = dict(list(counts.items())[:_KEYS_MAX])
            self._heard_at = now
            return
        if not counts:
            return
        span = self._span(now)
        for key, count in counts.items():
            if key not in self._counts and len(self._counts) >= _KEYS_MAX:
                continue
            before = self._counts.get(key, 0)
            self._counts[key] = count
            if grown := count - before if count >= before else count:
                span.grown[key] += grown

    def cut(self, down: frozenset[str]) -> None:
        """End the flows to nodes that the router now sees *down*: it has stopped to answer with them, but in an emergency."""
        for span in self._spans if down else ():
            for key in [key for key in span.grown if key.flow.node in down and key.reason != EMERGENCY]:
                del span.grown[key]

    def rates(self, now: float) -> Mapping[FlowKey, float]:
        """Return the answers per second of every flow that is not quiet."""
        # Reports lag: the window ends with the last one, unless the router has fallen silent.
        end = max(self._heard_at, now - _GAP_S)
        start = end - WINDOW_S
        while self._spans and self._spans[0].end <= start:
            self._spans.popleft()
        found: defaultdict[FlowKey, float] = defaultdict(float)
        for span in self._spans:
            share = (span.end - max(span.start, start)) / (span.end - span.start) / WINDOW_S
            for key, grown in span.grown.items():
                found[key.flow] += grown * share
        return found

    def _span(self, now: float) -> _Span:
        start, self._heard_at = max(self._heard_at, now - _GAP_S), now
        last = self._spans[-1] if self._spans else None
        if last is not None and now - last.start < _SPAN_S:
            last.end = max(now, last.end)
            return last
        self._spans.append(_Span(min(start, now - 0.001), now))
        while self._spans[0].end <= now - WINDOW_S - _GAP_S:
            self._spans.popleft()
        return self._spans[-1]


@dataclass(frozen=True, slots=True)
class Picture:
    """The flows at one moment: the greatest ones, greatest first, and the sum of the others."""

    flows: tuple[tuple[FlowKey, float], ...] = ()
    other: float = 0.0


class Flows:
    """The meters of all connected routers."""

    def __init__(self) -> None:
        self._meters: set[Meter] = set()
        self._rates: Mapping[FlowKey, float] = {}
        self._made_at = float("-inf")

    def open(self) -> Meter:
        """Begin a router's stream."""
        meter = Meter()
        self._meters.add(meter)
        return meter

    def close(self, meter: Meter) -> None:
        """End a router's stream, and with it its flows."""
        self._meters.discard(meter)

    def picture(self, now: float, function: str = "") -> Picture:
        """Return the flows now, of one *function* or of all."""
        if now - self._made_at >= _FRESH_S:
            self._rates, self._made_at = _sum(meter.rates(now) for meter in self._meters), now
        chosen = [(key, rate) for key, rate in self._rates.items() if function in ("", key.function)]
        chosen.sort(key=lambda item: (-item[1], item[0].country, item[0].node, item[0].function))
        return Picture(tuple(chosen[:FLOWS_MAX]), sum(rate for _, rate in chosen[FLOWS_MAX:]))


def _sum(parts: Iterable[Mapping[FlowKey, float]]) -> Mapping[FlowKey, float]:
    total: defaultdict[FlowKey, float] = defaultdict(float)
    for part in parts:
        for key, rate in part.items():
            total[key] += rate
    return total
