"""Sandboxes that start, sleep and multiply with the traffic, with a real node process, HAProxy and Deno."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from nearhop.v1 import node_control_pb2 as pb
from node.agent import paths
from node.haproxy.runtime import Runtime
from tests.node.conftest import eventually

pytestmark = pytest.mark.acceptance

HELLO = "export default { fetch(request) { return new Response('v%d') } }"
SLOW = """export default { async fetch() {
    await new Promise((resolve) => setTimeout(resolve, %d));
    return new Response('finished');
} }"""
ECHO = """export default { async fetch(request) {
    let size = 0;
    for await (const piece of request.body) size += piece.length;
    return new Response(`${request.method} ${size}`);
} }"""
BUSY = """export default { fetch() {
    const end = performance.now() + 4;
    while (performance.now() < end);
    return new Response('done');
} }"""
LOOP = """export default { fetch(request) {
    if (new URL(request.url).pathname === '/loop') for (;;);
    return new Response('fine');
} }"""
CRASH = """export default { fetch(request) {
    if (new URL(request.url).pathname === '/crash') { const held = []; for (;;) held.push(new Array(1e6).fill(1.5)); }
    return new Response('fine');
} }"""


def host(function: str) -> dict[str, str]:
    return {"host": f"{function}.example.org"}


async def until(check: Callable[[], bool], what: str, within: float = 20) -> None:
    deadline = time.monotonic() + within
    while not check():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)


async def activations(node) -> int:
    """Count the requests that HAProxy has sent to the activator."""
    answer = await Runtime(paths.run_dir(node.state) / "haproxy.sock").ask("show stat activator 4 -1")
    header, row, *_ = answer.splitlines()
    return int(dict(zip(header[2:].split(","), row.split(","), strict=False))["stot"])


def running(node) -> int:
    return len(node.children("deno"))


@pytest.fixture
async def sleepy(make_node: Callable):
    """A node whose sandboxes are idle soon, and that keeps no process waiting."""
    node = make_node("sleepy", idle_s=0.3, warm_sandboxes=0)
    await node.start()
    return node


async def asleep(control, node, function: str = "hello") -> None:
    await control.until_active(function)
    await until(lambda: running(node) == 0, "the sandbox does not end")


async def test_an_idle_function_costs_no_process_and_its_next_request_is_held(
    control, sleepy, client: httpx.AsyncClient
) -> None:
    await control.deploy("hello", 1, HELLO % 1)
    await asleep(control, sleepy)
    status = control.status("hello")
    assert (status.state, status.active_version) == (pb.PlacementStatus.STATE_ACTIVE, 1)
    assert await activations(sleepy) == 0
    answer = await client.get(sleepy.url, headers=host("hello"))
    assert (answer.status_code, answer.text, answer.headers["x-nearhop-version"]) == (200, "v1", "1")
    assert await activations(sleepy) == 1
    await asleep(control, sleepy)
    assert (await client.post(sleepy.url, headers=host("hello"), content=b"x")).text == "v1"


async def test_many_first_requests_start_one_sandbox(control, sleepy, client: httpx.AsyncClient) -> None:
    await control.deploy("hello", 1, HELLO % 1)
    await asleep(control, sleepy)
    before = sleepy.log.read_text().count("before=starting")
    answers = await asyncio.gather(*(client.get(sleepy.url, headers=host("hello")) for _ in range(40)))
    assert {answer.text for answer in answers} == {"v1"}
    assert sleepy.log.read_text().count("before=starting") - before == 1


async def test_a_held_request_keeps_its_body(control, sleepy, client: httpx.AsyncClient) -> None:
    await control.deploy("echo", 1, ECHO)
    await asleep(control, sleepy, "echo")
    body = os.urandom(3 << 20)
    assert (await client.put(sleepy.url, headers=host("echo"), content=body)).text == f"PUT {len(body)}"


async def test_a_connection_that_held_requests_of_two_functions_mixes_nothing(control, sleepy) -> None:
    for name, number in (("one", 1), ("two", 2)):
        await control.deploy(name, number, HELLO % number)
    await asleep(control, sleepy, "two")
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=1), timeout=10) as client:
        for _ in range(2):
            assert (await client.get(sleepy.url, headers=host("one"))).text == "v1"
            assert (await client.get(sleepy.url, headers=host("two"))).text == "v2"
            await until(lambda: running(sleepy) == 0, "the sandboxes do not end")


async def test_a_request_that_takes_long_keeps_its_sandbox(control, sleepy, client: httpx.AsyncClient) -> None:
    await control.deploy("slow", 1, SLOW % 1500)
    await asleep(control, sleepy, "slow")
    for _ in range(2):  # the one that starts the sandbox, then one that finds it
        assert (await client.get(sleepy.url, headers=host("slow"))).text == "finished"


async def test_what_ran_runs_again_after_a_restart_and_what_slept_sleeps(
    control, make_node: Callable, client: httpx.AsyncClient
) -> None:
    node = make_node("n", idle_s=3.0, warm_sandboxes=0)
    await node.start()
    await control.deploy("asleep", 1, HELLO % 1)
    await asleep(control, node, "asleep")
    await control.deploy("awake", 2, HELLO % 2)
    await control.until_active("awake")
    await until(lambda: "awake" in (node.state / "awake.json").read_text(), "it is not noted")
    await control.stop()
    await node.stop()
    await node.start()
    await until(lambda: running(node) == 1, "what ran does not run again")
    assert (await client.get(node.url, headers=host("asleep"))).text == "v1"
    assert (await client.get(node.url, headers=host("awake"))).text == "v2"


async def test_more_functions_than_slots(control, make_node: Callable, client: httpx.AsyncClient) -> None:
    node = make_node("small", slots=2, warm_sandboxes=0)
    await node.start()
    names = [f"f{number}" for number in range(4)]
    for name in names:
        await control.deploy(name, 1, HELLO % 1)
        await control.until_active(name, within=30)
    for name in names:
        answer = await client.get(node.url, headers=host(name))
        assert (answer.status_code, answer.text) == (200, "v1"), name
    assert running(node) <= 2


async def test_at_the_limit_a_request_is_refused_with_a_reason(control, make_node: Callable, client) -> None:
    node = make_node("tiny", slots=2, warm_sandboxes=0, activation_s=2.0, idle_s=0.3)
    await node.start()
    for name in ("one", "two"):
        await control.deploy(name, 1, SLOW % 5000)
    await control.deploy("three", 1, HELLO % 1)
    await asleep(control, node, "three")
    busy = [asyncio.get_running_loop().create_task(client.get(node.url, headers=host(name))) for name in ("one", "two")]
    await until(lambda: running(node) == 2, "the slots are not taken")
    answer = await client.get(node.url, headers=host("three") | {"accept": "application/json"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.headers["x-nearhop-reason"] == answer.json()["reason"] == "no_slot"
    assert [reply.text for reply in await asyncio.gather(*busy)] == ["finished"] * 2


async def test_a_warm_process_takes_the_program_over(control, node, client: httpx.AsyncClient) -> None:
    await until(lambda: running(node) == 2, "no process waits for a program")
    warm = set(node.children("deno"))
    await control.deploy("hello", 1, HELLO % 1)
    await control.until_active("hello")
    assert (await client.get(node.url, headers=host("hello"))).text == "v1"
    await until(lambda: running(node) == 3, "no other process takes its place")
    assert warm < set(node.children("deno"))


async def test_a_program_of_another_size_does_not_take_a_warm_process(control, node, client: httpx.AsyncClient) -> None:
    await until(lambda: running(node) == 2, "no process waits for a program")
    await control.deploy("hello", 1, HELLO % 1, memory_mib=64)
    await control.until_active("hello")
    assert (await client.get(node.url, headers=host("hello"))).text == "v1"
    await until(lambda: running(node) == 3, "the processes that wait are not three less one")
    sizes = sorted(heap_limit(pid) for pid in node.children("deno"))
    assert sizes == [64, 128, 128]


def heap_limit(pid: int) -> int:
    line = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    return int(line.partition("--max-old-space-size=")[2].partition("\0")[0])


async def test_a_busy_function_gets_more_sandboxes(control, make_node: Callable, client: httpx.AsyncClient) -> None:
    node = make_node("busy", warm_sandboxes=0)
    await node.start()
    await control.deploy("busy", 1, BUSY, instances=2)
    await control.until_active("busy")
    stop = asyncio.Event()
    seen: Counter[int] = Counter()

    async def load() -> None:
        while not stop.is_set():
            seen[(await client.get(node.url, headers=host("busy"))).status_code] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(30):
            group.create_task(load())
        try:
            await until(lambda: running(node) == 2, "no second sandbox is started")
            await until(lambda: node.log.read_text().count("phase=ready") >= 2, "the second one is not ready")
            await asyncio.sleep(1)  # of load on both: one more must not come
        finally:
            stop.set()
    assert running(node) == 2
    assert set(seen) == {200}


async def test_a_crash_loop_starves_nobody(control, node, client: httpx.AsyncClient) -> None:
    await control.deploy("crash", 1, CRASH)
    await control.deploy("hello", 1, HELLO % 1)
    await control.until_active("crash")
    await control.until_active("hello")
    stop = asyncio.Event()
    taken: list[float] = []
    statuses: Counter[int] = Counter()

    async def neighbor() -> None:
        while not stop.is_set():
            began = time.monotonic()
            statuses[(await client.get(node.url, headers=host("hello"))).status_code] += 1
            taken.append(time.monotonic() - began)
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        group.create_task(neighbor())
        ends: Counter[int] = Counter()
        deadline = time.monotonic() + 6
        while time.monotonic() < deadline:
            ends[(await client.get(f"{node.url}/crash", headers=host("crash"))).status_code] += 1
            await asyncio.sleep(0.05)
        stop.set()
    assert set(ends) <= {502, 503}
    assert ends[502] <= 8, "the crashes do not become rarer"
    assert set(statuses) == {200}
    assert sorted(taken)[len(taken) // 2] < 0.5


async def test_a_breaker_opens_after_three_overruns(control, node, client: httpx.AsyncClient) -> None:
    await control.deploy("loop", 1, LOOP)
    await control.until_active("loop")

    async def ask(path: str) -> httpx.Response:
        return await client.get(f"{node.url}{path}", headers=host("loop"))

    def status() -> pb.PlacementStatus:
        found = control.status("loop")
        return pb.PlacementStatus() if found is None else found

    deadline = time.monotonic() + 20
    while not status().breaker_open:
        await ask("/loop")
        assert time.monotonic() < deadline, status()
        await asyncio.sleep(0.05)
    assert status().overruns["exceeded_cpu"] == 3
    answer = await ask("/")
    assert (answer.status_code, answer.headers["x-nearhop-reason"]) == (503, "breaker_open")
    assert int(answer.headers["retry-after"]) >= 1
    deadline = time.monotonic() + 20
    while status().breaker_open:
        await ask("/")
        assert time.monotonic() < deadline, status()
        await asyncio.sleep(0.1)
    assert (await ask("/")).text == "fine"


async def test_a_body_or_an_answer_that_takes_too_much_is_counted_and_logged(control, node, client) -> None:
    await control.deploy("reads", 1, ECHO, request_body_bytes=50_000)
    await control.deploy("waits", 1, SLOW % 60_000, wall_ms=300)
    for function in ("reads", "waits"):
        await control.until_active(function)
    await control.instruct(pb.NodeInstruction(log_interest=pb.LogInterest(functions=["reads", "waits"])))

    async def upload(pieces: int) -> httpx.Response:
        async def body() -> AsyncIterator[bytes]:
            for _ in range(pieces):
                yield b"x" * 1000

        return await client.post(node.url, headers=host("reads"), content=body())

    def logged(function: str, reason: str) -> list[str]:
        entries = [entry for log in control.logs for entry in log.entries]
        return [entry.message for entry in entries if (entry.function, entry.reason) == (function, reason)]

    assert (await upload(50)).text == "POST 50000"
    for refused in (await upload(51), await client.post(node.url, headers=host("reads"), content=b"x" * 50_001)):
        assert (refused.status_code, refused.headers["x-nearhop-reason"]) == (413, "exceeded_body")
    late = await client.get(node.url, headers=host("waits"))
    assert (late.status_code, late.headers["x-nearhop-reason"]) == (504, "exceeded_wall")
    for function, reason, count in (("reads", "exceeded_body", 2), ("waits", "exceeded_wall", 1)):
        await eventually(lambda f=function, r=reason, n=count: control.status(f).overruns[r] == n)
        await eventually(lambda f=function, r=reason, n=count: len(logged(f, r)) == n)
    assert logged("waits", "exceeded_wall") == ["no answer in time: 1"]
    assert sorted(logged("reads", "exceeded_body")) == [
        "exceeded_body: more than 50000 bytes of a request's body", "refused by the ingress: 1",
    ]  # fmt: skip
    assert (await upload(50)).text == "POST 50000"


async def test_an_agent_that_is_killed_leaves_nothing_that_runs(control, node) -> None:
    await control.deploy("hello", 1, HELLO % 1)
    await control.until_active("hello")
    await until(lambda: running(node) == 3, "no process waits for a program")
    orphans = node.children("deno") + node.children("haproxy")
    await node.kill()
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans), "a process has outlived the agent")


async def test_no_request_is_cold_after_a_switch(control, node, client: httpx.AsyncClient) -> None:
    await control.deploy("hello", 1, HELLO % 1)
    await control.until_active("hello")
    seen: Counter[str] = Counter()
    stop = asyncio.Event()

    async def load() -> None:
        while not stop.is_set():
            answer = await client.get(node.url, headers=host("hello"))
            seen[f"{answer.status_code} {answer.text}"] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(load())
        for number in range(2, 12):
            await control.deploy("hello", number, HELLO % number)
            await control.until_active("hello")
        stop.set()
    assert set(seen) <= {f"200 v{number}" for number in range(1, 12)}
    assert len(seen) > 5
    assert await activations(node) == 0
