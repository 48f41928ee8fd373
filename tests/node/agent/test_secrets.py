"""Secrets, logs and scheduled calls with a real node process, HAProxy and Deno."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import httpx
import pytest

from nearhop.v1 import node_control_pb2 as pb
from tests.node.conftest import eventually

pytestmark = pytest.mark.acceptance

VALUE = "a-very-secret-value"
PROGRAM = """
export default {
  fetch(request, env) { console.log("asked"); return new Response(JSON.stringify(env)); },
  async scheduled(controller, env) {
    console.warn("called", controller.cron, controller.scheduledTime);
    if (env.FAIL) throw new RangeError("no config");
  },
}
"""
HOST = {"host": "hello.example.org"}


def secret(control, name: str, value: str) -> None:
    placement = control.placements["hello"]
    kept = [item for item in placement.secrets if item.name != name]
    del placement.secrets[:]
    placement.secrets.extend([*kept, pb.Secret(name=name, value=value)])


async def env(node, client: httpx.AsyncClient) -> dict[str, str]:
    return (await client.get(node.url, headers=HOST)).json()


async def until_env(node, client: httpx.AsyncClient, name: str, value: str) -> None:
    async with asyncio.timeout(15):
        while True:
            answer = await client.get(node.url, headers=HOST)
            if answer.status_code == 200 and answer.json().get(name) == value:
                return
            await asyncio.sleep(0.05)


def spilled(folder: Path, text: str) -> list[str]:
    """Return the files below *folder* that hold *text*."""
    return [str(file) for file in folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


async def test_a_secret_reaches_the_program_and_no_file(control, node, client: httpx.AsyncClient) -> None:
    await control.deploy("hello", 1, PROGRAM)
    control.placements["hello"].versions[0].manifest.vars["GREETING"] = "hello"
    await control.push()
    await control.until_active("hello")
    await until_env(node, client, "GREETING", "hello")
    secret(control, "TOKEN", VALUE)
    await control.push()
    await until_env(node, client, "TOKEN", VALUE)
    secret(control, "TOKEN", f"{VALUE}-2")
    await control.push()
    await until_env(node, client, "TOKEN", f"{VALUE}-2")
    assert spilled(node.state, VALUE) == []
    assert VALUE not in node.log.read_text()
    # The node comes back without a control plane, and the program has its secret.
    await control.stop()
    await node.kill()
    await node.start()
    await until_env(node, client, "TOKEN", f"{VALUE}-2")


async def test_what_a_program_says_reaches_who_listens(control, node, client: httpx.AsyncClient) -> None:
    await control.deploy("hello", 1, PROGRAM)
    await control.until_active("hello")
    await env(node, client)
    await control.instruct(pb.NodeInstruction(log_interest=pb.LogInterest(functions=["hello"])))
    await eventually(lambda: any(entry.message == "asked" for log in control.logs for entry in log.entries))
    [entry] = [entry for log in control.logs for entry in log.entries if entry.message == "asked"]
    assert (entry.node, entry.function, entry.version, entry.level) == ("tokyo-1", "hello", 1, "info")


async def test_a_scheduled_call_is_made_and_answered(control, node, client: httpx.AsyncClient) -> None:
    await control.deploy("hello", 1, PROGRAM)
    await control.until_active("hello")
    await control.instruct(pb.NodeInstruction(log_interest=pb.LogInterest(functions=["hello"])))
    event = pb.ScheduledEvent(id="1", function="hello", version=1, cron="*/5 * * * *", scheduled_at=1_000_000_200)
    await control.instruct(pb.NodeInstruction(scheduled=event))
    await eventually(lambda: len(control.results) == 1)
    assert control.results == [pb.ScheduledResult(id="1")]
    said = "called */5 * * * * 1000000200000"
    await eventually(lambda: any(said in entry.message for log in control.logs for entry in log.entries))
    secret(control, "FAIL", "yes")
    await control.push()
    await until_env(node, client, "FAIL", "yes")
    await control.instruct(
        pb.NodeInstruction(scheduled=pb.ScheduledEvent(id="2", function="hello", version=1, cron="x"))
    )
    await eventually(lambda: len(control.results) == 2)
    assert "RangeError: no config" in control.results[1].error
    # Nobody from outside can make such a call.
    scheduled = json.dumps({"cron": "x", "scheduled_at": 1})
    forged = {**HOST, "x-nearhop-control": "guess", "x-nearhop-scheduled": scheduled}
    assert (await client.post(node.url, headers=forged)).status_code == 200  # an ordinary request


async def test_a_change_of_the_manifest_frees_a_version_from_its_refusal(
    control, node, client: httpx.AsyncClient
) -> None:
    program = "import { env } from 'cloudflare:workers';\nif (!env.TOKEN) throw new Error('no TOKEN');\n" + PROGRAM
    await control.deploy("hello", 1, program)
    status = await control.until("hello", pb.PlacementStatus.STATE_REFUSED)
    assert "no TOKEN" in status.error
    secret(control, "TOKEN", VALUE)
    await control.push()
    await control.until_active("hello")
    assert (await env(node, client))["TOKEN"] == VALUE


async def test_no_request_fails_while_secrets_change(control, node, client: httpx.AsyncClient) -> None:
    await control.deploy("hello", 1, PROGRAM)
    await control.until_active("hello")
    seen: Counter[str] = Counter()
    stop = asyncio.Event()

    async def load() -> None:
        while not stop.is_set():
            answer = await client.get(node.url, headers=HOST)
            seen[str(answer.status_code)] += 1
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(load())
        for number in range(6):
            secret(control, "TOKEN", f"{VALUE}-{number}")
            await control.push()
            await until_env(node, client, "TOKEN", f"{VALUE}-{number}")
        stop.set()
    assert set(seen) == {"200"}, seen
    assert seen["200"] > 50
