"""A small process of one thread that starts sandboxes for the agent: it forks them into their namespaces and tells how they end.

It listens on the socket that it was started with as standard input. A request is a Plan with three descriptors, the sandbox's standard streams;
the answer {"pid"} comes with a pidfd, and {"pid", "status", "cpu_s"} follows once the process is reaped. One that is held waits, isolated, for
the word to become the engine. The zygote ends when the agent does.
"""

import array
import contextlib
import json
import os
import select
import signal
import socket

from node.sandbox.isolation import confine, kernel
from node.sandbox.isolation.layout import WORD_HEAD_BYTES, Plan, decode

_REQUEST_BYTES = 128 << 10
_NICE = (
    5  # below the ingress and the agent: who watches must get the processor when who is watched does not let go of it
)


def main() -> None:
    """Serve until the agent's end of the socket is closed."""
    control = socket.socket(fileno=os.dup(0))
    wake_read, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    life_read, life_write = os.pipe2(os.O_CLOEXEC)
    while True:
        readable, _, _ = select.select([control.fileno(), wake_read], [], [])
        if wake_read in readable:
            os.read(wake_read, 4096)
            _reap(control)
        if control.fileno() in readable and not _serve(control, life_read, life_write):
            return


def _serve(control: socket.socket, life_read: int, life_write: int) -> bool:
    body, ancillary, _, _ = control.recvmsg(_REQUEST_BYTES, socket.CMSG_SPACE(3 * 4))
    if not body:
        return False
    streams = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            streams.frombytes(data[: len(data) - len(data) % streams.itemsize])
    try:
        pid, pidfd = _start(decode(body), list(streams), life_read, life_write)
    except OSError as error:
        _send(control, {"error": str(error)})
    else:
        _send(control, {"pid": pid}, pidfd)
        os.close(pidfd)
    finally:
        for stream in streams:
            os.close(stream)
    return True


def _start(plan: Plan, streams: list[int], life_read: int, life_write: int) -> tuple[int, int]:
    go_read, go_write = os.pipe2(os.O_CLOEXEC)
    root = os.geteuid() == 0
    flags = confine.NAMESPACES if plan.isolated else 0
    if plan.isolated and not root:
        flags |= kernel.CLONE_NEWUSER
    try:
        pid = kernel.clone(flags)
        if pid == 0:
            os.close(life_write)
            os.close(go_write)
            _child(plan, streams, go_read, life_read)
        return pid, _let_go(pid, go_write, flags)
    finally:
        os.close(go_read)
        os.close(go_write)


def _let_go(pid: int, go_write: int, flags: int) -> int:
    # The child waits for its user. Without the word it ends: the pipe is closed.
    pidfd = os.pidfd_open(pid)
    try:
        if flags & kernel.CLONE_NEWUSER:
            _write(f"/proc/{pid}/setgroups", "deny")
            _write(f"/proc/{pid}/uid_map", f"{confine.INSIDE_UID} {os.geteuid()} 1")
            _write(f"/proc/{pid}/gid_map", f"{confine.INSIDE_UID} {os.getegid()} 1")
        os.write(go_write, b"1")
    except OSError:
        os.close(pidfd)
        raise
    return pidfd


def _child(plan: Plan, streams: list[int], go_read: int, life_read: int) -> None:
    status = 126
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        if os.read(go_read, 1) == b"1":
            _become(plan, life_read)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.write(2, f"the sandbox cannot be isolated: {error}\n".encode())
    finally:
        os._exit(status)


def _become(plan: Plan, life_read: int) -> None:
    os.setsid()
    if plan.isolated:
        confine.build_root(plan)
    else:
        os.chdir("/")
    confine.become(plan, root=os.geteuid() == 0)
    kernel.die_with_parent(signal.SIGKILL)
    if select.select([life_read], [], [], 0)[0]:
        return  # the zygote has ended in the meantime
    kernel.close_from(3)
    if argv := _word() if plan.held else plan.argv:
        os.execve(argv[0], argv, plan.env)  # noqa: S606  # the engine, by its path


def _word() -> list[str]:
    # Not a byte more than the word: what follows on the pipe is the engine's to read.
    head = _exactly(WORD_HEAD_BYTES)
    body = _exactly(int.from_bytes(head, "big"))
    return list(json.loads(body)) if body else []


def _exactly(size: int) -> bytes:
    held = b""
    while len(held) < size and (piece := os.read(0, size - len(held))):
        held += piece
    return held if len(held) == size else b""


def _reap(control: socket.socket) -> None:
    while True:
        try:
            pid, status, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        cpu_s = used.ru_utime + used.ru_stime
        _send(control, {"pid": pid, "status": os.waitstatus_to_exitcode(status), "cpu_s": cpu_s})


def _send(control: socket.socket, message: dict[str, object], *descriptors: int) -> None:
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    control.sendmsg([json.dumps(message).encode()], rights)


def _write(path: str, text: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


if __name__ == "__main__":
    main()
