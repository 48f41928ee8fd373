"""The agent's priority: its own thread's, and of nothing that it starts."""

import concurrent.futures
import os
import subprocess
import sys
import threading

from node.agent import priority

_NICENESS = "import os; print(os.getpriority(os.PRIO_PROCESS, 0))"


def test_only_the_calling_thread_rises() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)

    def attempt() -> tuple[bool, int, str, int]:
        risen = priority.rise()
        child = subprocess.run([sys.executable, "-c", _NICENESS], capture_output=True, text=True, check=True)
        other: list[int] = []
        thread = threading.Thread(target=lambda: other.append(os.getpriority(os.PRIO_PROCESS, 0)))
        thread.start()
        thread.join()
        return risen, os.getpriority(os.PRIO_PROCESS, 0), child.stdout.strip(), other[0]

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        risen, own, child, other = pool.submit(attempt).result()
    assert own == (-10 if risen else before)
    assert (child, other) == (str(max(0, before)), max(0, before)) if risen else (str(before), before)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_without_the_right_it_goes_on_as_it_is(monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setpriority", refuse)
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    assert not priority.rise()


def test_a_place_that_the_operator_chose_is_kept(monkeypatch) -> None:
    monkeypatch.setattr(os, "getpriority", lambda *_: 5)
    assert not priority.rise()
