"""hello-geo on a real cluster: the nearest region greets, and the country is the client's."""

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
        replies = [
            await shared_cluster.get(node, "hello-geo", client_ip=CLIENTS["tokyo"]) for node in shared_cluster.nodes
        ]
        return all("(JP)" in reply.text for reply in replies)

    await eventually(countries_known, within=COUNTRIES_WITHIN_S, reason="the nodes know no countries")
    return shared_cluster


@pytest.mark.parametrize(
    ("city", "region", "country"),
    [
        ("tokyo", "tokyo", "Japan (JP)"),
        ("sydney", "tokyo", "Australia (AU)"),
        ("london", "london", "United Kingdom (GB)"),
        ("saopaulo", "london", "Brazil (BR)"),
    ],
)
async def test_the_nearest_region_greets_with_the_clients_country(
    deployed: Cluster, city: str, region: str, country: str
) -> None:
    reply = await deployed.fetch("hello-geo", CLIENTS[city])
    assert reply.status_code == 200
    assert reply.text == f"Hello from {region}! You seem to be in {country}.\n"
    assert reply.headers["x-nearhop-region"] == region
    assert reply.headers["cache-control"] == "no-store"


async def test_an_address_without_a_country_is_greeted_too(deployed: Cluster) -> None:
    reply = await deployed.get("london-1", "hello-geo", client_ip="192.0.2.1")
    assert reply.text == "Hello from london! You seem to be in a country that I cannot tell.\n"


async def test_a_client_cannot_choose_what_the_platform_tells(deployed: Cluster) -> None:
    forged = {"x-nearhop-country": "BR", "x-nearhop-region": "mars"}
    reply = await deployed.get("tokyo-1", "hello-geo", headers=forged, client_ip=CLIENTS["london"])
    assert reply.text == "Hello from tokyo! You seem to be in United Kingdom (GB).\n"
