"""Keeping real processes running, and ending them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from deploy.local.parts import Part
from deploy.local.supervisor import Supervised, Supervisor

pytestmark = pytest.mark.acceptance


async def eventually(check: Callable[[], object], within: float = 10.0) -> None:
    async with asyncio.timeout(within):
        while not check():
            await asyncio.sleep(0.01)


def python(name: str, code: str, *, grace_s: float = 5.0) -> Part:
    return Part(name, (sys.executable, "-c", code), "nowhere", grace_s)


SLEEPER = "import signal, sys; print('up', flush=True); signal.signal(15, lambda *_: sys.exit(0)); signal.pause()"
STUBBORN = "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()"


class Case:
    def __init__(self, supervisor: Supervisor, notices: list[str]) -> None:
        self.supervisor = supervisor
        self.notices = notices


@asynccontextmanager
async def supervision(folder: Path) -> AsyncIterator[Case]:
    notices: list[str] = []
    async with asyncio.TaskGroup() as group:
        supervisor = Supervisor(group, folder, notices.append)
        try:
            yield Case(supervisor, notices)
        finally:
            await supervisor.stop(supervisor.running)


def pid(supervised: Supervised) -> int:
    assert supervised.process is not None
    return supervised.process.pid


def said(supervised: Supervised) -> str:
    lines = supervised.log.read_text().splitlines(keepends=True) if supervised.log.exists() else []
    return "".join(line for line in lines if not line.startswith("---"))


async def test_a_part_runs_and_its_words_are_in_its_log(tmp_path: Path) -> None:
    async with supervision(tmp_path) as case:
        part = case.supervisor.start(python("p", SLEEPER))
        await eventually(lambda: said(part) == "up\n")
        process = psutil.Process(pid(part))
    assert not process.is_running()
    assert case.notices == []


async def test_a_killed_part_is_started_again_and_told(tmp_path: Path) -> None:
    async with supervision(tmp_path) as case:
        part = case.supervisor.start(python("p", SLEEPER))
        await eventually(lambda: said(part) == "up\n")
        os.kill(pid(part), signal.SIGKILL)
        await eventually(lambda: said(part) == "up\nup\n")
        assert case.notices == ["p was ended by signal 9; it is started again in 0.2 s"]
        assert part.starts == 2


async def test_a_part_that_cannot_start_is_not_tried_again(tmp_path: Path) -> None:
    async with supervision(tmp_path) as case:
        part = case.supervisor.start(python("p", "import sys; sys.exit('listen: in use') if 0 else sys.exit(3)"))
        await eventually(part.ended.is_set)
        assert part.gave_up == "could not start"
        assert part.starts == 1


async def test_a_part_that_does_not_end_is_killed(tmp_path: Path) -> None:
    async with supervision(tmp_path) as case:
        part = case.supervisor.start(python("p", STUBBORN, grace_s=0.2))
        await eventually(lambda: said(part) == "up\n")
        process = psutil.Process(pid(part))
    assert not process.is_running()


async def test_a_part_that_waits_for_its_restart_is_stopped_at_once(tmp_path: Path) -> None:
    async with supervision(tmp_path) as case:
        part = case.supervisor.start(python("p", "raise SystemExit(1)"))
        await eventually(lambda: len(case.notices) >= 4)  # the next one is 3 s away
        async with asyncio.timeout(1.5):
            await case.supervisor.stop([part])


async def test_a_grandchild_that_keeps_the_log_open_does_not_hold_the_restart(tmp_path: Path) -> None:
    code = "import subprocess, sys, os; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(30)']); os._exit(1)"
    async with supervision(tmp_path) as case:
        part = case.supervisor.start(python("p", code))
        await eventually(lambda: part.starts >= 2)
    for process in psutil.process_iter(["cmdline"]):
        if process.info["cmdline"] == [sys.executable, "-c", "import time; time.sleep(30)"]:
            process.kill()


async def test_a_part_stopped_while_it_is_being_started_ends_too(tmp_path: Path) -> None:
    async with supervision(tmp_path) as case:
        part = case.supervisor.start(python("p", SLEEPER))
    assert part.process is None or part.process.returncode is not None


SUPERVISE_FOREVER = """
import asyncio, sys
from pathlib import Path
from deploy.local.parts import Part
from deploy.local.supervisor import Supervisor

async def main():
    async with asyncio.TaskGroup() as group:
        supervisor = Supervisor(group, Path(sys.argv[1]), print)
        part = supervisor.start(Part("p", (sys.executable, "-c", sys.argv[2]), "", 5.0))
        while part.process is None:
            await asyncio.sleep(0.01)
        print(part.process.pid, flush=True)

asyncio.run(main())
"""


async def test_parts_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SUPERVISE_FOREVER, str(tmp_path), SLEEPER, stdout=asyncio.subprocess.PIPE
    )
    assert supervisor.stdout is not None
    part = psutil.Process(int(await supervisor.stdout.readline()))
    supervisor.kill()
    await supervisor.communicate()
    await eventually(lambda: not part.is_running() or part.status() == psutil.STATUS_ZOMBIE)
