"""One machine by one command: `nearhop up`, what it prints, what it answers, and what it leaves behind."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.harness.cluster import CLIENTS, Ran
from tests.harness.eventually import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

NEARHOP = Path(sys.executable).with_name("nearhop")


class Machine:
    """The nearhop command with a state folder of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.env = {**os.environ, "NEARHOP_STATE_DIR": str(state), "NO_COLOR": "1", "COLUMNS": "160"}

    async def run(self, *arguments: str) -> Ran:
        process = await asyncio.create_subprocess_exec(
            NEARHOP, *arguments, env=self.env, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(200):
            out, err = await process.communicate()
        return Ran(process.returncode or 0, out.decode(), err.decode())

    async def status(self) -> Any:
        ran = await self.run("status", "--json")
        assert ran.status == 0, ran.stderr
        return ran.json


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    machine = Machine(tmp_path / "state of nearhop")  # a path with spaces
    yield machine
    await machine.run("down", "--purge")
    assert not machine.state.exists()


def descendants_of_state(state: Path) -> list[str]:
    """Return the command lines of processes that work in *state*."""
    lines = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(state) in line:
            lines.append(line)
    return lines


async def test_up_starts_five_regions_and_the_table_is_true(machine: Machine) -> None:
    up = await machine.run("up", "--detach")
    assert up.status == 0, up.stdout + up.stderr
    table = up.stdout
    for region in CLIENTS:
        assert region in table

    status = await machine.status()
    assert set(status) >= {"control_plane", "router", "dashboard", "nodes", "functions"}
    assert {node["region"] for node in status["nodes"]} == set(CLIENTS)
    for node in status["nodes"]:
        assert set(node) >= {"id", "region", "location", "ingress", "health", "versions"}
        assert node["versions"] == {"hello": 1}
    (function,) = status["functions"]
    assert set(function) >= {"name", "version", "hostname", "url"}
    ports = {node["ingress"].rpartition(":")[2] for node in status["nodes"]}
    hosts = {node["ingress"].rpartition(":")[0] for node in status["nodes"]}
    assert (len(ports), len(hosts)) == (1, 5)

    host, _, port = status["router"]["dns"].rpartition(":")
    by_region = {node["region"]: node for node in status["nodes"]}
    async with httpx.AsyncClient() as client:
        for region, address in CLIENTS.items():
            dig = await asyncio.create_subprocess_exec(
                "dig", f"@{host}", "-p", port, function["hostname"], f"+subnet={address}/24", "+short",
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            answer = (await dig.communicate())[0].decode().strip()
            assert f"{answer}:{ports.copy().pop()}" == by_region[region]["ingress"]
            assert answer in table
            reply = await client.get(
                f"http://{by_region[region]['ingress']}/",
                headers={"host": function["hostname"], "x-forwarded-for": address},
            )
            assert reply.status_code == 200
            assert region in reply.text

    again = await machine.run("up", "--detach")
    assert "running" in (again.stdout + again.stderr)
    assert len((await machine.status())["nodes"]) == 5

    assert (await machine.run("down")).status == 0
    await eventually(_nothing_left(machine), within=10, reason="processes are left")
    # Stopped is not purged: the next start serves the same version again.
    up = await machine.run("up", "--detach")
    assert up.status == 0, up.stdout + up.stderr
    assert [node["versions"] for node in (await machine.status())["nodes"]] == [{"hello": 1}] * 5


async def test_ctrl_c_ends_every_child(machine: Machine) -> None:
    process = await asyncio.create_subprocess_exec(
        NEARHOP, "up", "--regions", "tokyo,london", env=machine.env,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    seen = b""
    async with asyncio.timeout(120):
        while not re.search(rb"Ctrl-?C", seen):
            chunk = await process.stdout.read(1024)
            assert chunk, seen.decode()
            seen += chunk
        process.send_signal(signal.SIGINT)
        seen += await process.stdout.read()
        assert await process.wait() in (0, 130), seen.decode()
    assert descendants_of_state(machine.state) == []


async def test_a_killed_up_leaves_nothing_and_starts_again(machine: Machine) -> None:
    assert (await machine.run("up", "--detach", "--regions", "tokyo")).status == 0
    (parent,) = [
        process
        for process in psutil.process_iter(["cmdline"])
        if _is_supervisor(process.info["cmdline"] or [], machine.state)
    ]
    parent.kill()
    await eventually(_nothing_left(machine), within=10, reason="children outlive their parent")
    up = await machine.run("up", "--detach", "--regions", "tokyo")
    assert up.status == 0, up.stdout + up.stderr


async def test_a_port_in_use_is_named_with_its_holder(machine: Machine) -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 7400))
        holder.listen()
        up = await machine.run("up", "--detach", "--regions", "tokyo")
    assert up.status != 0
    assert "7400" in up.stderr
    assert str(os.getpid()) in up.stderr


def _nothing_left(machine: Machine) -> Any:
    async def check() -> bool:
        left = descendants_of_state(machine.state)
        assert left == []
        return True

    return check


def _is_supervisor(command: list[str], state: Path) -> bool:
    return str(state) in " ".join(command) and any("local" in word for word in command) and "--config" not in command


def test_status_without_a_cluster_says_what_to_do(tmp_path: Path) -> None:
    env = {**os.environ, "NEARHOP_STATE_DIR": str(tmp_path / "none")}
    env.pop("NEARHOP_ENDPOINT", None)
    ran = subprocess.run(
        [NEARHOP, "status", "--json"], env=env, capture_output=True, text=True, timeout=30, check=False
    )
    assert ran.returncode == 4
    assert ran.stdout == "" or json.loads(ran.stdout)
    assert "nearhop up" in ran.stderr
