"""The replica against a real gRPC server that speaks RouterControl."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from grpc import aio

from controlplane.model import FleetView, Verdict, Witness
from controlplane.router import replica as module
from controlplane.router.answers import AnswerCounts, AnswerKey
from controlplane.router.replica import Identity, Replica
from controlplane.router.signals import Signals
from controlplane.router.spool import Spool
from controlplane.steering import Sight
from nearhop.tasks import cancel
from nearhop.v1 import common_pb2, nodes_pb2
from nearhop.v1 import router_control_pb2 as pb
from nearhop.v1 import router_control_pb2_grpc as rpc

ZONE = "edge.example.org"
ADDRESS = "127.53.4.1"


class ControlPlane(rpc.RouterControlServicer):
    """Sends what offer() is given and keeps what routers say."""

    def __init__(self) -> None:
        self.said: list[pb.RouterMessage] = []
        self.newest: pb.RoutingView | None = None
        self.offered = asyncio.Condition()
        self._server: aio.Server | None = None

    async def start(self, port: int = 0) -> int:
        self._server = aio.server()
        rpc.add_RouterControlServicer_to_server(self, self._server)
        bound = self._server.add_insecure_port(f"{ADDRESS}:{port}")
        await self._server.start()
        return bound

    async def stop(self) -> None:
        assert self._server is not None
        await self._server.stop(None)

    async def offer(self, view: pb.RoutingView) -> None:
        async with self.offered:
            self.newest = view
            self.offered.notify_all()

    async def Sync(self, request_iterator: object, context: object) -> AsyncIterator[pb.RoutingView]:  # type: ignore[override]  # noqa: N802
        sent: pb.RoutingView | None = None

        async def listen() -> None:
            async for message in request_iterator:  # type: ignore[attr-defined]
                self.said.append(message)

        async with asyncio.TaskGroup() as group:
            group.create_task(listen())
            while True:
                async with self.offered:
                    while self.newest is sent:
                        await self.offered.wait()
                    sent = self.newest
                assert sent is not None
                yield sent

    @property
    def hellos(self) -> list[pb.RouterHello]:
        return [message.hello for message in self.said if message.HasField("hello")]

    @property
    def reports(self) -> list[pb.RouterReport]:
        return [message.report for message in self.said if message.HasField("report")]


def routing_view(epoch: int, *nodes: str, zone: str = ZONE) -> pb.RoutingView:
    return pb.RoutingView(
        epoch=epoch,
        zone=zone,
        nodes=[
            pb.RoutedNode(
                id=name,
                region="r",
                location=common_pb2.Location(),
                ingress=common_pb2.Ingress(ipv4=["192.0.2.1"], port=80),
            )
            for name in nodes
        ],
    )


class Follower:
    """A replica with its spool and what it took over."""

    def __init__(self, state: Path, *ports: int) -> None:
        self.taken: list[FleetView] = []
        self.verdict = Verdict.UP
        self.answers = AnswerCounts()
        self.spool = Spool(state)
        self.heard: list[Signals] = []
        self.replica = Replica(
            Identity("r1", "127.0.0.1:53", "127.0.0.1:80", ZONE),
            [f"{ADDRESS}:{port}" for port in ports],
            self.spool,
            membership=None,
            take_over=self.taken.append,
            witnesses=lambda: [Witness("r1", "a", self.verdict, "why", 12.5, 0.25)],
            answers=self.answers,
            rng=random.Random(1),
            hear=self.heard.append,
            sights=lambda: (["a"], ["b"]),
        )

    @property
    def epochs(self) -> list[int]:
        return [view.epoch for view in self.taken]


async def eventually(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not check():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(follower: Follower) -> AsyncIterator[Follower]:
    follower.replica.start_from_spool()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(follower.replica.run())
        try:
            yield follower
        finally:
            await cancel(task)


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    made = ControlPlane()
    yield made
    if made._server is not None:
        await made.stop()


async def test_a_view_is_taken_over_spooled_and_reported_on(
    plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPORT_INTERVAL_S", 60.0)  # what is reported here is a change
    port = await plane.start()
    await plane.offer(routing_view(3, "a"))
    async with running(Follower(tmp_path, port)) as follower:
        await eventually(lambda: any(report.epoch == 3 for report in plane.reports))
        assert follower.epochs == [3]
        await eventually(follower.spool.path.exists)
        hello = plane.hellos[0]
        assert (hello.router, hello.dns, hello.http, hello.epoch) == ("r1", "127.0.0.1:53", "127.0.0.1:80", 0)
        (witness,) = plane.reports[0].verdicts
        assert (witness.router, witness.node, witness.verdict, witness.reason, witness.rtt_s) == (
            "r1",
            "a",
            nodes_pb2.Witness.VERDICT_UP,
            "why",
            0.25,
        )
        assert witness.since.ToNanoseconds() == 12_500_000_000
        follower.verdict = Verdict.DOWN
        follower.replica.report_soon()
        await eventually(lambda: plane.reports[-1].verdicts[0].verdict == nodes_pb2.Witness.VERDICT_DOWN)


async def test_reports_come_at_every_interval(
    plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPORT_INTERVAL_S", 0.05)
    port = await plane.start()
    async with running(Follower(tmp_path, port)):
        await eventually(lambda: len(plane.reports) > 5)


async def test_f5_f26_a_restart_without_a_control_plane_answers_from_the_spool(
    plane: ControlPlane, tmp_path: Path
) -> None:
    port = await plane.start()
    await plane.offer(routing_view(3, "a"))
    async with running(Follower(tmp_path, port)) as follower:
        await eventually(follower.spool.path.exists)
    await plane.stop()
    async with running(Follower(tmp_path, port)) as again:
        assert again.epochs == [3]
        await plane.start(port)
        await plane.offer(routing_view(4, "a"))
        await eventually(lambda: again.epochs == [3, 4])
        assert plane.hellos[-1].epoch == 3


async def test_every_control_plane_is_followed_and_told_and_the_newest_view_counts(
    plane: ControlPlane, tmp_path: Path
) -> None:
    other = ControlPlane()
    ports = await plane.start(), await other.start()
    await plane.offer(routing_view(3, "a"))
    await other.offer(routing_view(2, "old"))  # it is a little behind
    async with running(Follower(tmp_path, *ports)) as follower:
        await eventually(lambda: all(each.reports and each.reports[-1].epoch == 3 for each in (plane, other)))
        await other.offer(routing_view(4, "a", "b"))
        await eventually(lambda: follower.epochs[-1] == 4)
        await plane.offer(routing_view(4, "a", "b"))
        await plane.stop()
        await other.offer(routing_view(5, "c"))
        await eventually(lambda: follower.epochs[-1] == 5)
        assert follower.replica.connected
        assert follower.replica.refused_views == 0
        assert follower.epochs[-3:] == [3, 4, 5]
        await eventually(lambda: (view := follower.spool.read()) is not None and view.epoch == 5)
    await other.stop()


async def test_the_same_state_under_an_older_epoch_is_no_reason_to_complain(
    plane: ControlPlane, tmp_path: Path
) -> None:
    port = await plane.start()
    await plane.offer(routing_view(5, "a"))
    async with running(Follower(tmp_path, port)) as follower:
        await eventually(lambda: follower.epochs == [5])
        await plane.offer(routing_view(4, "a"))
        await plane.offer(routing_view(6, "a"))
        await eventually(lambda: follower.epochs == [5, 6])
        assert follower.replica.refused_views == 0


async def test_it_goes_on_with_what_is_left_of_the_endpoints(plane: ControlPlane, tmp_path: Path) -> None:
    other = ControlPlane()
    closed = await other.start()
    await other.stop()
    port = await plane.start()
    await plane.offer(routing_view(3, "a"))
    async with running(Follower(tmp_path, closed, port)) as follower:
        await eventually(lambda: follower.epochs == [3])
        assert follower.replica.connected
        await plane.stop()
        await eventually(lambda: not follower.replica.connected)
        await plane.start(port)
        await plane.offer(routing_view(4, "a"))
        await eventually(lambda: follower.epochs == [3, 4])


@pytest.mark.parametrize("bad", [
    pytest.param(routing_view(4, "a", "b"), id="older epoch"),
    pytest.param(routing_view(9), id="no node where there was one"),
    pytest.param(routing_view(9, "a", zone="other.example"), id="another zone"),
    pytest.param(routing_view(9, "NOT A NAME"), id="poison"),
])  # fmt: skip
async def test_f9_a_bad_view_is_refused_and_the_last_good_one_stays(
    plane: ControlPlane, tmp_path: Path, bad: pb.RoutingView
) -> None:
    port = await plane.start()
    await plane.offer(routing_view(5, "a"))
    async with running(Follower(tmp_path, port)) as follower:
        await eventually(lambda: follower.epochs == [5])
        await plane.offer(bad)
        await eventually(lambda: follower.replica.refused_views == 1)
        await plane.offer(routing_view(10, "a", "b"))
        await eventually(lambda: follower.epochs == [5, 10])
        await eventually(lambda: (view := follower.spool.read()) is not None and view.epoch == 10)


async def test_the_same_epoch_again_changes_nothing(plane: ControlPlane, tmp_path: Path) -> None:
    port = await plane.start()
    await plane.offer(routing_view(5, "a"))
    async with running(Follower(tmp_path, port)) as follower:
        await eventually(lambda: follower.epochs == [5])
        await plane.offer(routing_view(5, "a"))
        await plane.offer(routing_view(6, "a"))
        await eventually(lambda: follower.epochs == [5, 6])


async def test_a_full_disk_does_not_keep_a_view_back(plane: ControlPlane, tmp_path: Path) -> None:
    port = await plane.start()
    follower = Follower(tmp_path, port)
    follower.spool.path.with_suffix(".partial").mkdir()  # so that nothing can be written there
    await plane.offer(routing_view(5, "a"))
    async with running(follower):
        await eventually(lambda: follower.replica.spool_errors == 1)
        assert follower.epochs == [5]


async def test_a_spooled_view_of_another_zone_is_not_used(tmp_path: Path) -> None:
    follower = Follower(tmp_path, 1)
    follower.spool.write(routing_view(5, "a", zone="other.example"))
    follower.replica.start_from_spool()
    assert follower.taken == []


async def test_an_error_of_our_own_is_survived(plane: ControlPlane, tmp_path: Path) -> None:
    port = await plane.start()
    await plane.offer(routing_view(5, "a"))
    follower = Follower(tmp_path, port)
    taken = follower.taken

    class Once(list[FleetView]):
        def __call__(self, view: FleetView) -> None:
            self.append(view)
            if len(self) == 1:
                raise RuntimeError("the first view is too much")

    follower.replica._take_over = once = Once()
    async with running(follower):
        await plane.offer(routing_view(6, "a"))
        await eventually(lambda: [view.epoch for view in once][-1:] == [6])
        assert follower.replica.errors == 1
    assert taken == []


def counts(*reports: pb.RouterReport) -> list[dict[str, int]]:
    return [{count.node: count.count for count in report.answers} for report in reports if report.answers]


async def test_all_answers_are_told_first_and_then_those_that_change(plane: ControlPlane, tmp_path: Path) -> None:
    port = await plane.start()
    follower = Follower(tmp_path, port)
    first, second = (follower.answers.tally(AnswerKey("hello", node, "JP", "nearest")) for node in ("a", "b"))
    first.count, second.count = 5, 7
    async with running(follower):
        await eventually(lambda: len(counts(*plane.reports)) == 1)
        second.count = 9
        await eventually(lambda: counts(*plane.reports) == [{"a": 5, "b": 7}, {"b": 9}])
        assert plane.reports[-1].verdicts[0].node == "a"
        # A control plane that comes anew hears all of them again.
        await plane.stop()
        await plane.start(port)
        await eventually(lambda: counts(*plane.reports)[2:] == [{"a": 5, "b": 9}])


async def test_answers_are_told_at_their_own_pace_however_often_verdicts_change(
    plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWERS_INTERVAL_S", 0.3)
    port = await plane.start()
    follower = Follower(tmp_path, port)
    tally = follower.answers.tally(AnswerKey("hello", "a", "JP", "nearest"))
    async with running(follower):
        await eventually(lambda: len(plane.reports) > 0)
        started = asyncio.get_running_loop().time()
        while len(plane.reports) < 60:
            tally.count += 1
            follower.replica.report_soon()
            await asyncio.sleep(0.02)
        took = asyncio.get_running_loop().time() - started
        told = counts(*plane.reports)
        assert 1 < len(told) <= took / 0.3 + 2


def signals(epoch: int, *sights: pb.RouterSight, unchanged: bool = False) -> pb.RoutingView:
    said = pb.Signals(sights=sights, unchanged=unchanged)
    return pb.RoutingView(epoch=epoch, zone=ZONE, signals=said, signals_only=True)


async def test_signals_are_heard_at_each_change_and_not_once_more(plane: ControlPlane, tmp_path: Path) -> None:
    port = await plane.start()
    await plane.offer(routing_view(5, "a"))
    async with running(Follower(tmp_path, port)) as follower:
        await eventually(lambda: follower.epochs == [5])
        await plane.offer(signals(5, pb.RouterSight(router="r2", up=["a"])))
        await eventually(lambda: len(follower.heard) == 1)
        assert follower.heard[0].heard.sights == {"a": Sight(up=("r2",))}
        await plane.offer(signals(5, unchanged=True))
        await plane.offer(routing_view(6, "a"))
        await eventually(lambda: follower.epochs == [5, 6])
        assert len(follower.heard) == 1
        assert follower.replica.refused_views == 0
        report = plane.reports[0]
        assert (list(report.seen_up), list(report.seen_down)) == (["a"], ["b"])


async def test_a_lost_control_plane_passes_nothing_on_any_more(plane: ControlPlane, tmp_path: Path) -> None:
    port = await plane.start()
    await plane.offer(signals(5, pb.RouterSight(router="r2", up=["a"])))
    async with running(Follower(tmp_path, port)) as follower:
        await eventually(lambda: len(follower.heard) == 1)
        await plane.stop()
        await eventually(lambda: len(follower.heard) == 2)
        assert follower.heard[1] == Signals()


async def test_old_signals_are_void(plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIGNALS_OLD_S", 0.2)
    port = await plane.start()
    await plane.offer(signals(5, pb.RouterSight(router="r2", up=["a"])))
    async with running(Follower(tmp_path, port)) as follower:
        await eventually(lambda: len(follower.heard) == 1)
        await asyncio.sleep(0.25)  # a control plane that hangs
        follower.replica.relay()
        assert follower.heard[-1] == Signals()


async def test_an_operator_has_a_refused_view_taken_over_once(plane: ControlPlane, tmp_path: Path) -> None:
    port = await plane.start()
    await plane.offer(routing_view(500, "a", "b", "c", "d", "e"))
    async with running(Follower(tmp_path, port)) as follower:
        await eventually(lambda: follower.epochs == [500])
        await plane.offer(routing_view(3, "a"))  # a store that was made anew: its revisions begin again
        await eventually(lambda: follower.replica.refused_views == 1)
        assert follower.replica.waiting.startswith(f"epoch 3 from {ADDRESS}:{port}; make ")
        await follower.replica.accept_if_told()
        assert follower.epochs == [500]
        accept = tmp_path / "accept-view"
        accept.touch()
        await follower.replica.accept_if_told()
        assert follower.epochs == [500, 3]
        assert not accept.exists()
        assert follower.replica.waiting == ""
        await eventually(lambda: (view := follower.spool.read()) is not None and view.epoch == 3)
        await plane.offer(routing_view(4, "a", "b"))
        await eventually(lambda: follower.epochs == [500, 3, 4])


async def test_f9_a_view_that_lost_most_of_the_fleet_waits_for_an_operator(plane: ControlPlane, tmp_path: Path) -> None:
    port = await plane.start()
    await plane.offer(routing_view(5, "a", "b", "c", "d", "e"))
    async with running(Follower(tmp_path, port)) as follower:
        await eventually(lambda: follower.epochs == [5])
        await plane.offer(routing_view(6, "a", "b"))
        await eventually(lambda: follower.replica.refused_views == 1)
        await plane.offer(routing_view(7, "a", "b", "c", "d"))
        await eventually(lambda: follower.epochs == [5, 7])
        assert follower.replica.waiting == ""  # a good one came since


async def test_a_poisoned_entry_is_told_and_the_others_are_answered_from(plane: ControlPlane, tmp_path: Path) -> None:
    port = await plane.start()
    await plane.offer(routing_view(5, "a", "NOT A NAME"))
    async with running(Follower(tmp_path, port)) as follower:
        await eventually(lambda: follower.epochs == [5])
        assert [node.id for node in follower.taken[0].nodes] == ["a"]
        assert [violation.field for violation in follower.replica.quarantined] == ["nodes[1].id"]


async def test_an_operators_word_of_long_ago_is_void(plane: ControlPlane, tmp_path: Path) -> None:
    port = await plane.start()
    await plane.offer(routing_view(5, "a", "b", "c", "d", "e"))
    async with running(Follower(tmp_path, port)) as follower:
        await eventually(lambda: follower.epochs == [5])
        accept = tmp_path / "accept-view"
        accept.touch()
        await follower.replica.accept_if_told()
        assert accept.exists()  # it may have come just before its view
        os.utime(accept, (time.time() - 3600,) * 2)
        await plane.offer(routing_view(6, "a"))
        await eventually(lambda: follower.replica.refused_views == 1)
        await follower.replica.accept_if_told()
        assert (follower.epochs, accept.exists()) == ([5], False)


async def test_a_control_plane_that_lags_behind_leaves_nothing_waiting(tmp_path: Path) -> None:
    first, second = ControlPlane(), ControlPlane()
    ports = [await first.start(), await second.start()]
    await first.offer(routing_view(9, "a", "b"))
    async with running(Follower(tmp_path, *ports)) as follower:
        await eventually(lambda: follower.epochs == [9])
        await second.offer(routing_view(8, "a"))
        await eventually(lambda: bool(follower.replica.waiting))
        assert follower.replica.refused_views == 0
        await second.offer(routing_view(9, "a", "b"))
        await eventually(lambda: not follower.replica.waiting)
        await second.offer(routing_view(8, "a"))
        await eventually(lambda: bool(follower.replica.waiting))
        await second.stop()
        await eventually(lambda: not follower.replica.waiting)
        assert follower.epochs == [9]
    await first.stop()
