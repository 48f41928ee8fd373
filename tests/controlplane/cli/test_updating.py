"""The commands on functions' settings, secrets, logs and caches, against a real control plane."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from controlplane.config import Config
from controlplane.identity.seal import Seal
from controlplane.server import ControlPlane
from controlplane.store.client import Store
from nearhop.v1 import common_pb2, node_control_pb2
from tests.controlplane.api.clients import STATE, Agent, Client
from tests.controlplane.api.conftest import LIMITS
from tests.controlplane.cli import conftest
from tests.harness.etcd import Etcd

if TYPE_CHECKING:
    from tests.controlplane.cli.conftest import Ran, Terminal


class Control:
    """A control plane with a function, and a terminal before it."""

    def __init__(self, plane: ControlPlane, address: str, home: Path) -> None:
        self.plane = plane
        self.client = Client(address)
        self.terminal: Terminal = conftest.Terminal(address, home)

    async def run(self, *words: str, stdin: bytes = b"") -> "Ran":
        return await self.terminal.run(*words, stdin=stdin)


@pytest.fixture
async def control(store: Store, shared_etcd: Etcd, tmp_path: Path) -> AsyncIterator[Control]:
    config = Config([shared_etcd.endpoint], "example.org", listen="127.0.0.1:0", limits=LIMITS, insecure=True)
    plane = ControlPlane(config)
    plane.safe.seal = Seal(os.urandom(32))
    async with plane.running() as port:
        await plane.cache.synced.wait()
        control = Control(plane, f"127.0.0.1:{port}", tmp_path)
        await control.client.create()
        yield control
        await control.client.channel.close(None)


async def test_what_is_named_changes_and_is_shown(control: Control) -> None:
    ran = await control.run(
        "functions", "update", "hello", "--hostname", "www.example.net", "--route", "a.example.net/shop", "--cpu-ms", "20",
        "--rate-limit", "100/60", "--routing", "weighted", "--region", "tokyo=3", "--deny-region", "london", "--answers", "2", "--json",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    assert ran.json["hostnames"] == ["hello.example.org", "www.example.net"]
    assert ran.json["routes"] == ["a.example.net/shop"]
    assert (ran.json["limits"]["cpu_ms"], ran.json["limits"]["memory_mib"]) == (20, 128)
    assert ran.json["rate_limit"] == {"requests": 100, "period_s": 60}
    routing = ran.json["routing"]
    assert (routing["kind"], routing["weights"], routing["denied_regions"], routing["answers"]) == (
        "weighted", {"tokyo": 3}, ["london"], 2,
    )  # fmt: skip
    ran = await control.run(
        "functions", "update", "hello", "--no-hostnames", "--deny-region", "", "--routing", "nearest"
    )
    assert ran.status == 0, ran.err
    assert "also answers: a.example.net/shop" in ran.out
    shown = (await control.run("functions", "show", "hello", "--json")).json
    assert shown["hostnames"] == ["hello.example.org"]
    assert shown["routes"] == ["a.example.net/shop"]
    assert (shown["routing"]["kind"], shown["routing"]["weights"], shown["routing"]["denied_regions"]) == (
        "nearest",
        {},
        [],
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "nothing is to be changed"),
        (["--route", "no-path"], "HOST/PATH"),
        (["--rate-limit", "many"], "REQUESTS"),
        (["--routing", "weighted", "--region", "tokyo"], "REGION=NUMBER"),
        (["--hostname", "other.example.org"], "lies within the platform's zone"),
    ],
)
async def test_what_cannot_be_is_refused(control: Control, words: list[str], says: str) -> None:
    ran = await control.run("functions", "update", "hello", *words)
    assert ran.status == 2
    assert says in ran.err


async def test_a_secret_comes_from_standard_input_and_is_never_shown(control: Control) -> None:
    assert "no secret yet" in (await control.run("secret", "list", "--function", "hello")).out
    ran = await control.run("secret", "put", "TOKEN", "--function", "hello", stdin=b"a secret value\n")
    assert ran.status == 0, ran.err
    assert "a secret value" not in ran.out + ran.err
    [secret] = control.plane.safe.opened(control.plane.cache.view)["hello"]
    assert (secret.name, secret.value) == ("TOKEN", "a secret value")
    assert (await control.run("secret", "list", "-f", "hello", "--json")).json == ["TOKEN"]
    assert (await control.run("secret", "list", "-f", "hello")).out == "TOKEN\n"
    assert (await control.run("secret", "delete", "TOKEN", "-f", "hello")).status == 0
    assert (await control.run("secret", "delete", "TOKEN", "-f", "hello")).status == 1
    ran = await control.run("secret", "put", "TOKEN", "-f", "hello", stdin=b"\xff")
    assert (ran.status, "not UTF-8" in ran.err) == (2, True)


async def test_a_purge_is_confirmed(control: Control) -> None:
    ran = await control.run("functions", "purge", "hello")
    assert ran.status == 0, ran.err
    assert control.plane.cache.view.functions["hello"].record.cache_epoch == 1


async def test_a_log_is_printed_for_people_and_for_programs(control: Control) -> None:
    entries = [
        common_pb2.LogEntry(function="hello", version=3, level="info", message="one\x1b[31m"),
        common_pb2.LogEntry(function="hello", version=3, level="limit", message="two", reason="exceeded_cpu"),
    ]
    async with Agent(control.client.address, "tokyo-1") as agent:

        async def talk() -> None:
            await agent.until(lambda agent: agent.interest == ["hello"])
            log = node_control_pb2.NodeLog(entries=entries, missed=5)
            await agent.send(node_control_pb2.NodeMessage(log=log))
            await agent.until(lambda agent: agent.interest == [])

        async with asyncio.TaskGroup() as group:
            group.create_task(talk())
            ran = await control.run("logs", "hello")
        assert "tokyo-1 v3 info one\\x1b[31m" in ran.out
        assert "limit [exceeded_cpu] two" in ran.out
        assert "5 entries are missing" in ran.err
        async with asyncio.TaskGroup() as group:
            group.create_task(talk())
            ran = await control.run("logs", "hello", "--json")
        assert [json.loads(line)["message"] for line in ran.out.splitlines()] == ["one\x1b[31m", "two"]
    missing = await control.run("logs", "nobody")
    assert (missing.status, "there is no function" in missing.err) == (1, True)


async def test_overruns_are_shown(control: Control) -> None:
    status = STATE(function="hello", generation=1, active_version=1, overruns={"exceeded_cpu": 2}, breaker_open=True)
    async with Agent(control.client.address, "tokyo-1") as agent:
        agent.hush()
        await agent.until(lambda agent: agent.snapshot.revision > 0)  # which it answers by a report
        report = node_control_pb2.NodeReport(snapshot_revision=1, placements=[status])
        await agent.send(node_control_pb2.NodeMessage(report=report))
        ran = await control.run("functions", "show", "hello")
        assert "overruns: 2 exceeded_cpu" in ran.out
        assert "on: tokyo-1" in ran.out


async def test_every_control_plane_that_is_named_is_asked(control: Control, shared_etcd: Etcd) -> None:
    config = Config([shared_etcd.endpoint], "example.org", listen="127.0.0.1:0", limits=LIMITS, insecure=True)
    second = ControlPlane(config)
    async with contextlib.AsyncExitStack() as stack:
        port = await stack.enter_async_context(second.running())
        await second.cache.synced.wait()
        agent = await stack.enter_async_context(Agent(f"127.0.0.1:{port}", "tokyo-1"))

        async def talk() -> None:
            await agent.until(lambda agent: agent.interest == ["hello"])
            entry = common_pb2.LogEntry(function="hello", version=1, level="info", message="over there")
            await agent.send(node_control_pb2.NodeMessage(log=node_control_pb2.NodeLog(entries=[entry])))

        alone = await control.run("logs", "hello")
        assert "over there" not in alone.out
        assert "not asked: tokyo-1" in alone.err
        async with asyncio.TaskGroup() as group:
            group.create_task(talk())
            both = await control.run("logs", "hello", "--endpoint", f"{control.client.address},127.0.0.1:{port}")
        assert "tokyo-1 v1 info over there" in both.out
        assert "not asked" not in both.err
        gone = await control.run("logs", "hello", "--endpoint", f"{control.client.address},127.0.0.1:1")
        assert gone.status == 0
        assert "not all of the log" in gone.err
