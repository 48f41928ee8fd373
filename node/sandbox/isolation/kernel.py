"""The system calls that Python has no function for. Each raises OSError with what was tried."""

import ctypes
import os
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
SIGCHLD = 17

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MS_NOATIME, MS_NODIRATIME, MS_RELATIME = 1024, 2048, 1 << 21
MNT_DETACH = 2

_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 1, 24, 22, 38, 47
_CAP_LAST = 63
_CAPABILITY_VERSION_3 = 0x20080522

# Held with the interpreter's lock: a clone must not give it up, because nobody would take it back in the child.
_libc = ctypes.PyDLL(None, use_errno=True)
_NUMBERS = {
    "x86_64": {"clone": 56, "pivot_root": 155, "capset": 126},
    "aarch64": {"clone": 220, "pivot_root": 41, "capset": 91},
}
# The same on every architecture, because they came after the tables were unified.
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
_CLOSE_RANGE = 436


def machine() -> str:
    return os.uname().machine


def call(number: int, *arguments: object, what: str) -> int:
    """Make a system call by its number."""
    result = int(_libc.syscall(ctypes.c_long(number), *arguments))
    return _checked(result, what)


def _checked(result: int, what: str) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
    return result


def clone(flags: int) -> int:
    """Fork into new namespaces: return the child's pid in the parent, 0 in the child. For processes with one thread only."""
    zero = ctypes.c_long(0)
    return call(_NUMBERS[machine()]["clone"], ctypes.c_long(flags | SIGCHLD), zero, zero, zero, zero, what="clone")


def unshare(flags: int) -> None:
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    result = _libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode())
    _checked(result, f"mount {target}")


def detach(target: str) -> None:
    _checked(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    call(_NUMBERS[machine()]["pivot_root"], new.encode(), old.encode(), what="pivot_root")


def close_from(first: int) -> None:
    """Close every descriptor from *first* on."""
    last = ctypes.c_uint(0xFFFFFFFF)
    call(_CLOSE_RANGE, ctypes.c_uint(first), last, ctypes.c_uint(0), what="close_range")


def set_hostname(name: str) -> None:
    _checked(_libc.sethostname(name.encode(), len(name)), "sethostname")


def _prctl(option: int, first: object, second: object = 0, *, what: str) -> int:
    zero = ctypes.c_ulong(0)
    second = ctypes.c_ulong(second) if isinstance(second, int) else second
    first = ctypes.c_ulong(first) if isinstance(first, int) else first
    return _checked(int(_libc.prctl(option, first, second, zero, zero)), what)


def die_with_parent(number: int) -> None:
    """Have the kernel send *number* when the parent's thread ends. A change of user undoes it, so it comes last."""
    _prctl(_PR_SET_PDEATHSIG, number, what="pdeathsig")


def no_new_privileges() -> None:
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, what="no_new_privs")


def filter_system_calls(program: bytes) -> None:
    """Install a seccomp filter: an array of struct sock_filter."""
    code = ctypes.create_string_buffer(program, len(program))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code)))
    _prctl(_PR_SET_SECCOMP, 2, ctypes.byref(head), what="seccomp")


def drop_bounding_set() -> None:
    """Give up every capability for good; needs CAP_SETPCAP."""
    for capability in range(_CAP_LAST + 1):
        try:
            _prctl(_PR_CAPBSET_DROP, capability, what="capability bounding set")
        except OSError:
            if capability == 0:
                raise
            return  # past the last one that the kernel knows


def drop_capabilities() -> None:
    """Give up every capability that this process holds."""
    _prctl(_PR_CAP_AMBIENT, 4, what="ambient capabilities")
    head = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    call(_NUMBERS[machine()]["capset"], head, bytes(24), what="capset")
