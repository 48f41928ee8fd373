"""The files that tell where clients are, replaced under a router that answers all the while."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from nearhop.tasks import cancel
from tests.controlplane.router.citydb import write_city_database
from tests.controlplane.router.test_server import CLIENTS, PLACES, Setting, setting
from tests.harness.eventually import eventually
from tests.harness.outage import Outage

pytestmark = pytest.mark.acceptance


@asynccontextmanager
async def load(made: Setting) -> AsyncIterator[list[str]]:
    """Ask for London's clients all the time, slower than the limit on replies to one network; gives the answers. An error ends the test."""
    answers: list[str] = []

    async def ask() -> None:
        while True:
            answers.append(await made.router.node_for("london-1"))
            await asyncio.sleep(0.002)

    task = asyncio.get_running_loop().create_task(ask())
    try:
        yield answers
    finally:
        assert not task.done(), task
        await cancel(task)


async def refused(made: Setting) -> dict[str, str]:
    async with httpx.AsyncClient(trust_env=False) as client:
        return dict((await client.get(f"{made.router.url}/healthz")).json()["places_refused"])


async def test_s5_a_database_is_swapped_under_load_and_a_bad_one_refused(tmp_path: Path) -> None:
    async with setting(tmp_path) as made, load(made) as answers:
        before = len(answers)
        cut = tmp_path / "cut"
        cut.write_bytes((tmp_path / "city.mmdb").read_bytes()[:300])
        cut.replace(tmp_path / "city.mmdb")

        async def is_refused() -> bool:
            return bool(await refused(made))

        await eventually(is_refused, within=10)
        assert set(answers[before:]) == {"london-1"}

        moved = {CLIENTS[name]: PLACES["tokyo-1"] for name in PLACES}
        # Enough of the world that it passes for a database.
        world = dict.fromkeys(
            ("1.0.0.0/8", "2.0.0.0/7", "4.0.0.0/6", "8.0.0.0/5", "16.0.0.0/4", "32.0.0.0/3"), (0.0, 1.0)
        )
        write_city_database(tmp_path / "next", moved | world)
        (tmp_path / "next").replace(tmp_path / "city.mmdb")

        async def has_moved() -> bool:
            return answers[-1] == "tokyo-1"

        await eventually(has_moved, within=10)
        assert await refused(made) == {}
        assert set(answers) == {"london-1", "tokyo-1"}
        first = answers.index("tokyo-1")
        assert set(answers[first:]) == {"tokyo-1"}  # no way back, no mixture


async def test_the_operators_file_is_read_anew_while_it_answers(tmp_path: Path) -> None:
    async with Outage(tmp_path, 3, 95) as outage:
        first, second, _ = outage.nodes
        await outage.until_answered_by(first)
        places = tmp_path / "places.toml"
        text = places.read_text()
        places.write_text(text.replace(f'node = "{first.node}"', f'node = "{second.node}"'))

        async def moved() -> bool:
            return await asyncio.to_thread(outage.answer_for, first) == second.address

        await eventually(moved, within=10)
        places.write_text(text.replace("node =", "nod ="))

        async def told() -> bool:
            async with httpx.AsyncClient(trust_env=False) as client:
                status = (await client.get(f"{outage.router.http}/healthz")).json()
            return "nod" in str(status["places_refused"])

        await eventually(told, within=10)
        assert await moved()
