"""The pool and its runner, with shell scripts in place of guests: they say what guests say, and end as they do."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from nearhop.errors import NearhopError
from nearhop.spec import Dialect, Limits
from node.haproxy.runtime import Counters
from node.lifecycle.limits import Reason
from node.lifecycle.machine import Phase
from node.plan.records import SandboxSpec, Version
from node.sandbox import process
from node.sandbox.pool import Pool, Settings
from node.sandbox.process import Guest
from tests.harness.eventually import eventually

SPEC = SandboxSpec("shop", Version(3, "d", 1, Dialect.WORKERS), Limits())
SAY = 'say() { echo "{\\"event\\":$1}"; }; '
BOOTS = SAY + "say '\"listening\"'; read -r header; cat >/dev/null; say '\"ready\"'; "
SERVES = BOOTS + "exec sleep 60"
FAILS = SAY + 'say \'"failed","error":"no default export"\'; exec sleep 60'
CRASHES = BOOTS + "exit 3"
RUNS_AWAY = BOOTS + "while :; do :; done"


class Launcher:
    level = "full"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scripts = [SERVES]  # for each start; the last one for all that follow
        self.started: list[tuple[int, bool]] = []
        self.prepared: list[int] = []

    def prepare(self, slot: int) -> None:
        self.prepared.append(slot)

    async def start(self, slot: int, *, memory_mib: int, memory_bytes: int, waits: bool) -> Guest:
        self.started.append((slot, waits))
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        if not script:
            raise FileNotFoundError("no engine")
        return await process.spawn(["/bin/sh", "-c", script], {"PATH": "/bin:/usr/bin"}, cwd=self.folder)


class Ingress:
    def __init__(self) -> None:
        self.in_flight = 0
        self.open = 0
        self.asked = 0  # about connections
        self.refuses = False
        self.reasons: dict[int, str] = {}
        self.told: list[str | None] = []

    async def counters(self, slots: Iterable[int]) -> Mapping[int, Counters]:
        return {slot: Counters(0, self.in_flight) for slot in slots}

    async def connections(self, slot: int) -> int:
        self.asked += 1
        if self.refuses:
            self.refuses = False
            raise NearhopError("no answer")
        return self.open

    async def set_reason(self, slot: int, reason: str | None) -> None:
        if self.refuses:
            raise NearhopError("no answer")
        self.told.append(reason)
        if reason is None:
            self.reasons.pop(slot, None)
        else:
            self.reasons[slot] = reason


class Node:
    """A pool of three slots, and what it tells of them."""

    def __init__(self, folder: Path) -> None:
        self.launcher, self.ingress = Launcher(folder), Ingress()
        self.settings = Settings(launcher=self.launcher, slots=3, socket=lambda slot: folder / f"{slot}.sock")
        self.changes: list[str] = []
        self.ended: list[str] = []
        self.assigned: list[int] = []
        self.logged: list[tuple[str, str, str]] = []
        self.overran: list[Reason] = []

    @contextlib.asynccontextmanager
    async def running(self, *, warm: int = 0) -> AsyncIterator[Pool]:
        pool = Pool(
            replace(self.settings, warm=warm),
            self.ingress,
            changed=self.changes.append,
            ended=lambda _spec, error: self.ended.append(error),
        )
        pool.assigned = lambda _spec, slot: self.assigned.append(slot)
        pool.logged = lambda _spec, level, text, reason: self.logged.append((level, text, reason))
        pool.overran = lambda _spec, reason: self.overran.append(reason)
        work = asyncio.get_running_loop().create_task(pool.run())
        await asyncio.sleep(0)
        try:
            yield pool
        finally:
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work

    @staticmethod
    async def ready(pool: Pool, slot: int = 0) -> None:
        async def check() -> bool:
            return (slot, SPEC) in pool.ready_slots("shop")

        await eventually(check, within=10)

    @staticmethod
    async def free(pool: Pool, slots: int = 3) -> None:
        async def check() -> bool:
            return len(pool.free_slots()) == slots

        await eventually(check, within=10)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


async def test_a_sandbox_starts_on_its_slot_and_leaves_it(node: Node) -> None:
    async with node.running() as pool:
        pool.start(1, SPEC, b"export default 1")
        assert pool.free_slots() == (0, 2)
        await node.ready(pool, 1)
        assert (node.assigned, node.launcher.started) == ([1], [(1, False)])
        assert [(view.slot, view.ready, view.retiring) for view in pool.views()] == [(1, True, False)]
        assert [(usage.spec, usage.phase) for usage in pool.usage()] == [(SPEC, Phase.READY)]
        assert (len(pool.control(1)), pool.isolation, pool.instances()) == (32, "full", {})
        pool.retire(1)
        assert [(view.ready, view.retiring) for view in pool.views()] == [(False, True)]
        await node.free(pool)
        assert pool.free_slots() == (0, 2, 1)  # those that have rested longest come first
        assert (node.ended, node.overran, node.ingress.reasons) == ([], [], {})
        assert set(node.changes) == {"shop"}


async def test_a_slot_is_kept_while_the_ingress_holds_connections_to_it(node: Node) -> None:
    node.ingress.open, node.ingress.refuses = 1, True
    async with node.running() as pool:
        pool.start(0, SPEC, b"")
        pool.retire(0)

        async def asked() -> bool:
            return node.ingress.asked > 2

        await eventually(asked, within=10)
        assert [view.retiring for view in pool.views()] == [True]
        assert (pool.free_slots(), pool.usage()) == ((1, 2), [])
        node.ingress.open = 0
        await node.free(pool)
        assert node.ended == []  # it was retired before it was ready


@pytest.mark.parametrize(
    ("script", "error"),
    [(FAILS, "no default export"), ("", "no engine"), ("cat >/dev/null; echo no >&2; exit 4", "exit status 4): no")],
    ids=["it says so", "no engine", "it ends"],
)
async def test_a_program_that_never_was_ready_is_given_up(node: Node, script: str, error: str) -> None:
    node.launcher.scripts = [script]
    async with node.running() as pool:
        pool.start(0, SPEC, b"")
        await node.free(pool)
        assert len(node.ended) == len(node.launcher.started) == 1
        assert error in node.ended[0]
        assert pool.terminations == {"shop": (1, Reason.BOOT_FAILED)}
        assert (node.ingress.told, node.ingress.reasons) == (["boot_failed", None], {})


async def test_one_that_crashes_starts_anew_on_its_slot_and_its_reason_is_told_for_a_while(node: Node) -> None:
    node.launcher.scripts = [CRASHES, SERVES]
    async with node.running() as pool:
        pool.start(0, SPEC, b"")

        async def told() -> bool:
            return node.ingress.told[:1] == ["exception"]

        await eventually(told, within=10)
        await node.ready(pool)
        assert await pool.last_reason(0) == Reason.EXCEPTION
        assert await pool.last_reason(1) is None
        assert (node.overran, pool.terminations) == ([Reason.EXCEPTION], {"shop": (1, Reason.EXCEPTION)})
        assert node.logged == [("limit", "version 3 was ended: exit status 3", "exception")]
        assert node.ended == []

        async def forgotten() -> bool:
            return node.ingress.told == ["exception", None]

        await eventually(forgotten, within=10)
        assert node.launcher.started == [(0, False)] * 2


async def test_the_reason_of_each_end_is_told(node: Node) -> None:
    node.launcher.scripts = [CRASHES, CRASHES, SERVES]
    async with node.running() as pool:
        pool.start(0, SPEC, b"")

        async def forgotten() -> bool:
            return node.ingress.told == ["exception", "exception", None]

        await eventually(forgotten, within=10)
        assert pool.terminations == {"shop": (2, Reason.EXCEPTION)}


async def test_what_is_ended_is_frozen_until_the_ingress_knows_why(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str | None] = node.ingress.told
    freeze, kill = Guest.freeze, Guest.kill
    monkeypatch.setattr(Guest, "freeze", lambda guest: (done.append("frozen"), freeze(guest)))
    monkeypatch.setattr(Guest, "kill", lambda guest: (done.append("killed"), kill(guest)))
    node.launcher.scripts = [FAILS]
    async with node.running() as pool:
        pool.start(0, SPEC, b"")
        await node.free(pool)
    assert done[:3] == ["frozen", "boot_failed", "killed"]


async def test_a_runaway_is_ended_and_the_ingress_is_told_why_before(node: Node) -> None:
    node.launcher.scripts = [RUNS_AWAY, SERVES]
    node.ingress.in_flight = 1
    async with node.running() as pool:
        pool.start(0, SPEC, b"")

        async def ended() -> bool:
            return node.overran == [Reason.EXCEEDED_CPU]

        await eventually(ended, within=10)
        assert node.ingress.told == ["exceeded_cpu"]
        await node.ready(pool)


async def test_an_ingress_that_takes_no_reason_lengthens_nobodys_life(node: Node) -> None:
    node.launcher.scripts = [RUNS_AWAY, SERVES]
    node.ingress.in_flight, node.ingress.refuses = 1, True
    async with node.running() as pool:
        pool.start(0, SPEC, b"")
        await node.ready(pool)
        assert node.overran in ([], [Reason.EXCEEDED_CPU])

        async def ended() -> bool:
            return node.overran == [Reason.EXCEEDED_CPU]

        await eventually(ended, within=10)
        assert node.ingress.told == []


async def test_what_a_program_prints_is_handed_on(node: Node) -> None:
    node.launcher.scripts = [BOOTS + 'say \'"log","level":"warn","message":"careful"\'; exec sleep 60']
    async with node.running() as pool:
        pool.start(0, SPEC, b"")

        async def heard() -> bool:
            return node.logged == [("warn", "careful", "")]

        await eventually(heard, within=10)


@contextlib.asynccontextmanager
async def answering(socket: Path) -> AsyncIterator[None]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 \r\n\r\n")
        writer.close()

    async with await asyncio.start_unix_server(answer, socket):
        yield


async def test_a_process_waits_for_a_program_once_it_has_answered(node: Node, tmp_path: Path) -> None:
    async with answering(tmp_path / "2.sock"), node.running(warm=1) as pool:

        async def waits() -> bool:
            return pool.warm_slots() == (2,)

        await eventually(waits, within=10)
        assert (pool.free_slots(), pool.views(), pool.usage()) == ((0, 1), (), [])
        assert node.launcher.started == [(2, True)]
        pool.start(2, SPEC, b"export default 1")
        assert (pool.warm_slots(), 2 in node.assigned) == ((), True)
        await node.ready(pool, 2)
        assert node.launcher.started[0] == (2, True)
        assert (2, False) not in node.launcher.started


async def test_one_for_another_kind_of_program_is_exchanged(node: Node, tmp_path: Path) -> None:
    small = replace(SPEC, limits=Limits(memory_mib=64))
    async with answering(tmp_path / "2.sock"), node.running(warm=1) as pool:

        async def waits() -> bool:
            return pool.warm_slots() == (2,)

        await eventually(waits, within=10)
        pool.start(2, small, b"")
        assert node.assigned == []

        async def ready() -> bool:
            return pool.ready_slots("shop") == [(2, small)]

        await eventually(ready, within=10)
        assert node.launcher.started.count((2, False)) == 1
        assert (node.overran, node.ended) == ([], [])


async def test_a_waiting_process_that_ends_frees_its_slot_and_delays_the_next(node: Node) -> None:
    node.launcher.scripts = ["exit 1"]
    async with node.running(warm=1) as pool:

        async def twice() -> bool:
            return len(node.launcher.started) == 2

        await eventually(twice, within=10)
        node.launcher.scripts = ["exec sleep 60"]
        assert (pool.views(), node.ended) == ((), [])


async def test_the_next_free_slot_is_prepared_while_nobody_waits(node: Node) -> None:
    async with node.running() as pool:
        assert set(node.launcher.prepared) == {0}
        node.launcher.prepared.clear()
        pool.start(0, SPEC, b"")
        await node.ready(pool)

        async def prepared() -> bool:
            return set(node.launcher.prepared) == {1}

        await eventually(prepared, within=10)


async def test_none_is_left_when_the_pool_ends(node: Node) -> None:
    async with node.running() as pool:
        pool.start(0, SPEC, b"")
        await node.ready(pool)
        guest = pool._slots[0].guest
    assert guest is not None
    assert guest.cpu_s() is None
