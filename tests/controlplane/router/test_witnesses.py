"""A router's process among others: what it hears of them by its control plane, and what it makes of that."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nearhop.tasks import cancel
from nearhop.v1 import router_control_pb2 as pb
from tests.controlplane.router.test_server import ADDRESSES, CLIENTS, PLACES, ZONE, Setting, setting

pytestmark = pytest.mark.acceptance

VICTIM = "tokyo-1"


class Hung:
    """An ingress that takes connections and says nothing: as a blackhole is to a probe, without rights to make one."""

    def __init__(self, made: Setting) -> None:
        self._made = made
        self._server: asyncio.Server | None = None
        self._open: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> float:
        await self._made.ingresses.kill(VICTIM)
        self._server = await asyncio.start_server(self._take, ADDRESSES[VICTIM], self._made.ingresses.port)
        return time.monotonic()

    async def _take(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.append(writer)

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.close()
        await self._server.wait_closed()
        await self._made.ingresses.start(VICTIM)


@asynccontextmanager
async def relaying(made: Setting, *sights: pb.RouterSight) -> AsyncIterator[None]:
    """Pass *sights* on as a control plane does: twice a second."""
    epoch = made.plane.view.epoch

    async def relay() -> None:
        while True:
            made.plane.offer(
                pb.RoutingView(epoch=epoch, zone=ZONE, signals=pb.Signals(sights=sights), signals_only=True)
            )
            await asyncio.sleep(0.5)

    task = asyncio.get_running_loop().create_task(relay())
    try:
        yield
    finally:
        await cancel(task)


async def ttl_of(made: Setting) -> int:
    return int((await made.router.ask(CLIENTS[VICTIM])).answer[0].ttl)


async def test_a_node_that_only_this_router_does_not_reach_stays_with_a_short_ttl(tmp_path: Path) -> None:
    async with setting(tmp_path) as made:
        sees = pb.RouterSight(router="r2", up=list(PLACES))
        async with relaying(made, sees), Hung(made):
            await until_seen_down(made)
            for _ in range(20):  # a second and more beyond what takes a node out
                assert await made.router.node_for(VICTIM) == VICTIM
                await asyncio.sleep(0.1)
            assert await ttl_of(made) == 5
            assert "only this router does not reach it" in str(await made.router.explain("203.0.113.9"))
            async with relaying(made, pb.RouterSight(router="r2", down=[VICTIM])):
                await made.eventually(lambda told: told[VICTIM]["verdict"] == "down", within=5)


async def test_the_others_word_is_void_when_their_control_plane_is_lost(tmp_path: Path) -> None:
    async with setting(tmp_path) as made, relaying(made, pb.RouterSight(router="r2", up=list(PLACES))), Hung(made):
        await until_seen_down(made)
        assert (await made.router.verdicts())[VICTIM] == "up"
        await made.plane.stop()
        assert await made.eventually(lambda told: told[VICTIM]["verdict"] == "down") < 4
        assert await made.router.node_for(VICTIM) != VICTIM


async def test_what_it_sees_itself_is_told_at_once_whatever_it_answers(tmp_path: Path) -> None:
    async with (
        setting(tmp_path) as made,
        relaying(made, pb.RouterSight(router="r2", up=list(PLACES))),
        Hung(made) as begin,
    ):
        await until_seen_down(made)
        assert time.monotonic() - begin < 4
        assert VICTIM not in made.plane.reports[-1].seen_up


async def until_seen_down(made: Setting) -> None:
    async with asyncio.timeout(10):
        while not (made.plane.reports and VICTIM in made.plane.reports[-1].seen_down):
            await asyncio.sleep(0.02)


async def test_an_operator_has_a_refused_view_taken_over(tmp_path: Path) -> None:
    async with setting(tmp_path) as made:
        smaller = made.view(2)
        del smaller.nodes[1:]
        made.plane.offer(smaller)
        await asyncio.sleep(1)
        assert set(await made.router.verdicts()) == set(PLACES)
        (tmp_path / "state" / "accept-view").touch()
        async with asyncio.timeout(5):
            while len(await made.router.verdicts()) > 1:
                await asyncio.sleep(0.05)
