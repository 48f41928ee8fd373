"""What a sandbox's process does to itself between its birth and the engine: mounts, user, limits, capabilities, Landlock, seccomp; in that order.

It runs in the zygote's child, with one thread and nobody to catch its errors: an OSError ends it, with the error on its standard error.
"""

import contextlib
import os
import resource
from pathlib import Path

from node.sandbox.isolation import kernel, landlock, seccomp
from node.sandbox.isolation.layout import CACHE, SCRATCH, Bind, Plan

NAMESPACES = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
INSIDE_UID = 65534
_BARE = kernel.MS_NOSUID | kernel.MS_NODEV
_ANY_STACK = "000000010000-7ffffffff000 rw-p 00000000 00:00 0 [stack]\n"
_KEPT = {
    os.ST_RDONLY: kernel.MS_RDONLY, os.ST_NOSUID: kernel.MS_NOSUID, os.ST_NODEV: kernel.MS_NODEV, os.ST_NOEXEC: kernel.MS_NOEXEC,
    os.ST_NOATIME: kernel.MS_NOATIME, os.ST_NODIRATIME: kernel.MS_NODIRATIME, os.ST_RELATIME: kernel.MS_RELATIME,
}  # fmt: skip


def build_root(plan: Plan) -> None:
    """Put the plan's file system in the place of the machine's. Needs a mount namespace and the right to mount in it."""
    kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", plan.root, "tmpfs", _BARE, "size=256k,nr_inodes=256,mode=0755")
    scratch = plan.root + SCRATCH
    Path(scratch).mkdir()
    options = f"size={plan.limits.scratch_bytes},nr_inodes=1024,mode=1777"
    kernel.mount("tmpfs", scratch, "tmpfs", _BARE | kernel.MS_NOEXEC, options)
    for bind in plan.binds:
        _bind(plan.root, bind)
    if plan.cache:
        _copy(plan.cache, plan.root + CACHE, plan.uid)
    _processes(plan.root + "/proc")
    # The new root is stacked on the old one, which is then the lower of the two and let go of: no folder for it is needed.
    os.chdir(plan.root)
    kernel.pivot_root(".", ".")
    kernel.detach(".")
    os.chdir("/")
    kernel.mount("none", "/", "", kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | _BARE)
    with contextlib.suppress(
        PermissionError
    ):  # a service manager's filter may refuse it; the machine's name is no secret
        kernel.set_hostname("sandbox")


def _copy(source: str, target: str, uid: int | None) -> None:
    os.mkdir(target, 0o700)  # noqa: PTH102  # here and below each millisecond is one of a cold start
    if uid is not None:
        os.chown(target, uid, uid)
    for entry in os.scandir(source):
        copied = f"{target}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            _copy(entry.path, copied, uid)
        elif entry.is_file(follow_symlinks=False):
            with open(entry.path, "rb") as old, open(copied, "wb") as new:  # noqa: PTH123
                new.write(old.read())
            if uid is not None:
                os.chown(copied, uid, uid)


def _processes(proc: str) -> None:
    # The C library learns the size of the main thread's stack from /proc/self/maps and the engine ends without it. In a container, where parts of
    # /proc are covered, the kernel refuses a /proc of one's own: one line that covers every stack will do.
    Path(proc).mkdir()
    try:
        kernel.mount("proc", proc, "proc", _BARE | kernel.MS_NOEXEC | kernel.MS_RDONLY, "subset=pid")
    except OSError:
        Path(f"{proc}/self").mkdir()
        Path(f"{proc}/self/maps").write_text(_ANY_STACK)


def _bind(root: str, bind: Bind) -> None:
    target = root + bind.target
    path = Path(target)
    if Path(bind.source).is_dir():
        path.mkdir(parents=True, exist_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o444)
    kernel.mount(bind.source, target, "", kernel.MS_BIND | kernel.MS_REC)
    # Flags that the machine has set on the mount are locked in a user namespace: leaving one out would be refused.
    flags = os.statvfs(target).f_flag
    kept = sum(ours for theirs, ours in _KEPT.items() if flags & theirs)
    if bind.target.startswith("/dev/"):
        return
    wanted = kept | _BARE | (0 if bind.writable else kernel.MS_RDONLY)
    kernel.mount("none", target, "", kernel.MS_REMOUNT | kernel.MS_BIND | wanted)


def become(plan: Plan, *, root: bool) -> None:
    """Give up what the plan does not leave: limits first, seccomp last, because it refuses what the others need."""
    _limit(plan)
    # It takes no processor from anyone by waking up, least of all from the ingress, which would hand it one request at a time: sched(7).
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    kernel.no_new_privileges()
    if root:
        kernel.drop_bounding_set()
        os.setgroups([])
    if plan.uid is not None:
        os.setresgid(plan.uid, plan.uid, plan.uid)
        os.setresuid(plan.uid, plan.uid, plan.uid)
        if plan.isolated:
            kernel.unshare(kernel.CLONE_NEWUSER)  # unmapped: inside, it is nobody
    kernel.drop_capabilities()
    landlock.restrict(plan.paths, internet=not plan.isolated)
    if plan.seccomp:
        kernel.filter_system_calls(seccomp.program(kernel.machine(), internet=not plan.isolated))


def _limit(plan: Plan) -> None:
    fixed = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: plan.limits.scratch_bytes,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_RTPRIO: 0,
    }
    if plan.isolated or plan.uid is not None:  # else every process of the agent's user would count
        fixed[resource.RLIMIT_NPROC] = plan.limits.threads
    for what, limit in fixed.items():
        resource.setrlimit(what, (limit, limit))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = min(plan.limits.files, hard) if hard != resource.RLIM_INFINITY else plan.limits.files
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
