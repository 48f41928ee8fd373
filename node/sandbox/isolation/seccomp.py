"""Which system calls a sandbox may not make, as a BPF program. Pure.

A list of what is refused, because the engine's own needs change with each release: what asks the kernel for other processes, namespaces, mounts,
modules, keys, clocks, tracing and io_uring, any new process, and any socket but those that its isolation leaves it.
"""

import struct
from dataclasses import dataclass

_EPERM, _ENOSYS = 1, 38
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF_LD|W|ABS and so on, seccomp(2)
_NUMBER, _ARCH, _ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data; each argument has 8 bytes, the low ones first
_CLONE_THREAD = 0x00010000
_X32 = 0x40000000
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: what types into the agent's terminal
AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10

# In the order of their numbers on x86-64; those from 424 on are the same everywhere.
_REFUSED = {
    "x86_64": {
        "shmget": 29, "fork": 57, "vfork": 58, "kill": 62, "semget": 64, "msgget": 68, "ptrace": 101, "syslog": 103,
        "rt_sigqueueinfo": 129, "mknod": 133, "uselib": 134, "personality": 135, "ustat": 136, "sysfs": 139, "vhangup": 153,
        "modify_ldt": 154, "pivot_root": 155, "_sysctl": 156, "adjtimex": 159, "chroot": 161, "acct": 163, "settimeofday": 164,
        "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169, "sethostname": 170, "setdomainname": 171,
        "iopl": 172, "ioperm": 173, "init_module": 175, "delete_module": 176, "quotactl": 179, "tkill": 200,
        "lookup_dcookie": 212, "clock_settime": 227, "mq_open": 240, "kexec_load": 246, "add_key": 248, "request_key": 249,
        "keyctl": 250, "migrate_pages": 256, "mknodat": 259, "unshare": 272, "move_pages": 279, "rt_tgsigqueueinfo": 297,
        "perf_event_open": 298, "fanotify_init": 300, "name_to_handle_at": 303, "open_by_handle_at": 304, "clock_adjtime": 305,
        "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313,
        "kexec_file_load": 320, "bpf": 321, "execveat": 322, "userfaultfd": 323,
    },
    "aarch64": {
        "lookup_dcookie": 18, "mknodat": 33, "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "vhangup": 58,
        "quotactl": 60, "acct": 89, "personality": 92, "unshare": 97, "kexec_load": 104, "init_module": 105,
        "delete_module": 106, "clock_settime": 112, "syslog": 116, "ptrace": 117, "kill": 129, "tkill": 130,
        "rt_sigqueueinfo": 138, "reboot": 142, "sethostname": 161, "setdomainname": 162, "settimeofday": 170, "adjtimex": 171,
        "mq_open": 180, "msgget": 186, "semget": 190, "shmget": 194, "add_key": 217, "request_key": 218, "keyctl": 219,
        "swapon": 224, "swapoff": 225, "migrate_pages": 238, "move_pages": 239, "rt_tgsigqueueinfo": 240,
        "perf_event_open": 241, "fanotify_init": 262, "name_to_handle_at": 264, "open_by_handle_at": 265, "clock_adjtime": 266,
        "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "finit_module": 273, "bpf": 280,
        "execveat": 281, "userfaultfd": 282, "kexec_file_load": 294,
    },
}  # fmt: skip
_REFUSED_EVERYWHERE = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_open": 434, "pidfd_getfd": 438,
    "process_madvise": 440, "mount_setattr": 442, "quotactl_fd": 443, "memfd_secret": 447, "process_mrelease": 448,
    "statmount": 457, "listmount": 458, "open_tree_attr": 467,
}  # fmt: skip
_CLONE3 = 435


@dataclass(frozen=True, slots=True)
class _Machine:
    audit: int  # AUDIT_ARCH_*
    clone: int
    socket: int
    socketpair: int
    ioctl: int
    x32: bool


_MACHINES = {
    "x86_64": _Machine(0xC000003E, clone=56, socket=41, socketpair=53, ioctl=16, x32=True),
    "aarch64": _Machine(0xC00000B7, clone=220, socket=198, socketpair=199, ioctl=29, x32=False),
}


def refused(machine: str) -> dict[str, int]:
    """Return the system calls that are refused whatever their arguments, with their numbers on *machine*."""
    return _REFUSED[machine] | _REFUSED_EVERYWHERE


def program(machine: str, *, internet: bool) -> bytes:
    """Return the filter; *internet* leaves IPv4 and IPv6 sockets, for a sandbox without a network namespace of its own."""
    it = _MACHINES[machine]
    families = (AF_UNIX, AF_INET, AF_INET6) if internet else (AF_UNIX,)
    code = [_load(_ARCH), *_unless(_JEQ, it.audit, [_return(_KILL)]), _load(_NUMBER)]
    if it.x32:
        code += _if(_JGE, _X32, [_return(_KILL)])
    for number in sorted(refused(machine).values()):
        code += _if(_JEQ, number, [_return(_ERRNO | _EPERM)])
    # clone3 keeps its flags behind a pointer that a filter cannot follow: without it the C library falls back to clone.
    code += _if(_JEQ, _CLONE3, [_return(_ERRNO | _ENOSYS)])
    is_thread = [_load(_ARGUMENT), *_if(_JSET, _CLONE_THREAD, [_return(_ALLOW)]), _return(_ERRNO | _EPERM)]
    code += _if(_JEQ, it.clone, is_thread)
    for number in (it.socket, it.socketpair):
        allowed = [line for family in families for line in _if(_JEQ, family, [_return(_ALLOW)])]
        code += _if(_JEQ, number, [_load(_ARGUMENT), *allowed, _return(_ERRNO | _EPERM)])
    typed = [line for request in _TERMINAL_INPUT for line in _if(_JEQ, request, [_return(_ERRNO | _EPERM)])]
    code += _if(_JEQ, it.ioctl, [_load(_ARGUMENT + 8), *typed, _return(_ALLOW)])
    return b"".join([*code, _return(_ALLOW)])


def _line(code: int, yes: int, no: int, value: int) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)


def _load(offset: int) -> bytes:
    return _line(_LD, 0, 0, offset)


def _return(value: int) -> bytes:
    return _line(_RET, 0, 0, value)


def _if(test: int, value: int, then: list[bytes]) -> list[bytes]:
    return [_line(test, 0, len(then), value), *then]


def _unless(test: int, value: int, then: list[bytes]) -> list[bytes]:
    return [_line(test, len(then), 0, value), *then]
