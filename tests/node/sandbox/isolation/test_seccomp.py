"""The filter, run by a small BPF machine: the kernel's answer for any system call."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.sandbox.isolation.seccomp import AF_INET, AF_INET6, AF_UNIX, program, refused

ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CLONE = {"x86_64": 56, "aarch64": 220}
SOCKET = {"x86_64": 41, "aarch64": 198}
IOCTL = {"x86_64": 16, "aarch64": 29}
MACHINES = sorted(AUDIT)


def ask(code: bytes, number: int, *arguments: int, arch: int) -> int:
    """Run the program on one struct seccomp_data."""
    data = struct.pack("<IIQ6Q", number, arch, 0, *[*arguments, 0, 0, 0, 0, 0, 0][:6])
    lines = [struct.unpack_from("HBBI", code, at) for at in range(0, len(code), 8)]
    at, held = 0, 0
    while True:
        operation, yes, no, value = lines[at]
        at += 1
        match operation:
            case 0x20:
                held = struct.unpack_from("<I", data, value)[0]
            case 0x15:
                at += yes if held == value else no
            case 0x35:
                at += yes if held >= value else no
            case 0x45:
                at += yes if held & value else no
            case 0x06:
                return value
            case _:
                raise AssertionError(f"an operation that is not used: {operation:#x}")


@pytest.mark.parametrize("machine", MACHINES)
def test_refuses_what_is_listed_and_lets_the_engine_work(machine: str) -> None:
    code, arch = program(machine, internet=False), AUDIT[machine]
    for name, number in refused(machine).items():
        assert ask(code, number, arch=arch) == ERRNO | 1, name
    for number in (0, 1, 3, 202, 257) if machine == "x86_64" else (63, 64, 57, 98, 56):
        assert ask(code, number, arch=arch) == ALLOW
    assert ask(code, 435, arch=arch) == ERRNO | 38


@pytest.mark.parametrize("machine", MACHINES)
def test_threads_but_no_processes(machine: str) -> None:
    code, arch = program(machine, internet=False), AUDIT[machine]
    assert ask(code, CLONE[machine], 0x3D0F00, arch=arch) == ALLOW
    for flags in (17, 0x10000011, 0x20000, 0x4111):
        assert ask(code, CLONE[machine], flags, arch=arch) == ERRNO | 1


@pytest.mark.parametrize("machine", MACHINES)
def test_sockets(machine: str) -> None:
    arch = AUDIT[machine]
    for internet in (False, True):
        code = program(machine, internet=internet)
        allowed = {AF_UNIX} | ({AF_INET, AF_INET6} if internet else set())
        for family in range(50):
            want = ALLOW if family in allowed else ERRNO | 1
            assert ask(code, SOCKET[machine], family, arch=arch) == want
    assert ask(code, IOCTL[machine], 0, 0x5412, arch=arch) == ERRNO | 1
    assert ask(code, IOCTL[machine], 0, 0x5421, arch=arch) == ALLOW


def test_other_ways_to_call_are_deadly() -> None:
    code = program("x86_64", internet=False)
    assert ask(code, 1, arch=0x40000003) == KILL
    assert ask(code, 0x40000001, arch=AUDIT["x86_64"]) == KILL


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_every_call_gets_an_answer(number: int, first: int, second: int) -> None:
    answer = ask(program("x86_64", internet=False), number, first, second, arch=AUDIT["x86_64"])
    assert answer in (ALLOW, KILL, ERRNO | 1, ERRNO | 38)
