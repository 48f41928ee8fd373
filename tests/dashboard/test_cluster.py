"""The page over a real cluster: real nodes, a real router, a real control plane; what the page says is what the command line says."""

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.dashboard.browser import DESKTOP
from tests.dashboard.conftest import Watch
from tests.dashboard.process import Dashboard
from tests.harness.cluster import CLIENTS, Cluster
from tests.harness.eventually import eventually

pytestmark = pytest.mark.acceptance


def worker(word: str) -> str:
    return f'export default {{ fetch() {{ return new Response("{word}"); }} }};'


@pytest_asyncio.fixture
async def page(cluster: Cluster, browser: Browser, watch: Watch, tmp_path: Path) -> AsyncIterator[Page]:
    async with Dashboard(cluster, tmp_path / "dashboard") as dashboard:
        watch.hosts_allowed = {dashboard.url.split("/")[2].rpartition(":")[0]}
        context = await browser.new_context(base_url=dashboard.url, viewport=DESKTOP)  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        page = await context.new_page()
        watch.follow(page)
        yield page
        await context.close()


def pin(page: Page, node: str, health: str) -> str:
    return f'.pin[data-node="{node}"][data-health="{health}"]'


async def test_the_page_says_and_does_what_the_command_line_does(cluster: Cluster, page: Page) -> None:
    for word in ("first", "second"):
        ran = await cluster.deploy_source("hello", worker(word))
        assert ran.status == 0, ran.stderr
    await page.goto("/map")
    for node in cluster.nodes:
        await expect(page.locator(pin(page, node, "healthy"))).to_be_attached()

    for region, client in CLIENTS.items():
        told = (await cluster.run("route", "explain", client, "--function", "hello", "--json")).json
        await page.goto(f"/map?ip={client}&function=hello")
        await expect(page.locator(".verdict")).to_have_text(f"goes to {region}-1")
        rows = await page.locator(".candidates li").evaluate_all(
            "rows => rows.map(row => [row.dataset.node, row.querySelector('.who .muted').textContent])"
        )
        assert rows == [[candidate["node"], candidate["reason"]] for candidate in told["candidates"]]

    await page.goto("/map?at=-30,150")
    await expect(page.locator(".verdict")).to_have_text("goes to sydney-1")

    await page.goto("/nodes/tokyo-1")
    await page.get_by_role("button", name="Drain").click()
    await page.get_by_role("dialog").get_by_role("button", name="Drain").click()
    await expect(page.get_by_role("button", name="Uncordon")).to_be_visible()

    async def answers() -> str:
        return cluster.node_for((await cluster.router.resolve("hello.nearhop.test", subnet=CLIENTS["tokyo"]))[0])

    async def moved() -> bool:
        return await answers() != "tokyo-1"

    async def back() -> bool:
        return await answers() == "tokyo-1"

    await eventually(moved, within=3)
    await page.get_by_role("button", name="Uncordon").click()
    await eventually(back, within=3)

    await page.goto("/functions/hello")
    await page.get_by_role("button", name="Roll back").click()
    await page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    await expect(page.locator(".deployment")).to_contain_text(re.compile("Deployment 3.*complete", re.DOTALL))
    await expect(page.locator("tr.active")).to_contain_text("v1")
    for node in cluster.nodes:
        assert (await cluster.get(node, "hello")).text == "first"


async def test_a_killed_node_shows_within_3_s_and_a_killed_control_plane_with_its_age(
    cluster: Cluster, page: Page
) -> None:
    await page.goto("/map?ip=" + CLIENTS["tokyo"])
    await expect(page.locator(".verdict")).to_have_text("goes to tokyo-1")
    await expect(page.locator(pin(page, "tokyo-1", "healthy"))).to_be_attached()
    started = time.monotonic()
    await cluster.nodes["tokyo-1"].kill()
    await expect(page.locator(pin(page, "tokyo-1", "unhealthy"))).to_be_attached()
    await expect(page.locator(".verdict")).to_have_text("goes to sydney-1")
    took = time.monotonic() - started
    print(f"a killed node was shown after {took:.2f} s")
    assert took < 3

    await cluster.control_plane.kill()
    await expect(page.locator(".banner")).to_have_text(re.compile(r"Control plane unreachable, state of \d+ s ago"))
    await expect(page.locator(".pin")).to_have_count(5)
    await cluster.control_plane.start()
    await expect(page.locator(".banner")).to_be_hidden()
    await expect(page.locator(pin(page, "london-1", "healthy"))).to_be_attached()
