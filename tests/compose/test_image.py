"""What the containers may not do, and the one thing that a node's may: build namespaces for its sandboxes."""

import json

import pytest

from tests.compose import fleet

pytestmark = [pytest.mark.compose, pytest.mark.timeout(600), pytest.mark.usefixtures("compose_fleet")]

OURS = (*fleet.CONTROL_PLANES, *fleet.ROUTERS, "dashboard", *fleet.NODES)
NAMESPACES = "unshare --user --map-root-user --mount --net --pid --ipc --uts --fork sh -c"
LEVEL = """
import asyncio, pathlib
from nearhop import engines
from node.sandbox.isolation.launcher import Launcher, Settings

async def main():
    folder = pathlib.Path("/tmp/isolation")
    folder.mkdir(exist_ok=True)
    deno = engines.find("deno").path
    launcher = Launcher(Settings(deno, folder / "run", folder / "cache", "", lambda slot: folder / f"{slot}.sock"))
    await launcher.open()
    await launcher.close()
    print(launcher.level)

asyncio.run(main())
"""
REFUSED = "import ctypes; libc = ctypes.CDLL(None, use_errno=True); print(libc.syscall({number}, 0, 0, 0, 0, 0), ctypes.get_errno())"
# Numbers of x86-64, which is what these tests run on.
SYSCALLS = {
    "ptrace": 101,
    "keyctl": 250,
    "perf_event_open": 298,
    "setns": 308,
    "unshare": 272,
    "bpf": 321,
    "userfaultfd": 323,
    "io_uring_setup": 425,
    "fsopen": 430,
}


@pytest.mark.parametrize("part", OURS)
async def test_no_part_is_root_or_can_become_it(part: str) -> None:
    status = (await fleet.inside(part, "cat", "/proc/self/status")).stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Uid"].split() == ["10001"] * 4
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"  # a filter
    assert {fields[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}


@pytest.mark.parametrize("part", ["controlplane-1", "router-1", "tokyo-1"])
async def test_the_root_file_system_cannot_be_written(part: str) -> None:
    for path in ("/opt/nearhop/planted", "/usr/local/bin/planted", "/etc/planted", "/planted"):
        ran = await fleet.inside(part, "touch", path)
        assert ran.status != 0, path


async def test_the_image_has_no_compiler_no_installer_and_no_way_to_another_user() -> None:
    for program in ("cc", "gcc", "ld", "as", "make", "pip", "pip3"):
        ran = await fleet.inside("tokyo-1", "sh", "-c", f"command -v {program}")
        assert ran.status != 0, f"{program}: {ran.stdout}"
    ran = await fleet.inside("tokyo-1", "python", "-c", "import pip")
    assert "No module named 'pip'" in ran.stderr
    ran = await fleet.inside("tokyo-1", "find", "/usr", "/opt", "-xdev", "-perm", "/6000")
    assert (ran.status, ran.stdout) == (0, "")


async def test_process_1_reaps_what_others_leave_behind() -> None:
    # The shell ends at once; its child, ended later, is nobody's but process 1's.
    await fleet.inside("tokyo-1", "sh", "-c", "sh -c 'sleep 0.2 & echo $! >/tmp/orphan' & wait")
    ran = await fleet.inside(
        "tokyo-1", "sh", "-c", "sleep 0.6; test -e /proc/$(cat /tmp/orphan)/stat && cat /proc/$(cat /tmp/orphan)/stat"
    )
    assert ran.status != 0, f"still there: {ran.stdout}"


async def test_a_node_isolates_its_sandboxes_fully_without_any_capability() -> None:
    ran = await fleet.inside("tokyo-1", "python", "-c", LEVEL)
    assert (ran.status, ran.stdout.strip().splitlines()[-1:]) == (0, ["full"]), ran.stdout + ran.stderr


@pytest.mark.parametrize("part", ["controlplane-1", "router-1"])
async def test_no_other_part_can(part: str) -> None:
    ran = await fleet.inside(part, "sh", "-c", f"{NAMESPACES} 'echo made'")
    assert ran.status != 0
    assert "Operation not permitted" in ran.stderr


async def test_the_nodes_profile_refuses_what_a_sandbox_does_not_need() -> None:
    for name, number in SYSCALLS.items():
        ran = await fleet.inside("tokyo-1", "python", "-c", REFUSED.format(number=number))
        assert ran.stdout.split() == ["-1", "1"], f"{name}: {ran.stdout}{ran.stderr}"  # EPERM


async def test_mounting_outside_a_namespace_of_ones_own_is_refused() -> None:
    ran = await fleet.inside("tokyo-1", "mount", "-t", "tmpfs", "none", "/mnt")
    assert ran.status != 0
    assert "permission denied" in ran.stderr.lower() or "must be superuser" in ran.stderr


async def test_every_grant_of_the_profile_is_explained() -> None:
    profile = json.loads((fleet.COMPOSE / "seccomp.json").read_text())
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    for entry in profile["syscalls"]:
        assert entry["comment"], entry["names"]
        assert entry["action"] == "SCMP_ACT_ALLOW"
    names = [name for entry in profile["syscalls"] for name in entry["names"] if "args" not in entry]
    assert len(names) == len(set(names))


async def test_nodes_reach_neither_etcd_nor_another_region() -> None:
    attempt = "import socket; socket.create_connection(({host!r}, {port}), timeout=1.5)"
    for host, port in (("10.78.0.11", 2379), ("10.78.2.11", 7480)):
        ran = await fleet.inside("tokyo-1", "python", "-c", attempt.format(host=host, port=port))
        assert ran.status != 0, f"{host}:{port} is reachable"
    ran = await fleet.inside("tokyo-1", "python", "-c", attempt.format(host="10.78.1.12", port=7480))
    assert ran.status == 0, ran.stderr  # the attempt itself works


async def test_etcd_answers_nobody_without_a_certificate_of_its_own_authority() -> None:
    asked = await fleet.inside("etcd-2", "etcdctl", "get", "--prefix", "--keys-only", "/nearhop/nodes/")
    assert "tokyo-1" in asked.stdout, asked.stderr  # with one it does
    attempt = (
        "import grpc; channel = grpc.secure_channel('10.78.0.12:2379', grpc.ssl_channel_credentials("
        "open('/keys/etcd-ca.pem', 'rb').read())); grpc.channel_ready_future(channel).result(timeout=3)"
    )
    ran = await fleet.inside("controlplane-1", "python", "-c", attempt)
    assert "FutureTimeoutError" in ran.stderr


@pytest.mark.parametrize("part", ["tokyo-1", "router-1", "dashboard"])
async def test_a_part_has_its_own_secrets_and_nobody_elses(part: str) -> None:
    ran = await fleet.inside(part, "find", "/", "-xdev", "-name", "*.key", "-o", "-xdev", "-name", "admin.token")
    assert ran.stdout == ""
    mounted = (
        await fleet.docker("inspect", "--format", "{{range .Mounts}}{{.Name}} {{end}}", fleet.container(part))
    ).split()
    assert set(mounted) <= {f"nearhop_{part}", "nearhop_geo"}


async def test_the_compose_files_are_valid_for_every_compose_here() -> None:
    commands = await fleet.compose_commands()
    assert commands
    for command in commands:
        ran = await fleet.run(*command, "config", "--quiet", cwd=fleet.COMPOSE)
        assert ran.status == 0, f"{command}: {ran.stderr}"
