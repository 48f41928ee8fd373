"""Landlock: a process gives up every path but those that it names, TCP, and signals to others, as far as the kernel knows how."""

import ctypes
import os
import stat
import struct

from node.sandbox.isolation import kernel
from node.sandbox.isolation.layout import Paths

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG, _MAKE_SOCK, _REFER = 16, 32, 128, 256, 512, 1 << 13
_TRUNCATE = 1 << 14
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | 1 << 15
_FS_BITS = (0, 13, 14, 15, 15, 16)  # how many rights an ABI knows, landlock(7); the last one repeats
_READ = _READ_FILE | _READ_DIR
_WRITE = _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _TRUNCATE | _REFER
_LISTEN = _READ | _REMOVE_FILE | _MAKE_SOCK  # no regular file: this folder lies on the machine's disk


def abi() -> int:
    """Return the version of the kernel's Landlock, 0 where there is none."""
    try:
        return kernel.call(kernel.LANDLOCK_CREATE_RULESET, None, 0, 1, what="landlock")
    except OSError:
        return 0


def restrict(paths: Paths, *, internet: bool) -> None:
    """Leave this process the named paths; without *internet* no TCP either. Needs no_new_privs.

    Paths that do not exist are passed over. Does nothing where the kernel has no Landlock.
    """
    version = abi()
    if version == 0:
        return
    known = (1 << _FS_BITS[min(version, len(_FS_BITS) - 1)]) - 1
    tcp = 3 if version >= 4 and not internet else 0
    scoped = 3 if version >= 6 else 0  # abstract sockets, signals
    attributes = struct.pack("QQQ", known, tcp, scoped)[: 8 if version < 4 else 16 if version < 6 else 24]
    rules = kernel.call(kernel.LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0, what="landlock rules")
    try:
        left = ((paths.read, _READ), (paths.execute, _READ | _EXECUTE), (paths.write, _WRITE), (paths.listen, _LISTEN))
        for some, rights in left:
            for path in some:
                _allow(rules, path, rights & known)
        kernel.call(kernel.LANDLOCK_RESTRICT_SELF, rules, 0, what="landlock")
    finally:
        os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(file).st_mode):
            rights &= _OF_FILES
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, file), 12)
        kernel.call(kernel.LANDLOCK_ADD_RULE, rules, 1, rule, 0, what=f"landlock {path}")
    finally:
        os.close(file)
