"""Secrets and logs behind identities: the key that seals them is the fleet's, and who may not change a function learns nothing of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from controlplane.store.client import Store
from nearhop.v1 import functions_pb2, functions_pb2_grpc, identity_pb2, identity_pb2_grpc
from tests.controlplane.api.clients import failure, fresh
from tests.controlplane.api.secured import Secured, secured
from tests.harness.etcd import Etcd

VALUE = "hunter2-a-very-secret-value"


@pytest.fixture
async def running(store: Store, shared_etcd: Etcd, tmp_path: Path) -> AsyncIterator[Secured]:
    async with secured(shared_etcd.endpoint, tmp_path) as running:
        yield running


async def functions(running: Secured, role: "identity_pb2.ApiRole", *names: str) -> Any:
    made = await identity_pb2_grpc.TokensStub(running.person(running.admin)).CreateApiToken(
        identity_pb2.CreateApiTokenRequest(request_id=fresh(), name="t", role=role, functions=names)
    )
    return functions_pb2_grpc.FunctionsStub(running.person(made.secret))


def put(stub: Any) -> Any:
    return stub.PutSecret(
        functions_pb2.PutSecretRequest(request_id=fresh(), function="hello", name="TOKEN", value=VALUE), timeout=10
    )


async def test_a_secret_is_sealed_by_the_fleets_key(
    running: Secured, shared_etcd: Etcd, store: Store, tmp_path: Path
) -> None:
    admin: Any = functions_pb2_grpc.FunctionsStub(running.person(running.admin))
    await admin.CreateFunction(functions_pb2.CreateFunctionRequest(request_id=fresh(), name="hello"))
    await put(await functions(running, identity_pb2.API_ROLE_DEPLOYER, "hello"))
    listing = await store.list("/nearhop/", "/nearhop0")
    assert not [item.key for item in listing.items if VALUE.encode() in item.value]
    # Another control plane of the fleet, started later, can open it.
    async with secured(shared_etcd.endpoint, tmp_path) as second:
        [secret] = second.plane.safe.opened(second.plane.cache.current())["hello"]
        assert (secret.name, secret.value) == ("TOKEN", VALUE)


async def test_who_may_not_change_a_function_learns_nothing_of_it(running: Secured) -> None:
    admin: Any = functions_pb2_grpc.FunctionsStub(running.person(running.admin))
    await admin.CreateFunction(functions_pb2.CreateFunctionRequest(request_id=fresh(), name="hello"))
    viewer = await functions(running, identity_pb2.API_ROLE_VIEWER)
    stranger = await functions(running, identity_pb2.API_ROLE_DEPLOYER, "other")
    for stub in (viewer, stranger):
        for call in (
            put(stub),
            stub.ListSecrets(functions_pb2.ListSecretsRequest(function="hello")),
            stub.TailLogs(functions_pb2.TailLogsRequest(function="hello")),
            stub.PurgeCache(functions_pb2.PurgeCacheRequest(request_id=fresh(), name="hello")),
            stub.UpdateFunction(functions_pb2.UpdateFunctionRequest(request_id=fresh(), name="hello")),
        ):
            assert (await failure(call)).code is grpc.StatusCode.PERMISSION_DENIED
    owner = await functions(running, identity_pb2.API_ROLE_DEPLOYER, "hello")
    call = owner.TailLogs(functions_pb2.TailLogsRequest(function="hello"))
    async with asyncio.timeout(5):
        assert isinstance(await call.read(), functions_pb2.LogEntries)
    call.cancel()
