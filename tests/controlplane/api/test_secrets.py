import base64
import os
from typing import Any

import grpc
import pytest

from controlplane.api.secrets import SECRETS_MAX, Safe
from controlplane.identity.seal import Seal
from controlplane.model import Secret
from controlplane.server import ControlPlane
from controlplane.store import codec
from controlplane.store.client import Put, Store
from controlplane.store.keys import Key, Kind
from controlplane.store.view import Stored, View
from nearhop.v1 import functions_pb2
from tests.controlplane.api.clients import Agent, Client, failure, fresh

VALUE = "hunter2-a-very-secret-value"


@pytest.fixture
def keyed(plane: ControlPlane) -> ControlPlane:
    plane.safe.seal = Seal(os.urandom(32))
    return plane


def put(client: Client, name: str = "TOKEN", value: str = VALUE, **more: Any) -> Any:
    fields = {"request_id": fresh(), "function": "hello", "name": name, "value": value, **more}
    return client.functions.PutSecret(functions_pb2.PutSecretRequest(**fields), timeout=10)


def delete(client: Client, name: str = "TOKEN", **more: Any) -> Any:
    fields = {"request_id": fresh(), "function": "hello", "name": name, **more}
    return client.functions.DeleteSecret(functions_pb2.DeleteSecretRequest(**fields), timeout=10)


async def listed(client: Client) -> list[str]:
    request = functions_pb2.ListSecretsRequest(function="hello")
    return list((await client.functions.ListSecrets(request, timeout=10)).names)


async def everything(store: Store) -> bytes:
    listing = await store.list("/nearhop/", "/nearhop0")
    return b"\n".join(item.key.encode() + item.value for item in listing.items)


@pytest.mark.usefixtures("keyed")
async def test_a_secret_reaches_nodes_and_nobody_else(client: Client, store: Store) -> None:
    async with Agent(client.address, "tokyo-1") as agent:
        await client.create()
        await client.deployed((await client.version()).number)
        await put(client)
        await put(client, "OTHER", "x")
        await agent.until(lambda agent: len(agent.snapshot.placements[0].secrets) == 2)
        secrets = agent.snapshot.placements[0].secrets
        assert [(secret.name, secret.value) for secret in secrets] == [("OTHER", "x"), ("TOKEN", VALUE)]
        assert await listed(client) == ["OTHER", "TOKEN"]
        kept = await everything(store)
        assert VALUE.encode() not in kept
        assert base64.b64encode(VALUE.encode()) not in kept
        await put(client, value="changed")
        await agent.until(lambda agent: agent.snapshot.placements[0].secrets[1].value == "changed")
        await delete(client)
        await agent.until(lambda agent: [secret.name for secret in agent.snapshot.placements[0].secrets] == ["OTHER"])
        assert await listed(client) == ["OTHER"]
        await client.functions.DeleteFunction(functions_pb2.DeleteFunctionRequest(request_id=fresh(), name="hello"))
        assert b"/nearhop/secrets/" not in await everything(store)


@pytest.mark.usefixtures("keyed")
async def test_repeating_a_call_is_doing_it_once(client: Client) -> None:
    await client.create()
    request_id = fresh()
    await put(client, request_id=request_id)
    await delete(client)
    await put(client, request_id=request_id)
    assert await listed(client) == []
    failed = await failure(put(client, value="another", request_id=request_id))
    assert list(failed.violations) == ["request_id"]


@pytest.mark.usefixtures("keyed")
async def test_what_is_wrong_is_named_and_the_value_is_not(client: Client) -> None:
    failed = await failure(put(client, "not-a-name", "v" * 5121 + "\0", request_id="", function="No"))
    assert set(failed.violations) == {"request_id", "function", "name", "value"}
    assert "vvv" not in str(failed)
    for call in (put(client), delete(client), client.functions.ListSecrets(functions_pb2.ListSecretsRequest())):
        assert (await failure(call)).reason == "FUNCTION_NOT_FOUND"
    await client.create()
    failed = await failure(delete(client))
    assert (failed.code, failed.reason) == (grpc.StatusCode.NOT_FOUND, "SECRET_NOT_FOUND")


@pytest.mark.usefixtures("keyed")
async def test_there_is_a_bound(client: Client, store: Store) -> None:
    await client.create()
    keys = [str(Key(Kind.SECRETS, "hello", item=f"S{number}")) for number in range(SECRETS_MAX)]
    for start in range(0, SECRETS_MAX, 64):
        await store.commit(
            [], [Put(key, codec.encode(Secret("hello", "S", "", 0.0))) for key in keys[start : start + 64]]
        )
    failed = await failure(put(client))
    assert (failed.code, failed.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_SECRETS")
    await put(client, "S5")


async def test_without_a_key_nothing_is_kept(client: Client, store: Store) -> None:
    await client.create()
    failed = await failure(put(client))
    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NO_KEY_ENCRYPTION_KEY")
    assert VALUE.encode() not in await everything(store)


def test_what_was_moved_or_sealed_by_another_key_is_left_out() -> None:
    mine, theirs = Safe(Seal(b"m" * 32)), Safe(Seal(b"t" * 32))
    good = Secret("hello", "GOOD", mine.close("hello", "GOOD", "v"), 0.0)
    moved = Secret("hello", "MOVED", good.sealed, 0.0)
    other = Secret("hello", "OTHER", theirs.close("hello", "OTHER", "v"), 0.0)
    odd = Secret("hello", "ODD", "not base64!", 0.0)
    view = View(secrets={("hello", record.name): Stored(record, 1) for record in (good, moved, other, odd)})
    for _ in range(2):  # the second time from memory
        [only] = mine.opened(view)["hello"]
        assert (only.name, only.value) == ("GOOD", "v")
    assert Safe().opened(view) == {}
    assert mine.mark("hello", "A", "v") != theirs.mark("hello", "A", "v")
    assert mine.mark("hello", "A", "v") != mine.mark("hello", "B", "v")
