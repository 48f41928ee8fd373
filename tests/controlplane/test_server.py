"""The process as a whole: starting, stopping, and living through the loss of etcd."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from controlplane.config import Config, LimitsConfig
from controlplane.server import AddressInUse, ControlPlane
from controlplane.store.client import Store
from nearhop import children
from nearhop.v1 import functions_pb2, nodes_pb2
from tests.controlplane.api.clients import PHASE, SOURCE, Agent, Client, Router, failure, fresh, last
from tests.harness.etcd import Etcd, free_port
from tests.harness.eventually import eventually

LIMITS = LimitsConfig(heartbeat_interval_s=0.3, lease_ttl_s=2.0, shutdown_grace_s=0.5)


@contextlib.asynccontextmanager
async def serving(endpoint: str, listen: str = "127.0.0.1:0") -> AsyncIterator[tuple[ControlPlane, Client]]:
    plane = ControlPlane(Config([endpoint], "example.org", listen=listen, limits=LIMITS, insecure=True))
    async with plane.running() as port:
        client = Client(f"127.0.0.1:{port}")
        try:
            yield plane, client
        finally:
            await client.channel.close(None)


async def healthy(client: Client) -> bool:
    stub = health_pb2_grpc.HealthStub(client.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def test_a_generic_client_finds_every_service_and_its_messages(store: Store, shared_etcd: Etcd) -> None:
    async with serving(shared_etcd.endpoint) as (_, client):
        stub = reflection_pb2_grpc.ServerReflectionStub(client.channel)

        async def ask(**what: str) -> reflection_pb2.ServerReflectionResponse:
            call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(**what)]))
            return await anext(aiter(call))

        listed = (await ask(list_services="")).list_services_response
        names = {service.name for service in listed.service}
        assert {
            f"nearhop.v1.{name}"
            for name in ("Functions", "Versions", "Deployments", "Nodes", "Routing", "NodeControl", "RouterControl")
        } <= names
        assert {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"} <= names
        found = (await ask(file_containing_symbol="nearhop.v1.Deployments")).file_descriptor_response
        file = FileDescriptorProto.FromString(found.file_descriptor_proto[0])
        assert [method.name for method in file.service[0].method][:2] == ["Deploy", "Rollback"]


async def test_it_starts_without_etcd_and_says_so() -> None:
    async with serving(f"127.0.0.1:{free_port()}") as (_, client):
        assert not await healthy(client)
        began = time.monotonic()
        for call in (
            client.create(),
            client.functions.ListFunctions(functions_pb2.ListFunctionsRequest()),
            client.deploy(1),
        ):
            failed = await failure(call)
            assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNREACHABLE")
            assert failed.details.startswith("the store (etcd) is unreachable: ")
        assert time.monotonic() - began < 8


async def test_a_taken_address_is_named(store: Store, shared_etcd: Etcd) -> None:
    async with serving(shared_etcd.endpoint) as (_, client):
        with pytest.raises(AddressInUse, match=f"{client.address} is in use by another process"):
            async with serving(shared_etcd.endpoint, client.address):
                pass


@pytest.mark.acceptance
async def test_without_etcd_nothing_that_runs_is_touched_and_it_all_goes_on_afterwards(etcd: Etcd) -> None:
    async with serving(etcd.endpoint) as (plane, client):
        await plane.cache.synced.wait()
        async with Agent(client.address, "tokyo-1") as agent, Router(client.address) as router:
            await client.create()
            await client.version()
            await client.version(SOURCE + b"//2")
            await client.deployed(1)
            snapshots, views = len(agent.snapshots), len(router.views)
            await etcd.kill()
            began = time.monotonic()
            failed = await failure(client.deploy(2))
            assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNREACHABLE")
            assert time.monotonic() - began < 4
            # Reads go on from the last view; long enough for the lease to end, nothing is pushed and nobody is cut off.
            assert len((await client.nodes.ListNodes(nodes_pb2.ListNodesRequest())).nodes) == 1
            await asyncio.sleep(LIMITS.lease_ttl_s + 0.5)
            assert (len(agent.snapshots), len(router.views), agent.ended) == (snapshots, views, None)
            await etcd.start()

            async def deployed() -> bool:
                try:
                    return (await last(client.deploy(2))).phase == PHASE.PHASE_COMPLETE
                except grpc.aio.AioRpcError:
                    return False

            await eventually(deployed, within=15)
            await agent.until(lambda agent: agent.versions() == {"hello": [2]})
            assert (await client.node("tokyo-1")).connected
            assert all(len(view.nodes) == 1 for view in router.views[1:])


@pytest.mark.acceptance
async def test_a_restarted_control_plane_knows_everything_and_finishes_what_was_begun(
    store: Store, shared_etcd: Etcd
) -> None:
    listen = f"127.0.0.1:{free_port()}"
    async with serving(shared_etcd.endpoint, listen) as (plane, client):
        await plane.cache.synced.wait()
        await client.create()
        await client.version()
        request_id = fresh()
        await client.deploy(1, request_id=request_id).read()
        async with Agent(client.address, "other") as agent:
            await agent.until(lambda agent: bool(agent.snapshots))
            revision = agent.snapshots[-1].revision
            epoch = plane.publisher.current().fleet.epoch
    async with serving(shared_etcd.endpoint, listen) as (plane, client):
        await eventually(lambda: healthy(client), within=5)
        assert plane.publisher.current().fleet.epoch >= epoch
        async with Agent(client.address, "tokyo-1") as agent:
            done = await last(client.deploy(1, request_id=request_id))
            assert (done.generation, done.phase) == (1, PHASE.PHASE_COMPLETE)
            assert agent.snapshots[0].revision >= revision


@pytest.mark.acceptance
async def test_the_process_stops_on_sigterm_and_refuses_a_taken_address(
    store: Store, shared_etcd: Etcd, tmp_path: Path
) -> None:
    config = tmp_path / "controlplane.toml"
    address = f"127.0.0.1:{free_port()}"
    config.write_text(
        f'listen = "{address}"\netcd = ["{shared_etcd.endpoint}"]\nzone = "example.org"\ninsecure = true\n'
    )
    command = [sys.executable, "-m", "controlplane", "--config", config]
    first = await children.spawn(command, stderr=asyncio.subprocess.PIPE)
    client = Client(address)

    async def up() -> bool:
        with contextlib.suppress(grpc.aio.AioRpcError):
            return await healthy(client)
        return False

    await eventually(up, within=20)
    async with Agent(address, "tokyo-1") as agent:
        second = await children.spawn(command, stderr=asyncio.subprocess.PIPE)
        _, said = await second.communicate()
        assert second.returncode == 3
        assert f"the listen address {address} is in use" in said.decode()
        assert "Traceback" not in said.decode()
        first.send_signal(signal.SIGTERM)
        await agent.until(lambda agent: agent.ended is not None)
        assert agent.ended is not None
        assert agent.ended.code() is grpc.StatusCode.UNAVAILABLE
    _, said = await first.communicate()
    assert first.returncode == 0, said.decode()
    assert "Traceback" not in said.decode()
    await client.channel.close(None)


@pytest.mark.acceptance
async def test_a_bad_configuration_ends_the_process_with_every_error_in_one_line(tmp_path: Path) -> None:
    config = tmp_path / "controlplane.toml"
    config.write_text('listen = 1\netcd = []\nzon = "example.org"\n')
    process = await children.spawn(
        [sys.executable, "-m", "controlplane", "--config", config], stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 3
    assert said.decode().count("\n") == 1
    for name in ("listen", "zone", "zon"):
        assert f"{name}: " in said.decode()
