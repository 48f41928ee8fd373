import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from nearhop import children
from nearhop.errors import EngineMissing
from tests.harness.eventually import eventually

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
PARENT = """
import asyncio, sys
from nearhop import children
async def main():
    child = await children.spawn([sys.executable, "-c", "import time; time.sleep(60)"])
    print(child.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_a_child_gets_its_folder_environment_and_streams(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd(), os.environ['X'], sys.stdin.read())"
    pipe = asyncio.subprocess.PIPE
    child = await children.spawn(
        [sys.executable, "-c", code], cwd=tmp_path, env={"X": "y"}, stdin=pipe, stdout=pipe, stderr=pipe
    )
    out, _ = await child.communicate(b"in")
    assert out.decode().split() == [str(tmp_path), "y", "in"]
    assert await children.stop(child, grace_s=1) == 0


async def test_stopping_ends_with_sigterm() -> None:
    assert await children.stop(await children.spawn(SLEEP), grace_s=10) == -signal.SIGTERM


async def test_a_child_that_ignores_sigterm_is_killed_after_the_grace() -> None:
    child = await children.spawn([sys.executable, "-c", STUBBORN], stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    await child.stdout.readline()
    began = time.monotonic()
    assert await children.stop(child, grace_s=0.2) == -signal.SIGKILL
    assert time.monotonic() - began >= 0.2
    await child.communicate()


async def test_a_child_dies_with_a_parent_that_is_killed() -> None:
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}
    parent = await children.spawn([sys.executable, "-c", PARENT], env=environment, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    parent.kill()
    await parent.communicate()

    async def gone() -> bool:
        return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE

    await eventually(gone, within=5)


async def test_a_child_has_its_own_session_so_that_ctrl_c_does_not_reach_it() -> None:
    child = await children.spawn(SLEEP)
    assert os.getsid(child.pid) == child.pid
    await children.stop(child, grace_s=10)


async def test_without_setpriv_the_reason_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    children._setpriv.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineMissing, match="util-linux"):
        await children.spawn(SLEEP)
    children._setpriv.cache_clear()
