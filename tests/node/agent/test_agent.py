"""The agent's promises, each with a real node process, HAProxy and Deno."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from nearhop.v1 import node_control_pb2 as pb
from node.agent import paths
from tests.node.conftest import eventually

pytestmark = pytest.mark.acceptance

HELLO = "export default { fetch(request) { return new Response('v%d ' + request.url + ' ' + request.headers.get('x-nearhop-region')) } }"
COUNTRY = "export default { fetch(request) { return new Response(request.headers.get('x-nearhop-country')) } }"
LOOP = "export default { fetch(request) { if (new URL(request.url).pathname === '/loop') { for (;;); } return new Response('fine') } }"


def host(function: str) -> dict[str, str]:
    return {"host": f"{function}.example.org"}


async def test_deploys_and_answers_with_the_region(control, node, client: httpx.AsyncClient) -> None:
    await control.deploy("hello", 1, HELLO % 1)
    status = await control.until_active("hello")
    assert status.active_version == 1
    answer = await client.get(f"{node.url}/a?b=c", headers=host("hello"))
    assert answer.text == "v1 http://hello.example.org/a?b=c tokyo"
    assert answer.headers["x-nearhop-node"] == "tokyo-1"
    assert answer.headers["x-nearhop-version"] == "1"
    unknown = await client.get(node.url, headers={"host": "nobody.example.org", "accept": "application/json"})
    assert unknown.status_code == 404
    assert "nobody.example.org" in unknown.json()["message"]
    assert control.reports[-1].ingress_ready
    assert control.reports[-1].isolation == "full"


async def test_switches_versions_under_load_without_a_failed_request(control, node, client: httpx.AsyncClient) -> None:
    await control.deploy("hello", 1, HELLO % 1)
    await control.until_active("hello")
    seen: Counter[str] = Counter()
    stop = asyncio.Event()

    async def load() -> None:
        while not stop.is_set():
            answer = await client.get(node.url, headers=host("hello"))
            seen[f"{answer.status_code} {answer.text[:2]}"] += 1
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(load())
        for number in range(2, 7):
            await control.deploy("hello", number, HELLO % number)
            await control.until_active("hello")
            await asyncio.sleep(0.1)
        stop.set()
    assert set(seen) == {f"200 v{number}" for number in range(1, 7)}
    assert sum(seen.values()) > 50


async def test_refuses_a_version_that_throws_and_keeps_the_old_one(control, node, client: httpx.AsyncClient) -> None:
    await control.deploy("hello", 1, HELLO % 1)
    await control.until_active("hello")
    await control.deploy(
        "hello", 2, "function boom() { throw new RangeError('no config') }\nboom();\nexport default {}"
    )
    status = await control.until("hello", pb.PlacementStatus.STATE_REFUSED)
    assert "RangeError: no config" in status.error
    assert "program.js:1" in status.error
    assert status.active_version == 1
    assert (await client.get(node.url, headers=host("hello"))).text.startswith("v1")
    await control.deploy("hello", 3, "export const x = 1")
    assert "exports no handler" in (await control.until("hello", pb.PlacementStatus.STATE_REFUSED)).error
    await control.deploy("hello", 4, HELLO % 4)
    assert (await control.until_active("hello")).active_version == 4


async def test_kills_an_endless_loop_and_nobody_else_notices(control, node, client: httpx.AsyncClient) -> None:
    await control.deploy("hello", 1, HELLO % 1)
    await control.deploy("spin", 1, LOOP)
    await control.until_active("hello")
    await control.until_active("spin")
    statuses: Counter[int] = Counter()
    stop = asyncio.Event()

    async def neighbour() -> None:
        while not stop.is_set():
            statuses[(await client.get(node.url, headers=host("hello"))).status_code] += 1
            await asyncio.sleep(0.005)

    async with asyncio.TaskGroup() as group:
        group.create_task(neighbour())
        began = time.monotonic()
        answer = await client.get(f"{node.url}/loop", headers=host("spin") | {"accept": "application/json"})
        took = time.monotonic() - began
        stop.set()
    assert answer.status_code == 502
    assert answer.headers["x-nearhop-reason"] == "exceeded_cpu"
    assert answer.json()["reason"] == "exceeded_cpu"
    assert took < 10  # the process is killed within milliseconds; the machine may be busy
    assert set(statuses) == {200}
    await control.until_active("spin")
    assert (await client.get(node.url, headers=host("spin"))).text == "fine"
    spin = next(item for item in control.reports[-1].sandboxes if item.function == "spin")
    assert (spin.terminations, spin.last_termination) == (1, "exceeded_cpu")


async def test_starts_from_the_spool_without_a_control_plane(control, node, client: httpx.AsyncClient) -> None:
    await control.deploy("hello", 1, HELLO % 1)
    await control.until_active("hello")
    await control.deploy("hello", 2, "throw new Error('bad')")
    await control.until("hello", pb.PlacementStatus.STATE_REFUSED)
    await control.stop()
    assert (await client.get(node.url, headers=host("hello"))).status_code == 200
    assert await node.stop() == 0
    await node.start()
    await until_served(client, node.url, "hello", "v1")


async def test_a_stopped_node_leaves_no_directory_of_sockets(control, node, client: httpx.AsyncClient) -> None:
    await control.deploy("hello", 1, HELLO % 1)
    await control.until_active("hello")
    sockets = paths.run_dir(node.state)
    assert list(sockets.glob("slots/*/s.sock"))
    assert await node.stop() == 0
    assert not sockets.exists(), node.log.read_text()[-2000:]
    await node.start()
    await until_served(client, node.url, "hello", "v1")
    await node.kill()  # what stays then is the next agent's
    assert sockets.exists()
    await node.start()
    await until_served(client, node.url, "hello", "v1")
    assert await node.stop() == 0
    assert not sockets.exists(), node.log.read_text()[-2000:]


async def test_a_node_that_follows_another_at_once_has_its_sockets(control, node, client: httpx.AsyncClient) -> None:
    await control.deploy("hello", 1, HELLO % 1)
    await control.until_active("hello")
    sockets = paths.run_dir(node.state)
    before, ready = node.process, node.log.read_text().count("ingress ready")
    await node.start(wait=False)
    assert await node.process.wait() == 3  # the first still runs
    assert (await client.get(node.url, headers=host("hello"))).text.startswith("v1")

    def ended_or_ready() -> bool:
        return node.process.returncode is not None or node.log.read_text().count("ingress ready") > ready

    before.terminate()
    while node.log.read_text().count("ingress ready") == ready:  # as a supervisor that does not wait
        await node.start(wait=False)
        await eventually(ended_or_ready)
    assert await before.wait() == 0
    await until_served(client, node.url, "hello", "v1")
    assert (sockets / "haproxy.sock").is_socket()
    assert await node.stop() == 0
    assert not sockets.exists()


async def test_survives_its_own_kill_and_leaves_no_process(control, node, client: httpx.AsyncClient) -> None:
    await control.deploy("hello", 1, HELLO % 1)
    await control.until_active("hello")
    orphans = node.children("haproxy") + node.children("deno")
    assert len(orphans) >= 2  # and the processes that wait for a program
    await node.kill()
    await gone(orphans)
    await node.start()
    await until_served(client, node.url, "hello", "v1")
    await control.until_active("hello")
    assert len({hello.instance for hello in control.hellos}) == 2


async def test_starts_haproxy_again(control, node, client: httpx.AsyncClient) -> None:
    await control.deploy("hello", 1, HELLO % 1)
    await control.until_active("hello")
    [pid] = node.children("haproxy")
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    await gone([pid])
    await until_served(client, node.url, "hello", "v1")
    assert time.monotonic() - began < 1.5


async def test_a_port_in_use_is_named(control, node, make_node: Callable) -> None:
    second = make_node("n2", listen=[node.address])
    await second.start(wait=False)
    assert second.process is not None
    assert await second.process.wait() == 3
    assert f"cannot listen on {node.address}" in second.log.read_text()


async def test_any_state_directory_will_do(
    control, make_node: Callable, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    odd = """it's a "state" #1, (50 %) $HOME \\n {x} é"""
    writer = MMDBWriter(6, ipv4_compatible=True, database_type="Test-City")
    writer.insert_network(IPSet(["203.0.113.0/24"]), {"country": {"iso_code": "JP"}})
    (tmp_path / odd).mkdir()
    database = tmp_path / odd / "city db.mmdb"
    writer.to_db_file(str(database))
    node = make_node(odd, geoip_database=str(database), cache_dir=str(tmp_path / odd / "cache, too"))
    await node.start()
    await control.deploy("where", 1, COUNTRY)
    await control.until_active("where")
    headers = host("where") | {"x-forwarded-for": "203.0.113.9"}
    deadline = time.monotonic() + 10
    while (await client.get(node.url, headers=headers)).text != "JP":
        assert time.monotonic() < deadline, node.log.read_text()[-2000:]
        await asyncio.sleep(0.05)
    await control.deploy("where", 2, HELLO % 2)
    await control.until_active("where")
    assert (await client.get(node.url, headers=headers)).text.startswith("v2")
    assert await node.stop() == 0
    assert "warning" not in node.log.read_text()


async def test_a_configuration_that_haproxy_refuses_is_told_in_its_words(make_node: Callable) -> None:
    node = make_node(max_connections=5_000_000)
    await node.start(wait=False)
    assert node.process is not None
    assert await node.process.wait() == 3
    told = node.log.read_text()
    assert "node tokyo-1: HAProxy ended with status 1 while it was starting: " in told.splitlines()[-1]
    assert "FD limit" in told.splitlines()[-1]
    assert any("error" in line and "HAProxy said" in line and "FD limit" in line for line in told.splitlines())


async def until_served(client: httpx.AsyncClient, url: str, function: str, start: str) -> None:
    deadline = time.monotonic() + 10
    last = ""
    while time.monotonic() < deadline:
        try:
            answer = await client.get(url, headers=host(function))
        except httpx.TransportError as error:
            last = repr(error)
        else:
            last = f"{answer.status_code} {answer.text}"
            if answer.status_code == 200:
                assert answer.text.startswith(start)
                return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{function} is not served: {last}")


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 5
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, f"{pids} still run"
        await asyncio.sleep(0.02)
