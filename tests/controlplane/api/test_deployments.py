import asyncio
from typing import Any

import grpc
import pytest

from controlplane.server import ControlPlane
from nearhop.v1 import deployments_pb2, functions_pb2
from tests.controlplane.api.clients import PHASE, SOURCE, STATE, Agent, Client, failure, fresh, last, refuse

NODE = deployments_pb2.NodeProgress
ERROR = "TypeError: Cannot read properties of undefined"


async def prepare(client: Client, versions: int = 1, function: str = "hello") -> None:
    await client.create(function)
    for number in range(versions):
        await client.version(SOURCE + b"//" * number, function)


def states(deployment: deployments_pb2.Deployment) -> dict[str, int]:
    return {node.node: node.state for node in deployment.nodes}


def rollback(client: Client, to: int = 0, request_id: str | None = None) -> object:
    request = deployments_pb2.RollbackRequest(request_id=request_id or fresh(), function="hello", to_version=to)
    return client.deployments.Rollback(request, timeout=30)


async def get(client: Client) -> deployments_pb2.Deployment:
    return await client.deployments.GetDeployment(deployments_pb2.GetDeploymentRequest(function="hello"))


async def active(client: Client) -> int:
    function = await client.functions.GetFunction(functions_pb2.GetFunctionRequest(name="hello"))
    return function.active_version


async def test_a_deployment_completes_when_every_node_serves_it(client: Client) -> None:
    await prepare(client)
    async with Agent(client.address, "tokyo-1") as tokyo, Agent(client.address, "london-1", region="london") as london:
        call = client.deploy(1)
        assert (await call.read()).phase == PHASE.PHASE_PROGRESSING
        done = await last(call)
        assert (done.phase, done.generation, done.reason) == (PHASE.PHASE_COMPLETE, 1, "2 nodes serve version 1")
        assert states(done) == {"london-1": NODE.STATE_ACTIVE, "tokyo-1": NODE.STATE_ACTIVE}
        assert done.HasField("ended_at")
        assert tokyo.versions() == london.versions() == {"hello": [1]}
        assert await active(client) == 1
        assert await get(client) == done


async def test_progress_is_streamed_per_node(client: Client) -> None:
    await prepare(client)
    may_start = asyncio.Event()

    def judge(placement: object) -> tuple[object, str]:
        return (STATE.STATE_ACTIVE if may_start.is_set() else STATE.STATE_PENDING), ""

    async with Agent(client.address, "fast"), Agent(client.address, "slow", judge):
        seen: list[dict[str, int]] = []
        async for message in client.deploy(1):
            seen.append(states(message))
            if seen[-1] == {"fast": NODE.STATE_ACTIVE, "slow": NODE.STATE_PENDING}:
                assert message.reason == "1 of 2 nodes serve version 1; waiting for slow"
                may_start.set()
        assert seen[-1] == {"fast": NODE.STATE_ACTIVE, "slow": NODE.STATE_ACTIVE}
        assert may_start.is_set()


async def test_a_refusal_puts_the_version_before_it_in_force_everywhere(client: Client) -> None:
    await prepare(client, 2)
    async with (
        Agent(client.address, "tokyo-1") as tokyo,
        Agent(client.address, "london-1", refuse(2, ERROR)) as london,
    ):
        await client.deployed(1)
        failed = await client.deployed(2)
        assert (failed.phase, failed.generation) == (PHASE.PHASE_FAILED, 2)
        assert failed.reason == f"node london-1 refused it: {ERROR}"
        assert next(node for node in failed.nodes if node.node == "london-1").error == ERROR
        for agent in (tokyo, london):
            await agent.until(lambda agent: agent.versions() == {"hello": [1]})
            # The generation goes back with the versions: a generation always means the same versions.
            assert [placement.generation for placement in agent.snapshot.placements] == [1]
        assert await active(client) == 1
        assert await get(client) == failed


async def test_a_first_deployment_that_fails_leaves_nothing_running(client: Client) -> None:
    await prepare(client)
    async with Agent(client.address, "tokyo-1", refuse(1, ERROR)) as agent:
        failed = await client.deployed(1)
        assert failed.phase == PHASE.PHASE_FAILED
        await agent.until(lambda agent: agent.versions() == {})
        assert await active(client) == 0


async def test_a_good_version_deploys_after_a_bad_one(client: Client) -> None:
    await prepare(client, 3)
    async with Agent(client.address, "tokyo-1", refuse(2, ERROR)) as agent:
        phases = [(await client.deployed(number)).phase for number in (1, 2, 3)]
        assert phases == [PHASE.PHASE_COMPLETE, PHASE.PHASE_FAILED, PHASE.PHASE_COMPLETE]
        assert agent.versions() == {"hello": [3]}
        deployment = await get(client)
        assert [share.version for share in deployment.previous] == [1]


async def test_repeating_a_deploy_follows_the_first_and_starts_no_second(client: Client) -> None:
    await prepare(client)
    async with Agent(client.address, "tokyo-1"):
        request_id = fresh()
        first = await last(client.deploy(1, request_id=request_id))
        assert await last(client.deploy(1, request_id=request_id)) == first
        assert (await get(client)).generation == 1
        failed = await failure(client.deploy(2, request_id=request_id))
        assert list(failed.violations) == ["request_id"]


async def test_repeating_a_deploy_that_others_followed_tells_how_it_had_ended(client: Client) -> None:
    await prepare(client, 2)
    async with Agent(client.address, "tokyo-1"):
        request_id = fresh()
        await last(client.deploy(1, request_id=request_id))
        await client.deployed(2)
        again = await last(client.deploy(1, request_id=request_id))
        assert (again.generation, again.phase) == (1, PHASE.PHASE_COMPLETE)


async def test_a_newer_deployment_supersedes_one_in_progress(client: Client) -> None:
    await prepare(client, 2)
    stuck = client.deploy(1)
    assert (await stuck.read()).reason == "no node is connected"
    second = client.deploy(2)
    assert (await second.read()).generation == 2
    ended = await last(stuck)
    assert (ended.phase, ended.reason) == (PHASE.PHASE_FAILED, "superseded by generation 2")
    async with Agent(client.address, "tokyo-1") as agent:
        assert (await last(second)).phase == PHASE.PHASE_COMPLETE
        assert agent.versions() == {"hello": [2]}


async def test_nodes_that_are_away_catch_up_later(client: Client) -> None:
    await prepare(client, 2)
    async with Agent(client.address, "tokyo-1"):
        async with Agent(client.address, "london-1"):
            await client.deployed(1)
        done = await client.deployed(2)
        assert states(done) == {"london-1": NODE.STATE_UNREACHABLE, "tokyo-1": NODE.STATE_ACTIVE}
        async with Agent(client.address, "london-1") as london:
            await london.until(lambda agent: agent.versions() == {"hello": [2]})


async def test_a_deploy_while_nodes_reconnect_reaches_them_all(client: Client) -> None:
    await prepare(client)
    async with Agent(client.address, "tokyo-1"):
        pass
    call = client.deploy(1)
    assert states(await call.read()) == {"tokyo-1": NODE.STATE_UNREACHABLE}
    async with Agent(client.address, "tokyo-1") as agent:
        assert (await last(call)).phase == PHASE.PHASE_COMPLETE
        assert agent.versions() == {"hello": [1]}


async def test_rollback_goes_to_the_version_before_and_to_a_named_one(client: Client) -> None:
    await prepare(client, 3)
    async with Agent(client.address, "tokyo-1") as agent:
        for number in (1, 2, 3):
            await client.deployed(number)
        back = await last(rollback(client))
        assert (back.phase, back.generation, agent.versions()) == (PHASE.PHASE_COMPLETE, 4, {"hello": [2]})
        await last(rollback(client, 1))
        assert agent.versions() == {"hello": [1]}


async def test_repeating_a_rollback_goes_back_once(client: Client) -> None:
    await prepare(client, 2)
    async with Agent(client.address, "tokyo-1") as agent:
        await client.deployed(1)
        await client.deployed(2)
        request_id = fresh()
        first = await last(rollback(client, request_id=request_id))
        assert await last(rollback(client, request_id=request_id)) == first
        assert agent.versions() == {"hello": [1]}


async def test_a_rollback_needs_something_to_go_back_to(client: Client) -> None:
    await prepare(client)
    failed = await failure(rollback(client))
    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NEVER_DEPLOYED")
    async with Agent(client.address, "tokyo-1"):
        await client.deployed(1)
    failed = await failure(rollback(client))
    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NOTHING_BEFORE")


async def test_a_deployment_can_be_watched_by_others(client: Client) -> None:
    await prepare(client)
    await client.deploy(1).read()  # and the deployer goes away
    watched = client.deployments.WatchDeployment(deployments_pb2.GetDeploymentRequest(function="hello"))
    assert (await watched.read()).phase == PHASE.PHASE_PROGRESSING
    async with Agent(client.address, "tokyo-1"):
        assert (await last(watched)).phase == PHASE.PHASE_COMPLETE


async def test_a_deployment_that_finds_no_node_in_time_fails(plane: ControlPlane, client: Client) -> None:
    await prepare(client)
    object.__setattr__(plane._rollouts, "deadline_s", 0.3)
    done = await client.deployed(1)
    assert (done.phase, done.reason) == (PHASE.PHASE_FAILED, "out of time after 0.3 s: no node is connected")


async def test_what_cannot_be_deployed_is_refused(client: Client) -> None:
    await client.create()
    request = deployments_pb2.GetDeploymentRequest(function="hello")
    for call, code, reason in (
        (client.deploy(1), grpc.StatusCode.NOT_FOUND, "VERSION_NOT_FOUND"),
        (client.deploy(1, "nobody"), grpc.StatusCode.NOT_FOUND, "FUNCTION_NOT_FOUND"),
        (client.deployments.GetDeployment(request), grpc.StatusCode.NOT_FOUND, "NEVER_DEPLOYED"),
        (client.deployments.WatchDeployment(request), grpc.StatusCode.NOT_FOUND, "NEVER_DEPLOYED"),
    ):
        failed = await failure(call)
        assert (failed.code, failed.reason) == (code, reason)
    failed = await failure(client.deploy(0, "..", request_id="/"))
    assert set(failed.violations) == {"request_id", "function", "version"}


ROLLOUT = deployments_pb2.ChangeRolloutRequest


def change(client: Client, wish: int, request_id: str | None = None) -> Any:
    request = ROLLOUT(request_id=request_id or fresh(), function="hello", change=wish)
    return client.deployments.ChangeRollout(request, timeout=10)


def shares(deployment: deployments_pb2.Deployment) -> dict[int, int]:
    return {share.version: share.percent for share in deployment.shares}


async def test_shares_grow_step_by_step_and_each_is_streamed(client: Client) -> None:
    await prepare(client, 2)
    async with Agent(client.address, "tokyo-1") as tokyo:
        await client.deployed(1)
        seen = [message async for message in client.deploy(2, steps=[10, 50, 100], pause_s=0.1)]
        told = [shares(message) for message in seen]
        grown = [item for item, before in zip(told, [None, *told], strict=False) if item != before]
        assert grown == [{1: 100, 2: 0}, {1: 90, 2: 10}, {1: 50, 2: 50}, {2: 100}]
        assert {message.rollout.version for message in seen} == {2}
        assert seen[-1].phase == PHASE.PHASE_COMPLETE
        placed = [
            {version.number: version.percent for version in snapshot.placements[0].versions}
            for snapshot in tokyo.snapshots
            if snapshot.placements
        ]
        assert placed == [{1: 100}, *grown]
        assert await active(client) == 2


async def test_a_rollout_is_paused_resumed_promoted_and_aborted(client: Client) -> None:
    await prepare(client, 3)
    async with Agent(client.address, "tokyo-1"):
        await client.deployed(1)
        call = client.deploy(2, steps=[10, 50, 100], hold=True)
        while (message := await call.read()).phase != PHASE.PHASE_PAUSED:
            pass
        assert shares(message) == {1: 90, 2: 10}
        function = await client.functions.GetFunction(functions_pb2.GetFunctionRequest(name="hello"))
        assert {share.version: share.percent for share in function.shares} == {1: 90, 2: 10}
        once = fresh()
        resumed = await change(client, ROLLOUT.CHANGE_RESUME, once)
        assert resumed.phase == PHASE.PHASE_PROGRESSING
        while (message := await call.read()).phase != PHASE.PHASE_PAUSED or shares(message) != {1: 50, 2: 50}:
            pass
        assert await change(client, ROLLOUT.CHANGE_RESUME, once) == resumed  # a repeat changes nothing
        assert (await get(client)).phase == PHASE.PHASE_PAUSED
        await change(client, ROLLOUT.CHANGE_PROMOTE)
        done = await last(call)
        assert (done.phase, shares(done)) == (PHASE.PHASE_COMPLETE, {2: 100})
        failed = await failure(change(client, ROLLOUT.CHANGE_PAUSE))
        assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NO_ROLLOUT")
        call = client.deploy(3, steps=[10, 100], pause_s=600)
        while (message := await call.read()).rollout.step < 0:
            pass
        paused = await change(client, ROLLOUT.CHANGE_PAUSE)
        assert (paused.phase, shares(paused)) == (PHASE.PHASE_PAUSED, {2: 90, 3: 10})
        back = await change(client, ROLLOUT.CHANGE_ABORT)
        assert back.phase == PHASE.PHASE_ROLLED_BACK
        assert back.reason.startswith("aborted by ")
        assert (await last(call)).phase == PHASE.PHASE_ROLLED_BACK
        assert await active(client) == 2


async def test_failures_that_nodes_report_roll_it_back(client: Client) -> None:
    await prepare(client, 2)
    async with Agent(client.address, "tokyo-1") as tokyo:
        await client.deployed(1)
        call = client.deploy(2, steps=[10, 100], pause_s=600, max_failures=4)
        while (message := await call.read()).rollout.step < 0:
            pass
        tokyo.failures = {1: 100, 2: 4}
        while (message := await call.read()).rollout.failures < 4:
            pass
        assert message.phase == PHASE.PHASE_PROGRESSING
        tokyo.failures = {1: 100, 2: 5}
        done = await last(call)
        assert done.phase == PHASE.PHASE_ROLLED_BACK
        assert done.reason == "version 2 has failed 5 times within a step (exception 5); at most 4 are borne"
        await tokyo.until(lambda it: it.versions() == {"hello": [1]})


async def test_a_rollback_in_the_middle_of_a_rollout(client: Client) -> None:
    await prepare(client, 2)
    async with Agent(client.address, "tokyo-1") as tokyo:
        await client.deployed(1)
        call = client.deploy(2, steps=[10, 100], hold=True)
        while (await call.read()).phase != PHASE.PHASE_PAUSED:
            pass
        done = await last(rollback(client))
        assert (done.phase, shares(done), done.generation) == (PHASE.PHASE_COMPLETE, {1: 100}, 3)
        superseded = await last(call)
        assert (superseded.phase, superseded.reason) == (PHASE.PHASE_FAILED, "superseded by generation 3")
        assert tokyo.versions() == {"hello": [1]}


async def test_steps_without_a_stable_version_are_all_at_once_with_a_note(client: Client) -> None:
    await prepare(client)
    async with Agent(client.address, "tokyo-1"):
        done = await last(client.deploy(1, steps=[10, 100]))
        assert (done.phase, done.HasField("rollout")) == (PHASE.PHASE_COMPLETE, False)
        assert "no version is in force" in done.note


@pytest.mark.parametrize(
    ("gradual", "fields"),
    [
        ({"pause_s": 1.0}, {"gradual.steps"}),
        ({"steps": [10, 90]}, {"gradual.steps"}),
        ({"steps": [10, 10, 100]}, {"gradual.steps[1]"}),
        ({"steps": [101]}, {"gradual.steps[0]", "gradual.steps"}),
        ({"steps": [*range(21), 100]}, {"gradual.steps"}),
        ({"steps": [100], "pause_s": -1.0}, {"gradual.pause_s"}),
        ({"steps": [100], "pause_s": float("nan")}, {"gradual.pause_s"}),
        ({"steps": [100], "pause_s": 700_000.0}, {"gradual.pause_s"}),
        ({"steps": [100], "max_failures": 1_000_001}, {"gradual.max_failures"}),
    ],
)
async def test_steps_that_make_no_sense_are_refused(client: Client, gradual: dict[str, Any], fields: set[str]) -> None:
    assert set((await failure(client.deploy(1, **gradual))).violations) == fields


async def test_a_change_that_makes_no_sense_is_refused(client: Client) -> None:
    for wish in (ROLLOUT.CHANGE_UNSPECIFIED, 9):
        assert set((await failure(change(client, wish))).violations) == {"change"}
    failed = await failure(change(client, ROLLOUT.CHANGE_ABORT))
    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NO_ROLLOUT")
