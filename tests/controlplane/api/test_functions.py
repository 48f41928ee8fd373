import asyncio

import grpc
import pytest

from controlplane.server import ControlPlane
from nearhop.v1 import common_pb2, functions_pb2
from tests.controlplane.api.clients import Agent, Client, Router, failure, fresh
from tests.harness.eventually import eventually


async def test_a_function_is_created_read_and_listed(client: Client) -> None:
    made = await client.create("hello", limits=common_pb2.Limits(cpu_ms=20))
    assert list(made.hostnames) == ["hello.example.org"]
    assert (made.limits.cpu_ms, made.limits.memory_mib, made.limits.wall_ms) == (20, 128, 30_000)
    assert (made.active_version, made.revision > 0) == (0, True)
    assert await client.functions.GetFunction(functions_pb2.GetFunctionRequest(name="hello")) == made
    await client.create("abc")
    listed = await client.functions.ListFunctions(functions_pb2.ListFunctionsRequest())
    assert [function.name for function in listed.functions] == ["abc", "hello"]


async def test_repeating_a_call_changes_nothing_and_answers_the_same(client: Client) -> None:
    request_id = fresh()
    first = await client.create("hello", request_id=request_id)
    assert await client.create("hello", request_id=request_id) == first


async def test_the_same_call_several_times_at_once_is_done_once(client: Client) -> None:
    request_id = fresh()
    answers = await asyncio.gather(*(client.create("hello", request_id=request_id) for _ in range(8)))
    assert all(answer == answers[0] for answer in answers)


async def test_a_request_id_belongs_to_one_call(client: Client) -> None:
    request_id = fresh()
    await client.create("hello", request_id=request_id)
    failed = await failure(client.create("world", request_id=request_id))
    assert (failed.code, list(failed.violations)) == (grpc.StatusCode.INVALID_ARGUMENT, ["request_id"])


async def test_a_name_is_given_once(client: Client) -> None:
    await client.create("hello")
    failed = await failure(client.create("hello"))
    assert (failed.code, failed.reason) == (grpc.StatusCode.ALREADY_EXISTS, "FUNCTION_EXISTS")


async def test_one_of_many_at_once_gets_the_name(client: Client) -> None:
    results = await asyncio.gather(*(client.create("hello") for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(result, functions_pb2.Function) for result in results) == 1
    codes = {result.code() for result in results if isinstance(result, grpc.aio.AioRpcError)}
    assert codes == {grpc.StatusCode.ALREADY_EXISTS}


async def test_every_wrong_field_is_named_at_once(client: Client) -> None:
    limits = common_pb2.Limits(cpu_ms=4_000_000, memory_mib=1, wall_ms=4_000_000)
    failed = await failure(client.create("Not/A/Name", request_id="", limits=limits))
    assert failed.code is grpc.StatusCode.INVALID_ARGUMENT
    assert set(failed.violations) == {"request_id", "name", "limits.cpu_ms", "limits.memory_mib", "limits.wall_ms"}


@pytest.mark.parametrize("name", ["", "../etc", "a--b", "ns1", "hеllo", "a" * 64, "-a", "1a", "a\n", "A"])
async def test_bad_names_are_refused(client: Client, name: str) -> None:
    assert "name" in (await failure(client.create(name))).violations


async def test_what_is_not_there_is_not_found(client: Client) -> None:
    for call in (
        client.functions.GetFunction(functions_pb2.GetFunctionRequest(name="nobody")),
        client.functions.DeleteFunction(functions_pb2.DeleteFunctionRequest(request_id=fresh(), name="nobody")),
    ):
        failed = await failure(call)
        assert (failed.code, failed.reason) == (grpc.StatusCode.NOT_FOUND, "FUNCTION_NOT_FOUND")


async def test_deleting_takes_everything_and_a_new_one_starts_anew(plane: ControlPlane, client: Client) -> None:
    async with Agent(client.address, "tokyo-1") as agent, Router(client.address) as router:
        await client.create()
        version = await client.version()
        await client.deployed(version.number)
        await router.until(lambda view: [function.name for function in view.functions] == ["hello"])
        await client.functions.DeleteFunction(functions_pb2.DeleteFunctionRequest(request_id=fresh(), name="hello"))
        await agent.until(lambda agent: agent.versions() == {})
        await router.until(lambda view: not view.functions)
        view = plane.cache.view
        assert (dict(view.functions), dict(view.versions), dict(view.deployments)) == ({}, {}, {})
        await client.create()
        again = await client.version()
        assert again.number == 1
        deployment = await client.deployed(1)
        assert (deployment.generation, deployment.phase) == (1, deployment.PHASE_COMPLETE)


async def test_a_message_over_the_limit_is_refused(client: Client) -> None:
    failed = await failure(client.create("a" * (5 << 20)))
    assert failed.code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_an_error_nobody_foresaw_has_a_number_and_is_counted(
    plane: ControlPlane, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plane.cache, "current", lambda: None)  # break it on purpose, for the services alone
    failed = await failure(client.functions.ListFunctions(functions_pb2.ListFunctionsRequest()))
    assert (failed.code, failed.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "log has its traceback" in failed.details

    async def counted() -> bool:
        return plane.interceptor.internal_errors == 1

    await eventually(counted, within=1)
