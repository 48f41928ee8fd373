"""cron on a real cluster: the schedule is kept, on one node of the fleet."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness.cluster import Cluster
from tests.harness.eventually import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.timeout(180)
async def test_the_schedule_is_kept_once_in_the_fleet(shared_cluster: Cluster) -> None:
    await shared_cluster.deploy(Path(__file__).parent)

    async def runs() -> dict[str, list[Any]]:
        found = {}
        for node in shared_cluster.nodes:
            told = (await shared_cluster.get(node, "cron")).json()
            assert told["title"] == "Every minute"
            found[node] = told["runs"]
        return found

    async def ran() -> bool:
        return any((await runs()).values())

    await eventually(ran, within=90, reason="the schedule was not kept")
    all_runs = [run for node in (await runs()).values() for run in node]
    assert all(run["cron"] == "* * * * *" and run["items"] == 3 and run["at"].endswith(":00.000Z") for run in all_runs)
    assert len({run["at"] for run in all_runs}) == len(all_runs)  # no minute twice, on whatever nodes
