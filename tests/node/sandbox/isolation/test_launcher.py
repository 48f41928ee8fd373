"""Real sandboxes from a real zygote."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psutil
import pytest

from nearhop import engines
from node.sandbox.isolation.launcher import Launcher, Mode, Settings
from node.sandbox.process import Guest, Message

HELLO = b"export default { fetch() { return new Response('hello') } }"
NAMESPACES = ("mnt", "net", "pid", "ipc", "uts", "user")


@pytest.fixture
async def launcher(tmp_path: Path, real: None) -> AsyncIterator[Launcher]:
    os.chmod(tmp_path, 0o755)  # noqa: PTH101
    settings = Settings(
        engines.find("deno").path, tmp_path / "run", tmp_path / "cache", "127.0.0.0/8", lambda n: tmp_path / f"{n}.sock"
    )
    it = Launcher(settings)
    await it.open()
    yield it
    await it.close()


async def ready(launcher: Launcher, group: asyncio.TaskGroup, slot: int = 1) -> tuple[Guest, asyncio.Task[int]]:
    said: asyncio.Queue[Message] = asyncio.Queue()
    guest = await launcher.start(slot, memory_mib=64, memory_bytes=256 << 20)
    running = group.create_task(guest.run({"dialect": "workers"}, HELLO, said.put_nowait))
    async with asyncio.timeout(20):
        assert [(await said.get()).event for _ in range(2)] == ["listening", "ready"]
    return guest, running


def status_of(guest: Guest) -> dict[str, str]:
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{guest.pid}/status").read_text().splitlines())


def policies_of(guest: Guest) -> set[int]:
    return {os.sched_getscheduler(int(thread.name)) for thread in Path(f"/proc/{guest.pid}/task").iterdir()}


async def get(socket: Path) -> str:
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(socket))) as client:
        return (await client.get("http://a.example.org/")).text


async def test_a_sandbox_of_ones_own(launcher: Launcher, tmp_path: Path) -> None:
    if launcher.level != "full":
        pytest.skip(f"this machine does not isolate fully: {launcher.level}")
    async with asyncio.TaskGroup() as group:
        guest, running = await ready(launcher, group)
        assert await get(tmp_path / "1.sock") == "hello"
        for name in NAMESPACES:
            assert os.readlink(f"/proc/{guest.pid}/ns/{name}") != os.readlink(f"/proc/self/ns/{name}"), name  # noqa: PTH115
        status = status_of(guest)
        assert {status[f"Cap{kind}"] for kind in ("Eff", "Prm", "Inh", "Amb")} == {"0" * 16}
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        if os.geteuid() == 0:
            assert min(int(uid) for uid in status["Uid"].split()) > 1 << 30
        assert guest.cpu_s()
        assert guest.memory_bytes()
        assert policies_of(guest) == {os.SCHED_BATCH}
        guest.kill()
        assert await running == -signal.SIGKILL


async def test_the_engines_cache_is_whole_without_its_logs(launcher: Launcher, tmp_path: Path) -> None:
    files = {path.name: path.stat().st_size for path in (tmp_path / "cache").iterdir() if "_cache_v" in path.name}
    assert files
    assert {name: size for name, size in files.items() if size and name.endswith("-wal")} == {}
    assert max(files.values()) > 64 << 10  # what the guest was compiled to


async def test_a_cache_that_is_broken_costs_time_alone(launcher: Launcher, tmp_path: Path) -> None:
    (tmp_path / "cache" / "v8_code_cache_v2").write_bytes(b"no database" * 100)
    launcher._settle("stamp")
    assert (tmp_path / "cache" / "complete").read_text() == "stamp"
    async with asyncio.TaskGroup() as group:
        guest, _ = await ready(launcher, group)
        assert await get(tmp_path / "1.sock") == "hello"
        guest.kill()


async def test_exit_statuses_are_told(launcher: Launcher) -> None:
    guest = await launcher.start(1, memory_mib=64, memory_bytes=0)
    assert await guest.run({"dialect": "workers"}, b"", lambda message: guest.kill()) == -signal.SIGKILL
    again = await launcher.start(1, memory_mib=64, memory_bytes=0)
    broken = again.run({}, HELLO, lambda message: again.kill())
    assert await broken in (1, -signal.SIGKILL)


async def test_a_prepared_process_becomes_the_engine_as_isolated_as_any(launcher: Launcher, tmp_path: Path) -> None:
    if launcher.level != "full":
        pytest.skip(f"this machine does not isolate fully: {launcher.level}")
    launcher.prepare(1)
    launcher.prepare(1)
    _, task = launcher._shells[1]
    shell = await task
    async with asyncio.TaskGroup() as group:
        guest, running = await ready(launcher, group)
        assert (guest.pid, launcher._shells) == (shell.pid, {})
        assert await get(tmp_path / "1.sock") == "hello"
        status, plain = status_of(guest), status_of((await ready(launcher, group, slot=2))[0])
        kept = (
            "Name",
            "CapInh",
            "CapPrm",
            "CapEff",
            "CapBnd",
            "CapAmb",
            "NoNewPrivs",
            "Seccomp",
            "Seccomp_filters",
            "SigIgn",
        )
        assert {name: status[name] for name in kept} == {name: plain[name] for name in kept}
        await launcher.close()
        assert await running == -signal.SIGKILL


@pytest.mark.parametrize("end", [signal.SIGKILL, None])
async def test_a_prepared_process_that_has_ended_costs_nothing_but_its_time(
    launcher: Launcher, tmp_path: Path, end: signal.Signals | None
) -> None:
    launcher.prepare(1)
    if end is not None and 1 in launcher._shells:
        _, task = launcher._shells[1]
        shell = await task
        os.kill(shell.pid, end)
        async with asyncio.timeout(10):
            while not shell.ended:
                await asyncio.sleep(0.01)
    async with asyncio.TaskGroup() as group:
        guest, _ = await ready(launcher, group)
        assert await get(tmp_path / "1.sock") == "hello"
        guest.kill()


async def test_sandboxes_die_with_the_zygote_and_the_next_one_has_another(launcher: Launcher) -> None:
    async with asyncio.TaskGroup() as group:
        guest, running = await ready(launcher, group)
        parent = psutil.Process(guest.pid).parent()
        assert parent is not None
        parent.kill()
        async with asyncio.timeout(10):
            assert await running == -signal.SIGKILL
    async with asyncio.timeout(10):
        while psutil.pid_exists(guest.pid):
            await asyncio.sleep(0.01)
    async with asyncio.TaskGroup() as group:
        guest, _ = await ready(launcher, group)
        guest.kill()


async def test_without_namespaces_the_other_layers_stay(launcher: Launcher, tmp_path: Path) -> None:
    launcher._mode = Mode(namespaces=False, own_user=False, seccomp=True, missing=("no namespaces (here: a test)",))
    assert launcher.level == "reduced: no namespaces (here: a test)"
    async with asyncio.TaskGroup() as group:
        guest, _ = await ready(launcher, group, slot=2)
        assert await get(tmp_path / "2.sock") == "hello"
        status = status_of(guest)
        assert (status["NoNewPrivs"], status["Seccomp"], status["CapEff"]) == ("1", "2", "0" * 16)
        guest.kill()


async def test_what_cannot_be_isolated_says_why(launcher: Launcher, tmp_path: Path) -> None:
    plan = launcher.plan(3, memory_mib=64)
    broken = type(plan)(argv=("/nowhere",), env={}, root=plan.root, binds=plan.binds, uid=plan.uid, paths=plan.paths)
    guest = await launcher.launch(3, broken)
    assert await guest.run({}, b"", lambda message: None) == 126
    assert "the sandbox cannot be isolated" in guest.last_words()
