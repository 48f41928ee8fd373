"""The watch, with processes that use what a test says they do."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import pytest

from node.haproxy.runtime import Counters
from node.lifecycle import machine, pace
from node.lifecycle.limits import WARMUP_REQUESTS, Budget, Reason, Sample
from node.lifecycle.machine import Phase
from node.sandbox.watch import Gauge, Watch

BUDGET = Budget(cpu_s=0.05, memory_bytes=100 << 20, boot_wall_s=10.0)


class Process:
    def __init__(self) -> None:
        self.used_s: float | None = 0.0
        self.resident: int | None = 10 << 20
        self.frozen = False

    def cpu_s(self) -> float | None:
        return self.used_s

    def memory_bytes(self) -> int | None:
        return self.resident

    def freeze(self) -> None:
        self.frozen = True

    def thaw(self) -> None:
        self.frozen = False


@dataclass
class Held:
    state: machine.Sandbox
    guest: Process | None = field(default_factory=Process)
    gauge: Gauge = field(default_factory=Gauge)


class Node:
    """Slots under watch, an ingress that counts what it is told, and a lifecycle that is fed as the runner feeds it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slots: dict[int, Held] = {}
        self.counts: dict[int, Counters] = {}
        self.asked: list[list[int]] = []
        self.asking: Callable[[], None] = lambda: None
        self.events: list[tuple[int, machine.Event]] = []
        self.killed: list[tuple[int, Reason]] = []
        self.answered: list[tuple[int, int]] = []
        self.watch = Watch(self.slots, self, take=self.take, served=lambda slot, n: self.answered.append((slot, n)))

    async def counters(self, slots: Iterable[int]) -> Mapping[int, Counters]:
        self.asked.append(list(slots))
        self.asking()
        return self.counts

    def take(self, slot: int, event: machine.Event) -> None:
        self.events.append((slot, event))
        held = self.slots[slot]
        held.state, commands = machine.step(held.state, event, self.now)
        self.killed += [(slot, wish.reason) for wish in commands if isinstance(wish, machine.Kill)]

    async def look(self, later: float = 0.02) -> float:
        self.now += later
        self.asked.clear()
        self.events.clear()
        return await self.watch.look(self.now)

    def start(self, slot: int = 0) -> tuple[Held, Process]:
        process = Process()
        held = self.slots[slot] = Held(machine.start(BUDGET, self.now)[0], process)
        return held, process

    async def warm(self, slot: int = 0) -> tuple[Held, Process]:
        """Start one that has answered its first requests and has one in flight."""
        held, process = self.start(slot)
        held.state, _ = machine.step(held.state, machine.Booted(0.0), self.now)
        for finished in (0, WARMUP_REQUESTS):
            process.used_s = (process.used_s or 0.0) + 0.02
            self.counts[slot] = Counters(finished, 1)
            await self.look()
        assert held.gauge.finished == WARMUP_REQUESTS
        return held, process


@pytest.fixture
def node() -> Node:
    return Node()


async def test_a_runaway_is_frozen_while_the_ingress_is_asked_and_stays_so(node: Node) -> None:
    held, process = await node.warm()
    seen: list[bool] = []
    node.asking = lambda: seen.append(process.frozen)
    process.used_s = 0.1
    await node.look()
    assert (seen, node.killed) == ([True], [(0, Reason.EXCEEDED_CPU)])
    assert (held.state.phase, process.frozen) == (Phase.STOPPING, True)


async def test_who_answers_goes_on(node: Node) -> None:
    _, process = await node.warm()
    process.used_s = 0.1
    node.counts[0] = Counters(WARMUP_REQUESTS + 5, 1)
    await node.look()
    assert (node.asked, node.killed, process.frozen) == ([[0]], [], False)
    assert node.answered[-1] == (0, 5)


async def test_a_suspect_goes_on_when_the_ingress_cannot_be_asked(node: Node) -> None:
    _, process = await node.warm()

    def fail() -> None:
        assert process.frozen
        raise OSError("no ingress")

    node.asking, process.used_s = fail, 0.1
    with pytest.raises(OSError, match="no ingress"):
        await node.look()
    assert not process.frozen


async def test_what_has_ended_meanwhile_is_not_judged(node: Node) -> None:
    held, process = await node.warm()

    def exchange() -> None:
        held.guest = Process()

    node.asking, process.used_s = exchange, 0.1
    await node.look()
    assert (node.asked, node.events, process.frozen) == ([[0]], [], True)


async def test_memory_over_the_limit_ends_it(node: Node) -> None:
    held, process = await node.warm()
    process.resident = BUDGET.memory_bytes + 1
    await node.look(pace.MEMORY_EVERY_S)
    assert node.killed == [(0, Reason.EXCEEDED_MEMORY)]
    assert held.gauge.memory_bytes == process.resident


def test_a_new_process_is_measured_from_its_beginning() -> None:
    gauge = Gauge(1.0, 2, 3.0, 4, 5, 6.0, 7.0, Sample(8.0), True, 9, 10)
    gauge.begin()
    assert gauge == Gauge(0.0, 2, 0.0, 4, 0, 6.0, 0.0, Sample(8.0), False, 9, 10)


async def test_the_first_count_of_a_process_only_tells_where_it_begins(node: Node) -> None:
    held, _ = await node.warm()
    held.state, _ = machine.step(held.state, machine.Exited(1), node.now)
    held.state, _ = machine.step(held.state, machine.Booted(0.0), node.now)
    held.guest, node.answered[:] = Process(), []
    held.gauge.begin()
    node.counts[0] = Counters(40, 0)
    await node.look()
    assert (node.asked, node.answered, held.gauge.finished) == ([[0]], [], 40)
    held.guest.used_s, node.counts[0] = 0.04, Counters(42, 0)
    await node.look()
    assert node.answered == [(0, 2)]


async def test_what_reaches_it_past_the_ingress_counts_as_well(node: Node) -> None:
    held, process = await node.warm()
    with held.gauge.serving():
        process.used_s = 0.06
        await node.look()
        assert (held.gauge.finished, held.gauge.in_flight) == (WARMUP_REQUESTS, 2)
    process.used_s = 0.08
    await node.look()
    assert (held.gauge.finished, held.gauge.in_flight) == (WARMUP_REQUESTS + 1, 1)
    assert node.answered[-1] == (0, 1)


async def test_who_rests_is_no_news_after_two_samples(node: Node) -> None:
    await node.warm()
    await node.look()
    assert [type(event) for _, event in node.events] == [machine.Sampled]
    await node.look()
    await node.look()
    assert (node.events, node.asked) == ([], [])


async def test_one_that_drains_is_sampled_until_it_is_done(node: Node) -> None:
    held, _ = await node.warm()
    held.state, _ = machine.step(held.state, machine.Retired(), node.now)
    node.counts[0] = Counters(WARMUP_REQUESTS, 0)
    for _ in range(4):
        await node.look(pace.DRAIN_POLL_S + 0.001)
        assert node.asked == [[0]]
        assert [type(event) for _, event in node.events] == [machine.Sampled]
    await node.look(BUDGET.linger_s)
    assert node.killed == [(0, Reason.RETIRED)]


async def test_a_tick_that_is_due_is_handed_on(node: Node) -> None:
    held, _ = node.start()
    await node.look(BUDGET.boot_wall_s - 0.1)
    assert machine.Ticked() not in [event for _, event in node.events]
    await node.look(0.1)
    assert node.events[0] == (0, machine.Ticked())
    assert held.state.phase is Phase.STOPPING


async def test_a_slot_without_a_process_is_left_alone(node: Node) -> None:
    held, process = await node.warm()
    process.used_s = None  # it has ended, and nobody has reaped it yet
    await node.look()
    held.guest = None
    await node.look()
    assert (node.asked, node.events) == ([], [])


async def test_who_spends_or_grows_is_looked_at_sooner(node: Node) -> None:
    _, process = await node.warm()
    assert await node.look() == pace.SLOW_S
    process.resident, process.used_s = 20 << 20, 0.045
    assert await node.look() == pace.FAST_S
    process.used_s = 0.085
    assert await node.look() == pytest.approx(pace.LEFT_SHARE * 0.005)
    assert await node.look(pace.IDLE_AFTER_S) == pace.IDLE_S
