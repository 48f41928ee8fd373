"""How many sandboxes of a version there should be, with processes that are as busy as a test says."""

from dataclasses import dataclass, field

from nearhop.spec import Dialect, Limits
from node.lifecycle import machine, scale
from node.lifecycle.limits import Budget
from node.plan.records import SandboxSpec, Version
from node.sandbox.instances import Instances
from node.sandbox.watch import Gauge

SPEC = SandboxSpec("shop", Version(1, "d", 1, Dialect.WORKERS), Limits(instances=4))


class Process:
    def __init__(self) -> None:
        self.wanted: float | None = 0.0
        self.read = 0

    def wanted_s(self) -> float | None:
        self.read += 1
        return self.wanted


@dataclass
class Held:
    state: machine.Sandbox
    spec: SandboxSpec | None = SPEC
    guest: Process | None = field(default_factory=Process)
    gauge: Gauge = field(default_factory=lambda: Gauge(in_flight=scale.CROWD + 1))

    def work(self, seconds: float) -> None:
        assert self.guest is not None
        self.guest.wanted = (self.guest.wanted or 0.0) + seconds


def ready() -> Held:
    return Held(machine.step(machine.start(Budget(), 0.0)[0], machine.Booted(0.1), 1.0)[0])


def busy(instances: Instances, held: Held, now: float, *, looks: int) -> float:
    for _ in range(looks):
        now += scale.LOOK_EVERY_S
        held.work(scale.LOOK_EVERY_S)
        instances.look(now)
    return now


def test_a_busy_crowd_gets_one_more() -> None:
    told: list[str] = []
    held = ready()
    instances = Instances({0: held}, changed=told.append)
    now = busy(instances, held, 100.0, looks=2)
    assert (instances.several(), told) == ({}, [])
    busy(instances, held, now, looks=1)
    assert (instances.several(), told) == ({SPEC: 2}, ["shop"])


def test_between_two_looks_nothing_is_read() -> None:
    held = ready()
    assert held.guest is not None
    instances = Instances({0: held}, changed=lambda _function: None)
    for step in range(1, 10):
        instances.look(100.0 + step * scale.LOOK_EVERY_S / 4)
    assert held.guest.read == 3


def test_a_new_process_is_read_from_its_beginning() -> None:
    held = ready()
    instances = Instances({0: held}, changed=lambda _function: None)
    now = busy(instances, held, 100.0, looks=2)
    for _ in range(5):
        now += scale.LOOK_EVERY_S
        held.guest = Process()
        held.work(100.0)
        instances.look(now)
    assert instances.several() == {}


def test_what_does_not_serve_is_not_read_and_a_version_without_any_is_forgotten() -> None:
    held = ready()
    slots = {0: held}
    instances = Instances(slots, changed=lambda _function: None)
    now = busy(instances, held, 100.0, looks=3)
    assert instances.several() == {SPEC: 2}
    slots[1] = Held(machine.prepare(Budget(), 0.0)[0], spec=None)
    slots[2] = Held(machine.start(Budget(), 0.0)[0])
    held.guest = None
    instances.look(now + scale.LOOK_EVERY_S)
    assert instances.several() == {}
