"""one-program on a real cluster: three forms, one answer."""

from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness.cluster import CLIENTS, Cluster
from tests.harness.eventually import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="session")]

HERE = Path(__file__).parent
FORMS = ("workers", "vercel", "deno")
COUNTRIES_WITHIN_S = 90


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def deployed(shared_cluster: Cluster) -> Cluster:
    for form in FORMS:
        ran = await shared_cluster.run("deploy", HERE / form, "--name", f"hello-{form}")
        assert ran.status == 0, ran.stdout + ran.stderr

    async def countries_known() -> bool:
        reply = await shared_cluster.get("tokyo-1", "hello-deno", "/api/hello", client_ip=CLIENTS["tokyo"])
        return bool(reply.json()["country"] == "JP")

    await eventually(countries_known, within=COUNTRIES_WITHIN_S, reason="the node knows no countries")
    return shared_cluster


@pytest.mark.parametrize("city", ["tokyo", "saopaulo"])
async def test_the_three_forms_answer_alike(deployed: Cluster, city: str) -> None:
    replies = [
        await deployed.get("tokyo-1", f"hello-{form}", "/api/hello?name=Ada%20L", client_ip=CLIENTS[city])
        for form in FORMS
    ]
    country = {"tokyo": "JP", "saopaulo": "BR"}[city]
    assert [reply.json() for reply in replies] == [
        {"greeting": "Hello, Ada L", "country": country, "method": "GET"}
    ] * 3
    assert {reply.headers["content-type"] for reply in replies} == {"application/json"}


async def test_where_nothing_is_there_is_nothing(deployed: Cluster) -> None:
    assert {(await deployed.get("tokyo-1", f"hello-{form}", "/other")).status_code for form in FORMS} == {404}
