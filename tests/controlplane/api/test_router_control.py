import grpc
import pytest

from controlplane.api.flows import CountKey, FlowKey
from controlplane.api.router_control import read_answers, read_hello
from nearhop.errors import InvalidInput
from nearhop.v1 import nodes_pb2, router_control_pb2, routing_pb2
from tests.controlplane.api.clients import Agent, Client, Router
from tests.harness.eventually import eventually


async def test_a_router_gets_the_view_at_once_and_at_every_change(client: Client) -> None:
    async with Router(client.address) as router:
        assert (router.views[0].zone, list(router.views[0].nodes)) == ("example.org", [])
        async with Agent(client.address, "tokyo-1"), Agent(client.address, "london-1", region="london"):
            await router.until(lambda view: [node.id for node in view.nodes] == ["london-1", "tokyo-1"])
            await client.create()
            await client.version()
            assert not router.views[-1].functions
            await client.deployed(1)
            await router.until(lambda view: len(view.functions) == 1)
            function = router.views[-1].functions[0]
            assert (list(function.hostnames), list(function.nodes)) == (["hello.example.org"], ["london-1", "tokyo-1"])
        epochs = [view.epoch for view in router.views]
        assert epochs == sorted(set(epochs))


async def test_reports_of_nodes_do_not_make_new_views(client: Client) -> None:
    async with Router(client.address) as router, Agent(client.address, "tokyo-1") as agent:
        await router.until(lambda view: len(view.nodes) == 1)
        count = len(router.views)
        await agent.report()
        await client.create()  # a function that is not deployed is none of a router's business
        assert len(router.views) == count


async def test_routers_are_listed_with_what_they_see_as_long_as_they_are_connected(client: Client) -> None:
    async def listed() -> list[routing_pb2.Router]:
        return list((await client.routing.ListRouters(routing_pb2.ListRoutersRequest())).routers)

    async with Router(client.address, "r2"), Router(client.address, "r1") as router:
        await router.say(tokyo_1=nodes_pb2.Witness.VERDICT_DOWN)

        async def told() -> bool:
            return any(found.verdicts for found in await listed())

        await eventually(told, within=5)
        first, second = await listed()
        assert (first.id, second.id, first.dns, first.zone) == ("r1", "r2", "192.0.2.9:53", "example.org")
        # A router speaks in its own name only.
        assert [(said.router, said.node) for said in first.verdicts] == [("r1", "tokyo-1")]

    async def gone() -> bool:
        return not await listed()

    await eventually(gone, within=5)


@pytest.mark.parametrize(
    ("hello", "fields"),
    [
        (None, {"hello"}),
        ({"router": "A/B", "dns": "d" * 300, "http": "h" * 300}, {"hello.router", "hello.dns", "hello.http"}),
    ],
)
def test_a_wrong_hello_names_every_field(hello: dict[str, str] | None, fields: set[str]) -> None:
    message = router_control_pb2.RouterMessage()
    if hello is not None:
        message.hello.CopyFrom(router_control_pb2.RouterHello(**hello))
    with pytest.raises(InvalidInput) as caught:
        read_hello(message)
    assert {violation.field for violation in caught.value.violations} == fields


async def test_a_second_hello_ends_the_stream(client: Client) -> None:
    async with Router(client.address) as router:
        again = router_control_pb2.RouterHello(router="r1")
        await router._call.write(router_control_pb2.RouterMessage(hello=again))
        assert await router._call.code() is grpc.StatusCode.INVALID_ARGUMENT
        router._task.cancel()


def test_answers_that_make_no_sense_are_left_out() -> None:
    good = {"function": "hello", "node": "tokyo-1", "country": "JP", "reason": "nearest", "count": 3}
    bad = [
        {"function": "<b>hello</b>"}, {"function": "../x"}, {"node": "a\nb"}, {"node": "токио-1"}, {"country": "jp"},
        {"country": "JPN"}, {"country": "日本"}, {"reason": ""}, {"reason": "because"},
    ]  # fmt: skip
    counts = [
        router_control_pb2.AnswerCount(**{**good, **more}) for more in (*bad, {}, {"function": "", "country": ""})
    ]
    assert read_answers(counts) == {
        CountKey(FlowKey("JP", "tokyo-1", "hello"), "nearest"): 3,
        CountKey(FlowKey("", "tokyo-1", ""), "nearest"): 3,
    }


async def test_what_each_router_sees_is_passed_on_to_the_others(client: Client) -> None:
    async with (
        Agent(client.address, "tokyo-1"),
        Router(client.address, "r1") as first,
        Router(client.address, "r2") as second,
    ):
        await first.see(up=["tokyo-1"])
        await second.until(lambda _: bool(second.signals and second.signals[-1].sights))
        assert [(sight.router, list(sight.up)) for sight in second.signals[-1].sights] == [("r1", ["tokyo-1"])]
        await first.see(down=["tokyo-1"])
        await second.until(lambda _: list(second.signals[-1].sights[0].down) == ["tokyo-1"])
        # Nobody hears of itself.
        assert all(sight.router != "r1" for said in first.signals for sight in said.sights)
    async with Router(client.address, "r3") as third:
        assert not third.signals or not third.signals[-1].sights


async def test_a_silent_agent_is_told_and_signals_come_every_second(client: Client) -> None:
    async with Router(client.address) as router:
        async with Agent(client.address, "tokyo-1"):
            await router.until(lambda view: len(view.nodes) == 1)
            await router.until(lambda _: not router.signals[-1].silent)
        await router.until(lambda _: list(router.signals[-1].silent) == ["tokyo-1"], within=20)
        heard = router.heard
        await router.until(lambda _: router.heard >= heard + 2, within=4)
