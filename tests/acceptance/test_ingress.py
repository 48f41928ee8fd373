"""The ingress of a whole node, with real programs behind it: the edge cache, purged and deployed over; hosts of versions; limits."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.harness.cluster import INGRESS_PORT, ZONE, Cluster
from tests.harness.eventually import eventually

pytestmark = pytest.mark.acceptance
CACHED = """
let calls = 0;
export default {
  fetch(request) {
    const url = new URL(request.url);
    return new Response(`%s ${++calls} ${url.host}`, { headers: { "cache-control": "public, s-maxage=600" } });
  },
};
"""


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with Cluster(["tokyo"], folder=tmp_path) as cluster:
        yield cluster


async def ask(cluster: Cluster, host: str, path: str = "/", **headers: str) -> httpx.Response:
    url = f"http://{cluster.nodes['tokyo-1'].address}:{INGRESS_PORT}{path}"
    return await cluster.http.get(url, headers={"host": host} | headers)


async def test_what_a_function_lets_be_kept_is_kept_until_it_is_deployed_again(cluster: Cluster) -> None:
    host = f"hello.{ZONE}"
    ran = await cluster.deploy_source("hello", CACHED % "one")
    assert ran.status == 0, ran.stderr
    told = [await ask(cluster, host) for _ in range(3)]
    assert [answer.headers["cache-status"] for answer in told] == ["nearhop; fwd=miss; stored"] + ["nearhop; hit"] * 2
    assert {answer.text for answer in told} == {f"one 1 {host}"}
    ran = await cluster.deploy_source("hello", CACHED % "two")
    assert ran.status == 0, ran.stderr
    answer = await ask(cluster, host)
    assert (answer.text, answer.headers["cache-status"]) == (f"two 1 {host}", "nearhop; fwd=miss; stored")


async def test_the_version_that_serves_has_a_host_of_its_own(cluster: Cluster) -> None:
    ran = await cluster.deploy_source("hello", 'export default { fetch() { return new Response("one"); } };')
    assert ran.status == 0, ran.stderr

    async def answers() -> bool:
        return (await ask(cluster, f"v1--hello.{ZONE}")).text == "one"

    await eventually(answers, within=5)
    assert (await ask(cluster, f"v2--hello.{ZONE}")).status_code == 404
