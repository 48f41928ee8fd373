from pathlib import Path

import pytest

from node.sandbox.isolation import cgroups
from node.sandbox.isolation.cgroups import Hierarchy


def test_limits_of_the_second_version(tmp_path: Path) -> None:
    (tmp_path / "g").mkdir()
    files = ("memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cpu.weight", "cgroup.procs")
    for name in files:
        (tmp_path / "g" / name).write_text("")
    groups = cgroups.make((Hierarchy(2, tmp_path, ("memory", "pids", "cpu")),), "g", 1 << 28)
    assert groups == (tmp_path / "g",)
    assert (tmp_path / "g" / "memory.max").read_text() == str(1 << 28)
    assert (tmp_path / "g" / "memory.swap.max").read_text() == "0"
    assert (tmp_path / "g" / "memory.oom.group").read_text() == "1"
    assert int((tmp_path / "g" / "pids.max").read_text()) > 15
    cgroups.join(groups, 42)
    assert (tmp_path / "g" / "cgroup.procs").read_text() == "42"


def test_limits_of_the_first_version_as_far_as_the_kernel_has_them(tmp_path: Path) -> None:
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "memory.limit_in_bytes").write_text("")
    cgroups.make((Hierarchy(1, tmp_path, ("memory",)),), "g", 1 << 27)
    assert (tmp_path / "g" / "memory.limit_in_bytes").read_text() == str(1 << 27)
    assert not (tmp_path / "g" / "memory.memsw.limit_in_bytes").exists()


def test_no_memory_limit_leaves_the_groups(tmp_path: Path) -> None:
    [group] = cgroups.make((Hierarchy(2, tmp_path, ("memory",)),), "g", 0)
    assert list(group.iterdir()) == []
    cgroups.remove((group,))
    assert not group.exists()


def test_a_group_in_use_is_left(tmp_path: Path) -> None:
    (tmp_path / "g" / "inner").mkdir(parents=True)
    cgroups.remove((tmp_path / "g",))
    assert (tmp_path / "g").exists()


def test_what_is_found_here_can_be_used() -> None:
    for hierarchy in cgroups.find(set()):
        [group] = cgroups.make((hierarchy,), "nearhop-test-of-groups", 1 << 28)
        assert group.is_dir()
        cgroups.remove((group,))
        assert not group.exists()


def test_joining_when_the_process_has_ended_is_no_error() -> None:
    found = cgroups.find(set())
    if not found:
        pytest.skip("no control groups can be made here")
    groups = cgroups.make(found, "nearhop-test-of-joining", 1 << 28)
    try:
        cgroups.join(groups, 2**22 - 1)
    finally:
        cgroups.remove(groups)
