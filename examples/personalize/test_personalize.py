"""personalize on a real cluster: each country gets its own prices, and the page needs no script."""

from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness.cluster import CLIENTS, Cluster
from tests.harness.eventually import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="session")]

# A node without a cached country map derives it from the database when it starts, and serves meanwhile.
COUNTRIES_WITHIN_S = 90


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def deployed(shared_cluster: Cluster) -> Cluster:
    await shared_cluster.deploy(Path(__file__).parent)

    async def countries_known() -> bool:
        reply = await shared_cluster.get("tokyo-1", "personalize", client_ip=CLIENTS["tokyo"])
        return "ようこそ" in reply.text

    await eventually(countries_known, within=COUNTRIES_WITHIN_S, reason="the node knows no countries")
    return shared_cluster


@pytest.mark.parametrize(
    ("city", "language", "greeting", "sencha", "gyokuro"),
    [
        ("tokyo", "ja-JP", "ようこそ", "￥1,800", "￥4,500"),
        ("london", "en-GB", "Welcome", "£9.48", "£23.70"),
        ("saopaulo", "pt-BR", "Bem-vindo", "R$\xa064,80", "R$\xa0162,00"),
        ("sydney", "en-AU", "G'day", "$18.24", "$45.60"),
        ("virginia", "en-US", "Welcome", "$12.00", "$30.00"),
    ],
)
async def test_prices_by_country(
    deployed: Cluster, city: str, language: str, greeting: str, sencha: str, gyokuro: str
) -> None:
    reply = await deployed.get("tokyo-1", "personalize", client_ip=CLIENTS[city])
    assert (reply.status_code, reply.headers["content-language"]) == (200, language)
    assert reply.headers["cache-control"] == "private, no-store"
    assert f'<html lang="{language}">' in reply.text
    assert f'<h1 id="greeting">{greeting}</h1>' in reply.text
    assert f"Sencha <b>{sencha}</b>" in reply.text
    assert f"Gyokuro <b>{gyokuro}</b>" in reply.text
    assert "<script" not in reply.text


async def test_an_unknown_country_gets_the_page_as_it_is(deployed: Cluster) -> None:
    reply = await deployed.get("tokyo-1", "personalize", client_ip="192.0.2.1")
    assert "Sencha <b>$12.00</b>" in reply.text
