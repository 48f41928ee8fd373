"""Control groups, v1 or v2, where this process may make some: one for each sandbox, for its memory, processes and share of the CPU.

In v2 a group with members cannot pass controllers on, so the agent moves into a leaf of its own; it does so only where it is alone in its group,
as in a service or a container, never in a login session's.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_AGENT = "nearhop-agent"
_WANTED = ("memory", "pids", "cpu")
_THREADS = 128
_WEIGHT = 100  # a sandbox, however many threads it has, weighs as much as one other process


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A folder below which groups can be made, and the controllers that work there."""

    version: int
    folder: Path
    controllers: tuple[str, ...]


def find(processes: set[int]) -> tuple[Hierarchy, ...]:
    """Return where groups can be made. *processes* are the agent and its children: with them alone may it share a group of v2."""
    mounts = _mounts()
    found = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if names == "":
            found += _unified(mounts.get("", None), path, processes)
        else:
            found += [
                Hierarchy(1, folder, (name,))
                for name in names.split(",")
                if name in _WANTED and (folder := _below(mounts.get(name), path)) is not None and _may_make(folder)
            ]
    return tuple(found)


def _mounts() -> dict[str, Path]:
    # Where each controller of v1 is mounted; v2 under the empty name. proc_pid_mountinfo(5).
    found: dict[str, Path] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        point = Path(before.split(" ")[4])
        if kind == "cgroup2":
            found[""] = point
        elif kind == "cgroup":
            found |= dict.fromkeys(options.split(","), point)
    return found


def _below(mount: Path | None, path: str) -> Path | None:
    # In a container the path may be the host's while the mount shows the container's group as its root.
    if mount is None:
        return None
    folder = mount / path.lstrip("/")
    return folder if folder.is_dir() else mount


def _may_make(folder: Path) -> bool:
    probe = folder / f"nearhop-probe-{os.getpid()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError:
        return False
    return True


def _unified(mount: Path | None, path: str, processes: set[int]) -> list[Hierarchy]:
    folder = _below(mount, path)
    if folder is None or not _may_make(folder):
        return []
    try:
        there = set((folder / "cgroup.controllers").read_text().split())
        wanted = tuple(name for name in _WANTED if name in there)
        passed = set((folder / "cgroup.subtree_control").read_text().split())
        if not wanted or not (passed.issuperset(wanted) or _pass_on(folder, wanted, processes)):
            return []
    except OSError:
        return []
    return [Hierarchy(2, folder, wanted)]


def _pass_on(folder: Path, wanted: tuple[str, ...], processes: set[int]) -> bool:
    members = {int(pid) for pid in (folder / "cgroup.procs").read_text().split()}
    if not members <= processes:
        return False
    leaf = folder / _AGENT
    leaf.mkdir(exist_ok=True)
    for pid in members:
        (leaf / "cgroup.procs").write_text(str(pid))
    (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in wanted))
    return True


def make(hierarchies: tuple[Hierarchy, ...], name: str, memory_bytes: int) -> tuple[Path, ...]:
    """Make the groups of one sandbox and set their limits. Raises OSError."""
    groups = []
    for hierarchy in hierarchies:
        group = hierarchy.folder / name
        group.mkdir(exist_ok=True)
        groups.append(group)
        for file, value in _settings(hierarchy, memory_bytes):
            path = group / file
            if path.exists():
                path.write_text(value)
    return tuple(groups)


def _settings(hierarchy: Hierarchy, memory_bytes: int) -> list[tuple[str, str]]:
    second = hierarchy.version == 2
    found = []
    if "memory" in hierarchy.controllers and memory_bytes:
        limit = str(memory_bytes)
        found += (
            [("memory.max", limit), ("memory.swap.max", "0"), ("memory.oom.group", "1")]
            if second
            else [("memory.limit_in_bytes", limit), ("memory.memsw.limit_in_bytes", limit)]
        )
    if "pids" in hierarchy.controllers:
        found.append(("pids.max", str(_THREADS)))
    if "cpu" in hierarchy.controllers:
        found.append(("cpu.weight", str(_WEIGHT)) if second else ("cpu.shares", str(1024 * _WEIGHT // 100)))
    return found


def join(groups: tuple[Path, ...], pid: int) -> None:
    """Move a process into its groups; one that has ended already is in none. Raises OSError."""
    with contextlib.suppress(ProcessLookupError):
        for group in groups:
            (group / "cgroup.procs").write_text(str(pid))


def remove(groups: tuple[Path, ...]) -> None:
    """Remove the groups of a sandbox that has ended; one that is not empty yet stays for the next use of its name."""
    for group in groups:
        with contextlib.suppress(OSError):
            group.rmdir()
