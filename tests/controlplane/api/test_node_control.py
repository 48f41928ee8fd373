import asyncio
import contextlib
import math

import grpc
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from controlplane.api.node_control import read_hello
from controlplane.server import ControlPlane
from controlplane.store.client import Store
from controlplane.store.keys import Key, Kind
from nearhop.errors import InvalidInput
from nearhop.v1 import common_pb2, node_control_pb2
from tests.controlplane.api.clients import SOURCE, Agent, Client, explain, fresh, hello
from tests.harness.eventually import eventually


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"node": "../x"}, "hello.node"),
        ({"region": ""}, "hello.region"),
        ({"site": "A"}, "hello.site"),
        ({"instance": ""}, "hello.instance"),
        ({"agent_version": "v" * 65}, "hello.agent_version"),
        ({"location": None}, "hello.location"),
        ({"location": common_pb2.Location(latitude=math.nan)}, "hello.location.latitude"),
        ({"location": common_pb2.Location(latitude=90.1)}, "hello.location.latitude"),
        ({"location": common_pb2.Location(longitude=-math.inf)}, "hello.location.longitude"),
        ({"ingress": common_pb2.Ingress(port=80)}, "hello.ingress"),
        ({"ingress": common_pb2.Ingress(ipv4=["192.0.2.1"])}, "hello.ingress.port"),
        ({"ingress": common_pb2.Ingress(ipv4=["192.0.2.1"], port=65536)}, "hello.ingress.port"),
        ({"ingress": common_pb2.Ingress(ipv4=["192.0.2.1", "2001:db8::1"], port=80)}, "hello.ingress.ipv4[1]"),
        ({"ingress": common_pb2.Ingress(ipv4=["192.0.2.1", "192.0.2.1"], port=80)}, "hello.ingress.ipv4[1]"),
        ({"ingress": common_pb2.Ingress(ipv4=["0.0.0.0"], port=80)}, "hello.ingress.ipv4[0]"),
        ({"ingress": common_pb2.Ingress(ipv6=["fe80::1%eth0"], port=80)}, "hello.ingress.ipv6[0]"),
        ({"ingress": common_pb2.Ingress(ipv4=[f"192.0.2.{n}" for n in range(9)], port=80)}, "hello.ingress.ipv4"),
    ],
)
def test_a_wrong_hello_names_the_field(wrong: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_hello(hello(**wrong), now=0.0)
    assert [violation.field for violation in caught.value.violations] == [field]


def test_all_wrong_fields_are_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_hello(node_control_pb2.NodeMessage(hello=node_control_pb2.Hello()), now=0.0)
    assert {violation.field for violation in caught.value.violations} == {
        "hello.node", "hello.region", "hello.instance", "hello.location", "hello.ingress", "hello.ingress.port",
    }  # fmt: skip


@given(st.binary(max_size=200))
def test_any_hello_is_read_or_refused(data: bytes) -> None:
    message = node_control_pb2.NodeMessage()
    with contextlib.suppress(DecodeError):
        message.hello.MergeFromString(data)
    with contextlib.suppress(InvalidInput):
        assert read_hello(message, now=0.0).node.id == message.hello.node


async def test_a_stream_that_does_not_introduce_itself_is_refused(client: Client) -> None:
    call = client.channel.stream_stream(
        "/nearhop.v1.NodeControl/Sync",
        request_serializer=node_control_pb2.NodeMessage.SerializeToString,
        response_deserializer=node_control_pb2.NodeInstruction.FromString,
    )()
    await call.write(node_control_pb2.NodeMessage(report=node_control_pb2.NodeReport()))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert list(explain(caught.value).violations) == ["hello"]


async def test_an_agent_is_welcomed_with_its_whole_snapshot(client: Client) -> None:
    await client.create()
    version = await client.version()
    async with Agent(client.address, "tokyo-1"):
        await client.deployed(version.number)
    async with Agent(client.address, "tokyo-1") as agent:
        await agent.until(lambda agent: bool(agent.snapshots))
        placement = agent.snapshots[0].placements[0]
        assert (placement.function, list(placement.hostnames)) == ("hello", ["hello.example.org"])
        placed = placement.versions[0]
        assert (placed.number, placed.digest, placed.percent) == (1, version.digest, 100)
        assert agent.snapshot.zone == "example.org"


async def test_bundles_come_on_request_and_unknown_ones_are_refused(client: Client) -> None:
    source = SOURCE + b"// " + b"x" * (1 << 20)
    digest = await client.upload(source)
    async with Agent(client.address, "tokyo-1") as agent:
        for asked in (digest, "0" * 64, "../x"):
            await agent.ask(asked)
        await agent.until(lambda agent: len(agent.refusals) == 2 and len(agent.bundles.get(digest, b"")) == len(source))
        assert agent.bundles == {digest: source}
        assert agent.refusals["0" * 64] == "there is no such bundle"


async def test_a_second_agent_of_the_same_name_is_refused_while_the_first_lives(client: Client) -> None:
    async with Agent(client.address, "tokyo-1") as first:
        async with Agent(client.address, "tokyo-1") as second:
            assert second.ended is not None
            failed = explain(second.ended)
            assert (failed.code, failed.reason) == (grpc.StatusCode.ALREADY_EXISTS, "NODE_CONNECTED")
        assert first.ended is None
        await first.report()


async def test_an_agent_that_comes_back_after_a_crash_is_taken_at_once(client: Client) -> None:
    async with Agent(client.address, "tokyo-1") as first:
        await first.channel.close(None)  # its process is gone, with its connections
        async with asyncio.timeout(2), Agent(client.address, "tokyo-1") as second:
            assert second.ended is None


async def test_an_agent_that_opens_another_stream_replaces_its_own(client: Client) -> None:
    instance = fresh()
    async with (
        Agent(client.address, "tokyo-1", instance=instance) as first,
        Agent(client.address, "tokyo-1", instance=instance) as second,
    ):
        await first.until(lambda agent: agent.ended is not None)
        assert first.ended is not None
        assert explain(first.ended).reason == "SESSION_REPLACED"
        assert second.ended is None
        assert (await client.node("tokyo-1")).connected


async def test_a_silent_agent_can_be_replaced(client: Client, plane: ControlPlane) -> None:
    async with Agent(client.address, "tokyo-1") as first:
        first.hush()

        async def taken_over() -> bool:
            async with Agent(client.address, "tokyo-1") as second:
                return second.ended is None

        await eventually(taken_over, within=6)


async def test_a_lease_that_ended_is_taken_again(client: Client, plane: ControlPlane, store: Store) -> None:
    path = str(Key(Kind.HEALTH, "tokyo-1"))
    async with Agent(client.address, "tokyo-1"):
        item = await store.get(path)
        assert item is not None
        leases = await plane.store._members.current.lease.leases()
        for lease in leases.leases:
            await store.revoke(lease.ID)

        async def back() -> bool:
            return await store.get(path) is not None

        await eventually(back, within=5)
        assert (await client.node("tokyo-1")).connected


async def test_reports_that_say_nothing_new_are_not_written(client: Client, store: Store) -> None:
    async with Agent(client.address, "tokyo-1") as agent:
        await agent.until(lambda agent: bool(agent.snapshots))
        await asyncio.sleep(0.2)
        before = await store.get(str(Key(Kind.HEALTH, "tokyo-1")))
        for _ in range(8):
            await agent.report()
        await asyncio.sleep(0.5)
        assert await store.get(str(Key(Kind.HEALTH, "tokyo-1"))) == before


async def test_a_snapshot_of_another_store_is_refused(client: Client) -> None:
    async with Agent(client.address, "tokyo-1", snapshot_revision=10**9) as agent:
        assert agent.ended is not None
        assert explain(agent.ended).reason == "SNAPSHOT_FROM_THE_FUTURE"


async def test_nonsense_in_a_report_is_cut_not_fatal(client: Client) -> None:
    async with Agent(client.address, "tokyo-1") as agent:
        await agent.until(lambda agent: bool(agent.snapshots))
        agent.hush()
        report = node_control_pb2.NodeReport(load_1m=math.nan, cpus=3, isolation="x" * 100_000)
        report.sandboxes.add(function="f" * 1000, cpu_s=-1)
        await agent.send(node_control_pb2.NodeMessage(report=report))

        async def shown() -> bool:
            node = await client.node("tokyo-1")
            return node.report.load_1m == 0 and len(node.report.isolation) == 2000

        await eventually(shown, within=5)
        assert agent.ended is None


async def test_however_fast_changes_come_snapshots_only_grow_and_the_last_has_all(client: Client) -> None:
    async with Agent(client.address, "tokyo-1") as agent:
        await agent.until(lambda agent: bool(agent.snapshots))
        await asyncio.gather(*(client.create(f"f{number}") for number in range(8)))
        for number in range(8):
            await client.version(function=f"f{number}")
        calls = [client.deploy(1, f"f{number}") for number in range(8)]
        await asyncio.gather(*(call.read() for call in calls))
        await agent.until(lambda agent: len(agent.versions()) == 8)
        revisions = [snapshot.revision for snapshot in agent.snapshots]
        assert revisions == sorted(set(revisions))
