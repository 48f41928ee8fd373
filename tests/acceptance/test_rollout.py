"""Versions that get their traffic in steps: what each client gets meanwhile, what brings a bad one back, and who goes on when a leader dies."""

import asyncio
import math
import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from controlplane.model import Deployment, Phase
from controlplane.store import codec, keys
from controlplane.store.client import Store
from controlplane.store.election import leader
from controlplane.store.keys import Key, Kind
from nearhop import tasks
from tests.harness.cluster import CLIENTS, INGRESS_PORT, ZONE, Cluster, Ran
from tests.harness.eventually import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

REQUESTS = 2000
RISK = 1e-6  # of a correct split to be called wrong
AT_ONCE = 20


def source(text: str) -> str:
    return f"export default {{ fetch() {{ return new Response({text!r}); }} }};\n"


THROWS = "export default { fetch() { throw new RangeError('no such price'); } };\n"
LOOPS = "export default { fetch() { for (;;); } };\n"


@pytest_asyncio.fixture(loop_scope="session")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=40, limits=httpx.Limits(max_connections=AT_ONCE)) as client:
        yield client


async def deploy(cluster: Cluster, name: str, text: str, *options: str) -> Ran:
    path = cluster.folder / "sources" / f"{name}.js"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return await cluster.run("deploy", path, "--name", name, "--json", *options)


async def deployed(cluster: Cluster, name: str, text: str, *options: str) -> Any:
    ran = await deploy(cluster, name, text, *options)
    assert ran.status == 0, f"{ran.stdout}\n{ran.stderr}"
    return ran.json


async def rollout(cluster: Cluster, what: str, name: str) -> Any:
    ran = await cluster.run("rollout", what, name, "--json")
    assert ran.status == 0, ran.stderr
    return ran.json


async def ask(
    client: httpx.AsyncClient, cluster: Cluster, name: str, *, node: str = "tokyo-1", **headers: str
) -> httpx.Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    url = f"http://{cluster.nodes[node].address}:{INGRESS_PORT}/"
    return await client.get(url, headers={"host": f"{name}.{ZONE}"} | named)


async def counted(client: httpx.AsyncClient, cluster: Cluster, name: str, requests: int) -> Counter[str]:
    seen: Counter[str] = Counter()

    async def some(count: int) -> None:
        for _ in range(count):
            seen[(await ask(client, cluster, name)).text] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(some(requests // AT_ONCE))
    return seen


def bounds(requests: int, share: float) -> tuple[int, int]:
    """Return between which counts a fair split stays but for RISK: the binomial distribution's tails, RISK/2 each."""

    def mass(count: int) -> float:
        ways = math.lgamma(requests + 1) - math.lgamma(count + 1) - math.lgamma(requests - count + 1)
        return math.exp(ways + count * math.log(share) + (requests - count) * math.log(1 - share))

    low, below = 0, mass(0)
    while below < RISK / 2:
        low += 1
        below += mass(low)
    high, above = requests, mass(requests)
    while above < RISK / 2:
        high -= 1
        above += mass(high)
    return low, high


async def test_a_tenth_of_the_requests_then_all_of_them(shared_cluster: Cluster, client: httpx.AsyncClient) -> None:
    cluster, name = shared_cluster, "steps"
    first = await deployed(cluster, name, source("one"), "--gradual", "10,100")
    assert (first["phase"], first["rollout"]) == ("complete", None)
    assert "no version is in force" in first["note"]
    begun = await deployed(cluster, name, source("two"), "--gradual", "10,50,100", "--hold")
    assert (begun["version"], begun["shares"]) == (2, {"1": 90, "2": 10})
    assert (begun["rollout"]["steps"], begun["rollout"]["step"], begun["rollout"]["reached"]) == (
        [10, 50, 100],
        0,
        True,
    )

    low, high = bounds(REQUESTS, 0.1)
    seen = await counted(client, cluster, name, REQUESTS)
    assert seen.keys() == {"one", "two"}
    assert low <= seen["two"] <= high, seen

    # Whoever names a key always gets the same version, on every node; it may stand in a cookie as well.
    at: dict[str, set[str]] = defaultdict(set)
    for who in map(str, range(60)):
        for node in cluster.nodes:
            at[who].add((await ask(client, cluster, name, node=node, x_nearhop_version_key=who)).text)
            at[who].add((await ask(client, cluster, name, node=node, cookie=f"nearhop-version-key={who}")).text)
    assert {len(versions) for versions in at.values()} == {1}
    assert set().union(*at.values()) == {"one", "two"}

    # The override goes before the key, to versions of the deployment only; preview hosts have a name in DNS too.
    canary = next(who for who, versions in at.items() if versions == {"two"})
    for number, text in (("1", "one"), ("2", "two")):
        asked = await ask(client, cluster, name, x_nearhop_version=number, x_nearhop_version_key=canary)
        assert (asked.text, asked.headers["x-nearhop-version"]) == (text, number)
        assert (await cluster.fetch(f"v{number}--{name}", CLIENTS["london"])).text == text
    assert (await ask(client, cluster, name, x_nearhop_version="3", x_nearhop_version_key=canary)).text == "two"
    assert (await ask(client, cluster, f"v3--{name}")).status_code == 404

    listed = (await cluster.run("versions", "list", name, "--json")).json
    assert {version["number"]: version["percent"] for version in listed} == {1: 90, 2: 10}
    assert "steps of version 2: [10 %], 50 %, 100 %" in (await cluster.run("rollout", "status", name)).stdout

    # Who has the new version keeps it when its share grows.
    assert (await rollout(cluster, "resume", name))["phase"] == "progressing"

    async def half() -> bool:
        told = await rollout(cluster, "status", name)
        return bool(told["shares"] == {"1": 50, "2": 50} and told["phase"] == "paused")

    await eventually(half, within=15)
    for who in (who for who, versions in at.items() if versions == {"two"}):
        assert (await ask(client, cluster, name, x_nearhop_version_key=who)).text == "two"
    await rollout(cluster, "promote", name)

    async def complete() -> bool:
        return bool((await rollout(cluster, "status", name))["phase"] == "complete")

    await eventually(complete, within=15)
    for node in cluster.nodes:
        assert {(await ask(client, cluster, name, node=node)).text for _ in range(20)} == {"two"}
    refused = await cluster.run("rollout", "pause", name)
    assert (refused.status, "no gradual deployment" in refused.stderr) == (1, True)


async def test_a_version_without_a_share_is_reached_by_those_who_name_it(
    shared_cluster: Cluster, client: httpx.AsyncClient
) -> None:
    cluster, name = shared_cluster, "dark"
    await deployed(cluster, name, source("one"))
    begun = await deployed(cluster, name, source("two"), "--gradual", "0,100", "--hold")
    assert begun["shares"] == {"1": 100, "2": 0}
    assert await counted(client, cluster, name, 200) == {"one": 200}
    assert (await ask(client, cluster, name, x_nearhop_version="2")).text == "two"
    assert (await ask(client, cluster, f"v2--{name}")).text == "two"
    # A rollback in the middle of it gives everything back to the version before.
    back = await cluster.run("rollback", name, "--json")
    assert (back.status, back.json["version"]) == (0, 1)
    assert await counted(client, cluster, name, 100) == {"one": 100}
    assert (await ask(client, cluster, f"v2--{name}")).status_code == 404
    # So does an abort; the version whose sandbox was just ended starts again.
    await deployed(cluster, name, source("three"), "--gradual", "50,100", "--hold")
    assert (await counted(client, cluster, name, 100)).keys() == {"one", "three"}
    assert (await rollout(cluster, "abort", name))["phase"] == "rolled back"

    async def alone() -> bool:
        return await counted(client, cluster, name, 40) == {"one": 40}

    await eventually(alone, within=10)


async def test_steps_that_make_no_sense_are_refused_by_their_field(shared_cluster: Cluster) -> None:
    for steps, field in (
        ("10,50", "gradual.steps"),
        ("50,10,100", "gradual.steps[1]"),
        ("101,100", "gradual.steps[0]"),
    ):
        ran = await deploy(shared_cluster, "senseless", source("one"), "--gradual", steps)
        assert (ran.status, f"{field}: " in ran.stderr) == (2, True), ran.stderr
    ran = await deploy(shared_cluster, "senseless", source("one"), "--gradual", "100", "--pause", "1e9")
    assert (ran.status, "gradual.pause_s: " in ran.stderr) == (2, True), ran.stderr
    ran = await deploy(shared_cluster, "senseless", source("one"), "--gradual", "a lot")
    assert (ran.status, "no list of percentages" in ran.stderr) == (2, True), ran.stderr


@pytest.mark.parametrize(("bad", "why"), [(THROWS, "exception"), (LOOPS, "exceeded_cpu")], ids=["throws", "loops"])
async def test_a_bad_version_is_rolled_back_by_itself_and_hurts_only_its_own(
    shared_cluster: Cluster, client: httpx.AsyncClient, bad: str, why: str
) -> None:
    cluster, name = shared_cluster, f"bad-{why.replace('_', '-')}"
    await deployed(cluster, name, source("one"))
    stop = asyncio.Event()
    seen: Counter[tuple[str, int]] = Counter()  # by version and status

    async def load(number: int) -> None:
        while not stop.is_set():
            answer = await ask(client, cluster, name, x_nearhop_version_key=str(number))
            seen[answer.headers["x-nearhop-version"], answer.status_code] += 1
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as group:
        for number in range(AT_ONCE):
            tasks.spawn(group, load(number), name=f"client {number}")
        ran = await deploy(cluster, name, bad, "--gradual", "40,100", "--pause", "120", "--max-failures", "5", "--wait")
        stop.set()
    assert ran.status == 1, ran.stdout
    assert "was rolled back" in ran.stderr
    assert why in ran.stderr
    assert "Version 1 goes on serving" in ran.stderr
    assert {status for version, status in seen if version == "1"} == {200}
    assert sum(count for (version, status), count in seen.items() if version == "2" and status != 200) > 0
    told = await rollout(cluster, "status", name)
    assert (told["phase"], told["previous"]) == ("rolled back", {"1": 100})

    async def alone() -> bool:
        return await counted(client, cluster, name, 100) == {"one": 100}

    await eventually(alone, within=10)


async def record(store: Store, path: str, after: int, history: list[Deployment]) -> None:
    """Note what is written under *path*, in order."""
    while True:
        async for batch in store.watch(path, path + "\0", after=after):
            for change in batch:
                assert change.value is not None
                history.append(codec.decode(Deployment, change.value))
                after = change.revision
        await asyncio.sleep(0.05)


async def test_another_leader_goes_on_at_the_right_step(
    tmp_path: Path, geo_cache: Path, client: httpx.AsyncClient
) -> None:
    pause_s = 4.0
    async with Cluster(["tokyo"], folder=tmp_path, cache=geo_cache, control_planes=2) as cluster:
        await deployed(cluster, "hello", source("one"))
        store, history = cluster.store(), list[Deployment]()
        path = str(Key(Kind.DEPLOYMENTS, "hello"))
        item = await store.get(path)
        assert item is not None
        async with asyncio.TaskGroup() as group:
            recording = tasks.spawn(group, record(store, path, item.revision, history), name="history")
            await deployed(cluster, "hello", source("two"), "--gradual", "10,50,100", "--pause", str(pause_s))
            led = await store.get(keys.leader("deployments"))
            assert led is not None
            address = leader(led.value).split()[0]
            await next(plane for plane in cluster.control_planes if plane.address == address).kill()

            async def complete() -> bool:
                return bool(history) and history[-1].phase is Phase.COMPLETE

            await eventually(complete, within=45)
            recording.cancel()
        await store.close()
        steps = [next(share.percent for share in item.shares if share.version == 2) for item in history]
        assert steps == sorted(steps)
        assert list(dict.fromkeys(steps)) == [0, 10, 50, 100]
        assert {item.generation for item in history} == {2}
        # Neither leader cuts a pause short: it is counted from when the record says that the step was reached.
        reached = {
            item.rollout.step: item.rollout.reached_at for item in history if item.rollout and item.rollout.reached_at
        }
        begun = {item.rollout.step: item.rollout.step_at for item in history if item.rollout}
        for step in (0, 1):
            assert begun[step + 1] - reached[step] >= pause_s
        assert (await ask(client, cluster, "hello")).text == "two"
        assert re.search(r"version 2", history[-1].reason)
