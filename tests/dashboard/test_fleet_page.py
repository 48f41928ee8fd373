"""The page over a real fleet of five regions that all tests here share: real etcd, control plane, router, nodes. None kills a part of it."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from nearhop.v1 import functions_pb2, functions_pb2_grpc, identity_pb2, routing_pb2, routing_pb2_grpc
from tests.dashboard.browser import DESKTOP, PHONE
from tests.dashboard.conftest import Watch
from tests.dashboard.process import Dashboard
from tests.harness.cluster import CLIENTS, ZONE, Cluster
from tests.harness.eventually import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

HOSTILE = "<img src=x onerror=alert(1)></text><script>alert(2)</script>\u202e'\"&"
COUNTRIES = {"tokyo": "JP", "london": "GB", "virginia": "US", "sydney": "AU", "saopaulo": "BR"}

Fleet = tuple[Cluster, Dashboard]
Visit = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def fleet(tmp_path_factory: pytest.TempPathFactory, geo_cache: Path) -> AsyncIterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    async with (
        Cluster(folder=folder, cache=geo_cache) as cluster,
        Dashboard(cluster, folder / "dashboard") as dashboard,
    ):
        for word in ("first", "second"):
            ran = await cluster.deploy_source("hello", worker(word))
            assert ran.status == 0, ran.stderr
        yield cluster, dashboard


@pytest_asyncio.fixture(loop_scope="session")
async def visit(fleet: Fleet, shared_browser: Browser, watch: Watch) -> AsyncIterator[Visit]:
    """Opens a path of the real dashboard, signed in unless told otherwise."""
    cluster, dashboard = fleet
    watch.hosts_allowed = {dashboard.url.split("/")[2].rpartition(":")[0]}
    async with contextlib.AsyncExitStack() as stack:

        async def visited(path: str = "/map", *, token: str | None = None, **options: Any) -> Page:
            context = await shared_browser.new_context(base_url=dashboard.url, **{"viewport": DESKTOP, **options})
            context.set_default_timeout(15_000)
            stack.push_async_callback(context.close)
            page = await context.new_page()
            watch.follow(page)
            shown = cluster.control_plane.token if token is None else token
            await page.goto(path + (f"#token={shown}" if shown else ""))
            return page

        yield visited


def worker(word: str) -> str:
    return f'export default {{ fetch() {{ return new Response("{word}"); }} }};'


def pin(page: Page, node: str) -> Any:
    return page.locator(f'.pin[data-node="{node}"]')


async def home(cluster: Cluster, region: str) -> str:
    """Return the node that a client in *region* is sent to."""
    (address, *_) = await cluster.router.resolve(f"hello.{ZONE}", subnet=CLIENTS[region])
    return cluster.node_for(address)


async def test_nodes_stand_on_the_map_with_region_health_and_load(fleet: Fleet, visit: Visit) -> None:
    page = await visit()
    await expect(page.locator(".pin")).to_have_count(5)
    for region in COUNTRIES:
        words = re.compile(f"{region}-1, region {region}: healthy, load \\d+ %")
        await expect(pin(page, f"{region}-1")).to_have_attribute("aria-label", words)
    tokyo, saopaulo = await pin(page, "tokyo-1").bounding_box(), await pin(page, "saopaulo-1").bounding_box()
    assert tokyo["x"] > saopaulo["x"]
    assert tokyo["y"] < saopaulo["y"]


async def test_flows_go_from_each_country_to_its_node(fleet: Fleet, visit: Visit) -> None:
    cluster, _ = fleet
    page = await visit()

    async def ask() -> None:
        for _ in range(600):
            for region in COUNTRIES:
                await cluster.router.resolve(f"hello.{ZONE}", subnet=CLIENTS[region])
            await asyncio.sleep(0.05)  # the clients' pace

    async with asyncio.TaskGroup() as group:
        clients = group.create_task(ask(), name="clients")
        for region, country in COUNTRIES.items():
            await expect(page.locator(f'[data-flow="{country} {region}-1"] .line')).to_be_attached()
        clients.cancel()


@pytest.mark.parametrize("region", COUNTRIES)
async def test_a_typed_address_is_decided_as_the_command_line_decides(fleet: Fleet, visit: Visit, region: str) -> None:
    cluster, _ = fleet
    told = (await cluster.run("route", "explain", CLIENTS[region], "--function", "hello", "--json")).json
    page = await visit(f"/map?ip={CLIENTS[region]}&function=hello")
    await expect(page.locator(".verdict")).to_have_text(f"goes to {region}-1")
    rows = await page.locator(".candidates li").evaluate_all(
        "rows => rows.map(row => [row.dataset.node, row.querySelector('.who .muted').textContent])"
    )
    assert rows == [[candidate["node"], candidate["reason"]] for candidate in told["candidates"]]


async def test_a_click_on_the_map_is_decided_as_the_api_decides(fleet: Fleet, visit: Visit) -> None:
    cluster, _ = fleet
    page = await visit()
    await expect(page.locator(".land")).to_have_attribute("d", re.compile("M"))
    box = await pin(page, "sydney-1").bounding_box()
    await page.mouse.click(box["x"] - 40, box["y"] - 10)
    await expect(page).to_have_url(re.compile(r"/map\?at=-\d+\.\d+,1\d\d\.\d+$"))
    await expect(page.locator(".verdict")).to_have_text("goes to sydney-1")
    latitude, longitude = map(float, page.url.partition("at=")[2].split(","))
    async with cluster.channel() as channel:
        told = await routing_pb2_grpc.RoutingStub(channel).Explain(
            routing_pb2.ExplainRequest(location={"latitude": latitude, "longitude": longitude})
        )
    shown = await page.locator(".candidates li").evaluate_all("rows => rows.map(row => row.dataset.node)")
    assert shown == [candidate.node for candidate in told.candidates]


async def test_a_city_is_found_by_its_name(visit: Visit) -> None:
    page = await visit()
    field = page.get_by_role("combobox", name=re.compile("Where would"))
    await field.fill("sao pau")
    await expect(page.get_by_role("option").first).to_have_text(re.compile("São Paulo.*Brazil"))
    await field.press("Enter")
    await expect(page.locator(".verdict")).to_have_text("goes to saopaulo-1")


async def test_a_drain_from_the_page_moves_the_clients(fleet: Fleet, visit: Visit) -> None:
    cluster, _ = fleet
    page = await visit("/nodes/tokyo-1")
    await page.get_by_role("button", name="Drain").click()
    await page.get_by_role("dialog").get_by_role("button", name="Drain").click()
    await expect(page.get_by_role("button", name="Uncordon")).to_be_visible()

    async def moved() -> bool:
        return await home(cluster, "tokyo") != "tokyo-1"

    async def back() -> bool:
        return await home(cluster, "tokyo") == "tokyo-1"

    await eventually(moved, within=5)
    await page.get_by_role("button", name="Uncordon").click()
    await eventually(back, within=5)


async def test_a_rollback_from_the_page_reaches_every_node(fleet: Fleet, visit: Visit) -> None:
    cluster, _ = fleet
    page = await visit("/functions/hello")
    row = page.locator("section[aria-label=Versions] tbody tr").filter(has=page.get_by_role("button", name="Roll back"))
    await row.first.get_by_role("button", name="Roll back").click()
    await page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    await expect(page.locator(".deployment")).to_contain_text(re.compile("Deployment 3.*complete", re.DOTALL))
    await expect(page.locator("tr.active")).to_contain_text("v1")
    answers = {(await cluster.get(node, "hello")).text for node in cluster.nodes}
    assert answers == {"first"}


async def test_a_viewer_is_refused_and_nothing_changes(fleet: Fleet, visit: Visit, watch: Watch) -> None:
    cluster, _ = fleet
    watch.allowed.append("403")  # the browser logs refused requests
    viewer = (await cluster.api_token(identity_pb2.API_ROLE_VIEWER)).secret
    page = await visit("/nodes/london-1", token=viewer)
    await page.get_by_role("button", name="Drain").click()
    await page.get_by_role("dialog").get_by_role("button", name="Drain").click()
    await expect(page.locator(".told")).to_contain_text("may not call")
    await expect(page.get_by_role("button", name="Drain")).to_be_disabled()
    assert not any(node.draining for node in await cluster.list_nodes())


async def test_who_has_no_token_sees_nothing_and_a_wrong_one_is_refused(
    fleet: Fleet, visit: Visit, watch: Watch
) -> None:
    cluster, _ = fleet
    watch.allowed.append("401")
    page = await visit("/nodes", token="")
    await expect(page.get_by_label("API token")).to_be_visible()
    assert "tokyo-1" not in await page.content()
    await page.get_by_label("API token").fill("nhp_guess_guess")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).not_to_be_empty()
    await page.get_by_label("API token").fill(cluster.control_plane.token)
    await page.keyboard.press("Enter")
    await expect(page.locator("table.nodes tbody tr")).to_have_count(5)
    stored = await page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
    assert cluster.control_plane.token not in stored


async def test_hostile_words_stay_text(fleet: Fleet, visit: Visit, tmp_path: Path) -> None:
    cluster, _ = fleet
    source = tmp_path / "odd.js"
    source.write_text(worker("odd"))
    ran = await cluster.run("deploy", source, "--name", "odd", "--message", HOSTILE)
    assert ran.status == 0, ran.stderr
    broken = tmp_path / "broken.js"
    broken.write_text(f"throw new Error({json.dumps(HOSTILE)}); export default {{ fetch() {{}} }};")
    assert (await cluster.run("deploy", broken, "--name", "odd")).status == 1
    page = await visit("/functions/odd")
    page.on("dialog", lambda _: pytest.fail("a hostile script ran"))
    await expect(page.locator("section[aria-label=Versions]")).to_contain_text("<script>alert(2)</script>")
    await page.goto("/events")
    await expect(page.locator(".event").first).to_contain_text("<script>alert(2)</script>")
    await page.goto("/map?at=1,2&label=" + "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    await expect(page.locator(".decision-side h2")).to_have_text("<img src=x onerror=alert(1)>")
    assert await page.locator("img, main script, .panel script").count() == 0
    async with cluster.channel() as channel:
        stub = functions_pb2_grpc.FunctionsStub(channel)
        await stub.DeleteFunction(functions_pb2.DeleteFunctionRequest(request_id="delete-odd", name="odd"))


async def test_events_come_by_themselves_newest_first(fleet: Fleet, visit: Visit) -> None:
    cluster, _ = fleet
    page = await visit("/events?kind=deploy_complete")
    await expect(page.locator(".event", has_text="hello").first).to_be_visible()
    ran = await cluster.deploy_source("later", worker("later"))
    assert ran.status == 0, ran.stderr
    await expect(page.locator(".event").first).to_contain_text("later")


async def test_a_node_s_page_tells_its_witnesses_and_sandboxes(fleet: Fleet, visit: Visit) -> None:
    page = await visit("/nodes/virginia-1")
    await expect(page.get_by_role("heading", level=1)).to_have_text("virginia-1")
    await expect(page.locator("main")).to_contain_text("r1")
    await expect(page.locator("main")).to_contain_text("hello")


async def test_a_phone_shows_it_without_sideways_scrolling(visit: Visit) -> None:
    for path in ("/map", "/functions/hello", "/nodes/tokyo-1", "/events"):
        page = await visit(path, viewport=PHONE)
        if path == "/map":
            await expect(page.locator(".pin")).to_have_count(5)
        else:
            await expect(page.locator(".loading")).to_have_count(0)
        widths = await page.evaluate(
            "[document.documentElement.scrollWidth, document.querySelector('main').scrollWidth]"
        )
        wide = await page.evaluate(
            "[...document.querySelectorAll('main *')].filter((element) => element.getBoundingClientRect().right > innerWidth + 1)"
            ".map((element) => element.outerHTML.slice(0, 200))"
        )
        assert max(widths) <= PHONE["width"], (path, wide)
