"""The fleet's promises: every client is sent to its region, and goes on being served while parts of the fleet die."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.exception
import httpx
import pytest

from nearhop import children
from nearhop.v1 import nodes_pb2
from tests.compose import fleet
from tests.compose.traffic import Traffic
from tests.harness.cluster import CLIENTS, INGRESS_PORT
from tests.harness.eventually import eventually

pytestmark = [pytest.mark.compose, pytest.mark.timeout(600), pytest.mark.usefixtures("compose_fleet")]

HEALTHY = nodes_pb2.Node.HEALTH_HEALTHY
OTHER = {"controlplane-1": "controlplane-2", "controlplane-2": "controlplane-1"}


async def test_clients_of_five_continents_are_served_in_five_regions_by_both_routers() -> None:
    for region, client in CLIENTS.items():
        for router in fleet.ROUTERS:
            served = await fleet.fetch(client, router=router)
            assert (served.region, served.text) == (region, f"first from {region}")
            assert fleet.NODES[served.node] == served.address


async def test_a_deploy_through_either_control_plane_reaches_every_node(tmp_path: Path) -> None:
    for name, endpoint in fleet.CONTROL_PLANES.items():
        ran = await fleet.deploy(tmp_path, f"by-{name}", endpoint=endpoint)
        assert ran.status == 0, ran.stderr
        async with httpx.AsyncClient() as http:
            for node, address in fleet.NODES.items():
                served = await fleet.get(http, address)
                # A deploy is over when every node serves the version: no waiting here.
                assert (served.node, served.text) == (node, f"by-{name} from {served.region}")


async def test_deploys_through_both_control_planes_at_once_are_each_there_once(tmp_path: Path) -> None:
    one, two = (Deploys(tmp_path, endpoint, name) for name, endpoint in fleet.CONTROL_PLANES.items())
    async with one, two:
        for deploys in (one, two):
            await eventually(deploys.at_least(3), within=90)
    acknowledged = sorted([*one.acknowledged, *two.acknowledged])
    fleet.figure(
        f"deploys through both control planes at once: {len(acknowledged)} served, {one.refused + two.refused} superseded"
    )
    assert len({number for number, _ in acknowledged}) == len(acknowledged)
    stored = (await fleet.nearhop("versions", "list", fleet.FUNCTION, "--json")).json
    messages = {version["number"]: version["message"] for version in stored}
    assert {number: messages.get(number) for number, _ in acknowledged} == dict(acknowledged)
    assert sorted(messages) == list(range(1, len(messages) + 1))
    async with httpx.AsyncClient() as http:
        served = {(await fleet.get(http, address)).version for address in fleet.NODES.values()}
    assert len(served) == 1


async def test_the_clients_of_a_killed_node_are_served_by_the_next_nearest() -> None:
    client, address = CLIENTS["sydney"], fleet.NODES["sydney-1"]
    await fleet.in_answers(client, address, within=30)
    async with Traffic() as traffic:
        await asyncio.sleep(1)  # of ordinary traffic
        killed_at = time.monotonic()
        await fleet.docker("kill", fleet.container("sydney-1"))
        left = await fleet.out_of_answers(client, address, within=10)
        left_at = time.monotonic()
        served = await fleet.fetch(client)
        await fleet.docker("start", fleet.container("sydney-1"))
        returned = await fleet.in_answers(client, address, within=60)
        await asyncio.sleep(1)
    lost = [failure for failure in traffic.failures if failure.address == address]
    fleet.figure(
        f"killed node: out of both routers' answers {left_at - killed_at:.2f} s after the kill ({left:.2f} s after docker said so), "
        f"back {returned:.1f} s after its start; {len(lost)} requests lost on it, {len(traffic.served)} served"
    )
    assert served.region == "tokyo"
    assert not traffic.failures_but(address, until=left_at)
    assert {item.region for item in traffic.served} == set(CLIENTS)


async def test_an_etcd_member_may_die_the_leader_included(tmp_path: Path) -> None:
    leader = await fleet.etcd_leader()
    async with Traffic() as traffic:
        await fleet.docker("kill", fleet.container(leader))
        killed_at = time.monotonic()
        try:
            await eventually(lambda: _deployed(tmp_path, "without-a-member"), within=60)
            fleet.figure(f"killed etcd leader: the next deploy is complete {time.monotonic() - killed_at:.1f} s later")
        finally:
            await fleet.docker("start", fleet.container(leader))
        await fleet.all_healthy()
    assert not traffic.failures
    assert (await fleet.fetch(CLIENTS["london"])).text == "without-a-member from london"


@pytest.mark.parametrize("victim", sorted(fleet.CONTROL_PLANES))
async def test_a_control_plane_may_die_and_its_nodes_and_routers_go_to_the_other(victim: str, tmp_path: Path) -> None:
    other = OTHER[victim]
    endpoint = fleet.CONTROL_PLANES[other]
    async with Traffic() as traffic:
        await fleet.docker("kill", fleet.container(victim))
        killed_at = time.monotonic()
        try:
            await eventually(lambda: _deployed(tmp_path, f"by-{other}", endpoint), within=60)
            fleet.figure(
                f"killed {victim}: a deploy through {other} is complete {time.monotonic() - killed_at:.1f} s later"
            )
            await fleet.nodes_are(dict.fromkeys(fleet.NODES, HEALTHY), within=30, endpoint=endpoint)
            await eventually(_routers_connected, within=30)
            fleet.figure(
                f"killed {victim}: every node and router is with {other} {time.monotonic() - killed_at:.1f} s later"
            )
            for node in await fleet.list_nodes(endpoint):
                assert node.connected, node.id
                assert {witness.router for witness in node.witnesses} == set(fleet.ROUTERS), node.id
        finally:
            await fleet.docker("start", fleet.container(victim))
        await fleet.all_healthy()
    assert not traffic.failures
    for region, client in CLIENTS.items():
        assert (await fleet.fetch(client)).text == f"by-{other} from {region}"


async def test_all_of_etcd_may_be_gone_and_no_acknowledged_deploy_is_lost(tmp_path: Path) -> None:
    members = [fleet.container(member) for member in fleet.ETCD]
    async with Traffic() as traffic, Deploys(tmp_path) as deploys:
        await eventually(deploys.at_least(2), within=60)
        await fleet.docker("kill", *members)
        try:
            refused = await fleet.deploy(tmp_path, "refused", file="refused")
            # What runs goes on, and what is started anew starts from its spool.
            await fleet.docker("restart", fleet.container("router-2"), fleet.container("london-1"))
            restarted_at = time.monotonic()
            await eventually(lambda: _answers("router-2"), within=30)
            await fleet.in_answers(CLIENTS["london"], fleet.NODES["london-1"], within=30)
            fleet.figure(
                f"without etcd: a restarted router and node serve {time.monotonic() - restarted_at:.1f} s later"
            )
        finally:
            await fleet.docker("start", *members)
        started_at = time.monotonic()
        await eventually(deploys.at_least(len(deploys.acknowledged) + 1), within=90)
        fleet.figure(f"all of etcd restarted: the next deploy is complete {time.monotonic() - started_at:.1f} s later")
        await eventually(deploys.at_least(len(deploys.acknowledged) + 1), within=60)
    assert refused.status == 4, refused.stderr
    stopped = fleet.NODES["london-1"]  # restarted on purpose; router-2 too: no address
    assert not [failure for failure in traffic.failures if failure.address not in (stopped, "")]

    stored = (await fleet.nearhop("versions", "list", fleet.FUNCTION, "--json")).json
    messages = {version["number"]: version["message"] for version in stored}
    fleet.figure(f"all of etcd restarted: {len(deploys.acknowledged)} deploys acknowledged, {deploys.refused} refused")
    assert {number: messages.get(number) for number, _ in deploys.acknowledged} == dict(deploys.acknowledged)
    assert [number for number, _ in deploys.acknowledged] == sorted({number for number, _ in deploys.acknowledged})
    await fleet.all_healthy()
    for region, client in CLIENTS.items():
        assert (await fleet.fetch(client)).text == f"{deploys.acknowledged[-1][1]} from {region}"


async def test_the_dashboard_shows_the_fleet_to_who_has_a_token() -> None:
    async with httpx.AsyncClient(base_url=fleet.DASHBOARD, timeout=10) as http:
        session = (await http.get("/api/session")).json()
        headers = {"x-nearhop-csrf": session["csrf"]}
        refused = await http.post("/api/session", json={"token": "nhp_0_0"}, headers=headers)
        assert refused.status_code == 401, refused.text
        hidden = (await http.get("/api/fleet")).text
        assert not any(name in hidden for name in fleet.NODES), hidden
        admitted = await http.post("/api/session", json={"token": fleet.token()}, headers=headers)
        assert admitted.status_code == 200, admitted.text
        shown = (await http.get("/api/fleet")).text
        assert all(f'"{name}"' in shown for name in fleet.NODES), shown


async def test_a_token_for_one_function_changes_no_other(tmp_path: Path) -> None:
    source = tmp_path / "other.js"
    source.write_text("export default { fetch() { return new Response('planted'); } };")
    refused = await fleet.nearhop("deploy", source, "--name", "other", who="deployer")
    assert refused.status == 1
    assert "'other'" in refused.stderr, refused.stderr
    listed = await fleet.nearhop("functions", "list", "--json")
    assert [function["name"] for function in listed.json] == [fleet.FUNCTION]


async def test_the_whole_fleet_may_be_taken_down_and_comes_back_as_it_was() -> None:
    before = {client: await fleet.fetch(client) for client in CLIENTS.values()}
    await fleet.must("make", "compose-down")
    begin = time.monotonic()
    await fleet.must("make", "compose-up", within=300)
    await fleet.all_healthy()
    fleet.figure(
        f"the whole fleet down and up again: every part is healthy {time.monotonic() - begin:.1f} s after make compose-up began"
    )
    assert {client: await fleet.fetch(client) for client in CLIENTS.values()} == before


async def test_etcds_certificates_can_be_renewed_while_clients_notice_nothing(tmp_path: Path) -> None:
    stopped = [*fleet.CONTROL_PLANES, *fleet.ETCD]
    compose = [*(await fleet.compose_commands())[0]]
    member = ("cp", f"{fleet.container('etcd-1')}:/tls/etcd-member.pem", "-")
    before = await fleet.docker(*member)
    async with Traffic() as traffic:
        begin = time.monotonic()
        # docs/join.md has these three commands.
        await fleet.must(*compose, "stop", *stopped, cwd=fleet.COMPOSE)
        await fleet.must(*compose, "run", "--rm", "-e", "RENEW=1", "init", cwd=fleet.COMPOSE)
        await fleet.must(*compose, "up", "--detach", cwd=fleet.COMPOSE)
        await fleet.all_healthy()
        fleet.figure(f"etcd's certificates renewed: every part is healthy again {time.monotonic() - begin:.1f} s later")
    assert await fleet.docker(*member) != before
    assert not traffic.failures
    assert (await fleet.deploy(tmp_path, "renewed")).status == 0


async def test_a_node_more_in_a_region_is_one_command() -> None:
    name, address = "london-2", "127.78.2.12"
    begin = time.monotonic()
    await fleet.must("deploy/compose/node", "add", name)
    try:
        await fleet.nodes_are({name: HEALTHY}, within=60)
        async with httpx.AsyncClient() as http:
            served = await eventually(lambda: _served(http, address), within=30)
        fleet.figure(f"added node: serves {time.monotonic() - begin:.1f} s after the command began")
        assert (served.node, served.region) == (name, "london")
        # The two nodes of the region share its clients; with one of them dead the other has them all.
        await fleet.docker("kill", fleet.container("london-1"))
        try:
            await fleet.out_of_answers(CLIENTS["london"], fleet.NODES["london-1"], within=10)
            assert await fleet.resolve(CLIENTS["london"]) == [address]
        finally:
            await fleet.docker("start", fleet.container("london-1"))
    finally:
        await fleet.must("deploy/compose/node", "remove", name)
    await fleet.out_of_answers(CLIENTS["london"], address, within=10)
    assert name not in {node.id for node in await fleet.list_nodes(fleet.CONTROL_PLANES["controlplane-2"])}
    await fleet.all_healthy()


async def test_a_bare_host_joins_with_a_token(tmp_path: Path) -> None:
    # This machine, by the address that it has in the network of one region; docs/join.md is what it follows.
    address, port = "10.78.1.1", 7490
    made = await fleet.nearhop("token", "create", "osaka-1", "--role", "node", "--region", "osaka")
    assert made.status == 0, made.stderr
    (tmp_path / "join.token").write_text(made.stdout)
    config = tmp_path / "node.toml"
    config.write_text(_BARE_NODE.format(address=address, port=port, folder=tmp_path))
    with (tmp_path / "log").open("wb") as log:
        node = await children.spawn([fleet.NEARHOP, "node", "--config", config], stdout=log, stderr=log)
    try:
        seconds = await fleet.nodes_are({"osaka-1": HEALTHY}, within=60)
        fleet.figure(f"bare host: joined, connected and seen up {seconds:.1f} s after its start")
        async with httpx.AsyncClient() as http:
            served = await eventually(lambda: _served(http, address, port), within=30)
        assert (served.node, served.region) == ("osaka-1", "osaka")
        begin = time.monotonic()
        revoked = await fleet.nearhop("identity", "revoke", "node/osaka/osaka-1")
        assert revoked.status == 0, revoked.stderr
        await eventually(lambda: _disconnected("osaka-1"), within=15)
        fleet.figure(f"revoked node: its stream has ended {time.monotonic() - begin:.1f} s after the command began")
    finally:
        await children.stop(node, grace_s=15)
    assert (await fleet.nearhop("nodes", "delete", "osaka-1")).status == 0


class Deploys:
    """One deploy after the other until the block ends. *acknowledged* has the version and the message of each that ended well."""

    def __init__(
        self, folder: Path, endpoint: str = fleet.CONTROL_PLANES["controlplane-1"], name: str = "deploy"
    ) -> None:
        self.acknowledged: list[tuple[int, str]] = []
        self.refused = 0
        self._folder = folder
        self._endpoint = endpoint
        self._name = name
        self._stop = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._driver = asyncio.get_running_loop().create_task(self._drive(), name="deploys")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        await self._driver

    def at_least(self, count: int) -> Callable[[], Awaitable[bool]]:
        """Return a check that *count* deploys were acknowledged."""

        async def check() -> bool:
            await asyncio.sleep(0.1)
            return len(self.acknowledged) >= count

        return check

    async def _drive(self) -> None:
        for number in itertools.count():
            if self._stop.is_set():
                return
            word = f"{self._name}-{number}"
            ran = await fleet.deploy(self._folder, word, endpoint=self._endpoint, file=self._name)
            if ran.status == 0:
                self.acknowledged.append((ran.json["version"], word))
            else:
                self.refused += 1


async def _deployed(folder: Path, word: str, endpoint: str = fleet.CONTROL_PLANES["controlplane-1"]) -> bool:
    ran = await fleet.deploy(folder, word, endpoint=endpoint)
    assert ran.status == 0, ran.stderr
    return True


async def _routers_connected() -> bool:
    return all([(await fleet.router_status(router))["control_plane_connected"] for router in fleet.ROUTERS])


async def _answers(router: str) -> bool:
    try:
        return bool(await fleet.resolve(CLIENTS["tokyo"], router=router))
    except dns.exception.DNSException as error:
        raise AssertionError(f"{router}: {error}") from error


_BARE_NODE = """
id = "osaka-1"
region = "osaka"
latitude = 34.69
longitude = 135.50
control_planes = ["127.78.0.1:7443", "127.78.0.2:7443"]
listen = ["{address}:{port}"]
advertise_ipv4 = ["{address}"]
port = {port}
state_dir = "{folder}/state"

[join]
control_planes = ["127.78.0.1:7400", "127.78.0.2:7400"]
token_file = "{folder}/join.token"
"""


async def _disconnected(name: str) -> bool:
    nodes = {node.id: node for node in await fleet.list_nodes(fleet.CONTROL_PLANES["controlplane-1"])}
    return not nodes[name].connected


async def _served(http: httpx.AsyncClient, address: str, port: int = INGRESS_PORT) -> fleet.Served:
    try:
        return await fleet.get(http, address, port=port)
    except httpx.HTTPError as error:
        raise AssertionError(str(error)) from error
