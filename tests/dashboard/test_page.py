"""The page in a real browser, over a control plane in memory: what a person sees, does and is refused."""

import re
import time
from typing import Any

import pytest
from playwright.async_api import Page, expect

from nearhop.v1 import nodes_pb2
from tests.controlplane.dashboard.fake import Event, FakeControlPlane
from tests.dashboard.browser import PHONE
from tests.dashboard.conftest import OpenPage, Watch

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="session")]
HOSTILE = "<img src=x onerror=alert(1)></text><script>alert(2)</script>\u202e\x1b[31m'\"&"


def pin(page: Page, node: str) -> Any:
    return page.locator(f'.pin[data-node="{node}"]')


async def test_nodes_stand_on_the_map_with_region_health_and_load(open_page: OpenPage) -> None:
    page = await open_page()
    await expect(page.locator(".pin")).to_have_count(5)
    await expect(pin(page, "tokyo-1")).to_have_attribute(
        "aria-label", re.compile("tokyo-1, region tokyo: healthy, load \\d+ %")
    )
    tokyo, saopaulo = await pin(page, "tokyo-1").bounding_box(), await pin(page, "saopaulo-1").bounding_box()
    assert tokyo["x"] > saopaulo["x"]
    assert tokyo["y"] < saopaulo["y"]
    await pin(page, "tokyo-1").click()
    await expect(page).to_have_url(re.compile(r"/map\?node=tokyo-1$"))
    await expect(page.get_by_role("complementary")).to_contain_text("hello v3")


async def test_flows_are_drawn_from_country_to_node_and_sized_by_volume(open_page: OpenPage) -> None:
    page = await open_page()
    great, small = page.locator('[data-flow="JP tokyo-1"] .line'), page.locator('[data-flow^="ZA "] .line')
    await expect(great).to_be_attached()
    await expect(small).to_be_attached()
    assert float(await great.get_attribute("stroke-width") or 0) > float(await small.get_attribute("stroke-width") or 9)


async def test_a_lost_node_changes_color_and_its_flows_move_within_3_s(
    open_page: OpenPage, fake: FakeControlPlane
) -> None:
    page = await open_page()
    await expect(page.locator('[data-flow="JP tokyo-1"]')).to_be_attached()
    before = await pin(page, "tokyo-1").locator(".shape").evaluate("shape => getComputedStyle(shape).fill")
    started = time.monotonic()
    await fake.set_health("tokyo-1", nodes_pb2.Node.HEALTH_UNHEALTHY, "r1 sees its ingress down: connection refused")
    await expect(pin(page, "tokyo-1")).to_have_attribute("data-health", "unhealthy", timeout=3000)
    await expect(page.locator('[data-flow="JP tokyo-1"]')).not_to_be_attached(timeout=3000)
    await expect(page.locator('[data-flow^="JP "]')).to_be_attached(timeout=3000)
    assert time.monotonic() - started < 3
    after = await pin(page, "tokyo-1").locator(".shape").evaluate("shape => getComputedStyle(shape).stroke")
    assert before != after
    shapes = {await pin(page, name).locator(".shape").get_attribute("d") for name in ("tokyo-1", "london-1")}
    assert len(shapes) == 2  # told apart without color


async def test_a_typed_address_shows_the_decision_with_every_candidate(open_page: OpenPage) -> None:
    page = await open_page()
    await page.keyboard.press("/")
    await page.keyboard.type("133.11.0.1")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(r"/map\?ip=133.11.0.1$"))
    await expect(page.locator(".verdict")).to_have_text("goes to tokyo-1")
    rows = page.locator(".candidates li")
    await expect(rows).to_have_count(5)
    await expect(rows.nth(0)).to_have_class("chosen")
    await expect(rows.nth(1)).to_contain_text(re.compile(r"eligible, but \d+ km farther than tokyo-1"))
    await expect(rows.nth(1)).to_contain_text(re.compile(r"[\d,]+ km$"))


async def test_a_click_on_the_map_asks_for_that_place(open_page: OpenPage, fake: FakeControlPlane) -> None:
    page = await open_page()
    await expect(page.locator(".land")).to_have_attribute("d", re.compile("M"))
    box = await pin(page, "sydney-1").bounding_box()
    await page.mouse.click(box["x"] - 40, box["y"] - 10)
    await expect(page).to_have_url(re.compile(r"/map\?at=-\d+\.\d+,1\d\d\.\d+$"))
    await expect(page.locator(".verdict")).to_have_text("goes to sydney-1")
    await expect(page.locator(".decision .chosen")).to_be_attached()


async def test_cities_and_countries_are_found_and_suggested(open_page: OpenPage) -> None:
    page = await open_page()
    field = page.get_by_role("combobox", name=re.compile("Where would"))
    await field.fill("sao pau")
    await expect(page.get_by_role("option").first).to_have_text(re.compile("São Paulo.*Brazil"))
    await field.press("Enter")
    await expect(page.locator(".verdict")).to_have_text("goes to saopaulo-1")
    await field.fill("japan")
    await field.press("Enter")
    await expect(page.locator(".verdict")).to_have_text("goes to tokyo-1")
    await expect(page).to_have_url(re.compile("country=JP"))


async def test_a_senseless_client_is_told_so(open_page: OpenPage, watch: Watch) -> None:
    watch.allowed.append("400")  # the browser logs refused requests
    page = await open_page("/map?ip=nonsense")
    await expect(page.get_by_role("alert")).to_contain_text("does not appear to be an IPv4 or IPv6 address")


async def test_the_decision_follows_the_fleet(open_page: OpenPage, fake: FakeControlPlane) -> None:
    page = await open_page("/map?ip=133.11.0.1")
    await expect(page.locator(".verdict")).to_have_text("goes to tokyo-1")
    await fake.set_health("tokyo-1", nodes_pb2.Node.HEALTH_UNHEALTHY, "down: probes of its ingress fail")
    await expect(page.locator(".verdict")).to_have_text("goes to sydney-1", timeout=3000)
    await expect(page.locator('.candidates [data-node="tokyo-1"]')).to_contain_text("down: probes of its ingress fail")


async def test_drains_and_uncordons_from_the_page(open_page: OpenPage, fake: FakeControlPlane) -> None:
    page = await open_page("/map?node=london-1")
    await page.get_by_role("button", name="Drain").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert not fake.nodes["london-1"].draining
    await page.get_by_role("button", name="Drain").click()
    await page.get_by_role("dialog").get_by_role("button", name="Drain").click()
    await expect(pin(page, "london-1")).to_have_attribute("data-health", "draining")
    assert fake.nodes["london-1"].draining
    await page.get_by_role("button", name="Uncordon").click()
    await expect(pin(page, "london-1")).to_have_attribute("data-health", "healthy")
    assert fake.calls.count("DrainNode") == 1


async def test_rolls_back_from_the_page_and_shows_its_progress(open_page: OpenPage, fake: FakeControlPlane) -> None:
    fake.deploy_takes_s = 2.0
    page = await open_page("/functions")
    await page.get_by_role("link", name="hello").click()
    await expect(page.locator("tr.active")).to_contain_text("v3")
    await page.locator("tr", has_text="change 2").get_by_role("button", name="Roll back").click()
    await page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    await expect(page.locator(".deployment")).to_contain_text("in progress")
    await expect(page.get_by_role("progressbar")).to_have_text(re.compile("[1-4] of 5 nodes"))
    await expect(page.locator(".deployment")).to_contain_text("complete")
    await expect(page.locator("tr.active")).to_contain_text("v2")
    assert fake.functions["hello"].active_version == 2


async def test_signs_in_with_a_token(open_page: OpenPage, tokens: FakeControlPlane, watch: Watch) -> None:
    watch.allowed.append("401")
    page = await open_page("/nodes")
    await page.get_by_label("API token").fill("guess")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_have_text("an API token is required")
    await page.get_by_label("API token").fill("admin-token")
    await page.keyboard.press("Enter")
    await expect(page.locator("table.nodes tbody tr")).to_have_count(5)
    stored = await page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
    assert "admin-token" not in stored
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("API token")).to_be_visible()


async def test_a_link_may_bring_the_token(open_page: OpenPage, tokens: FakeControlPlane) -> None:
    page = await open_page("/nodes#token=admin-token")
    await expect(page.locator("table.nodes tbody tr")).to_have_count(5)
    assert await page.evaluate("location.href.includes('token')") is False


async def test_a_viewer_is_refused_and_then_not_offered(
    open_page: OpenPage, tokens: FakeControlPlane, watch: Watch
) -> None:
    watch.allowed.append("403")
    page = await open_page("/nodes/tokyo-1")
    await page.get_by_label("API token").fill("viewer-token")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Drain").click()
    await page.get_by_role("dialog").get_by_role("button", name="Drain").click()
    await expect(page.locator(".told")).to_contain_text("Refused: this token may look, not act")
    await expect(page.get_by_role("button", name="Drain")).to_be_disabled()
    assert not tokens.nodes["tokyo-1"].draining
    await page.goto("/functions/hello")


async def test_hostile_names_stay_text(open_page: OpenPage, fake: FakeControlPlane) -> None:
    fake.add_node(HOSTILE, "tokyo", at=(10.0, 10.0))
    fake.nodes[HOSTILE].region = HOSTILE
    fake.nodes[HOSTILE].health_reason = HOSTILE
    fake.add_function(HOSTILE, versions=2, message=HOSTILE)
    await fake.happen(Event.KIND_DEPLOY_FAILED, HOSTILE, function=HOSTILE, node=HOSTILE, actor=HOSTILE)
    page = await open_page()
    page.on("dialog", lambda _: pytest.fail("a script of a hostile name ran"))
    await expect(page.locator(".pin")).to_have_count(6)
    await page.locator(".node-row", has_text="<img").click()
    await expect(page.locator(".node-side h2")).to_have_text(HOSTILE)
    await page.get_by_role("link", name="Details").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    await page.goto("/functions")
    await page.get_by_role("link", name="<img").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    await expect(page.locator("section[aria-label=Versions]")).to_contain_text("<script>alert(2)</script>")
    await page.goto("/events")
    await expect(page.locator(".event").first).to_contain_text("<script>alert(2)</script>")
    await page.goto("/map?at=1,2&label=" + "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    await expect(page.locator(".decision-side h2")).to_have_text("<img src=x onerror=alert(1)>")
    assert await page.locator("img, main script, .panel script").count() == 0


async def test_an_unreachable_control_plane_leaves_the_last_state_with_its_age(
    open_page: OpenPage, fake: FakeControlPlane
) -> None:
    page = await open_page()
    await expect(page.locator(".status")).to_have_text("live")
    await fake.stop()
    await expect(page.locator(".banner")).to_have_text(re.compile("Control plane unreachable, state of [1-9] s ago"))
    await expect(page.locator(".pin")).to_have_count(5)
    await expect(page.locator(".flow")).to_have_count(0)
    await fake.start()
    await expect(page.locator(".banner")).to_be_hidden()
    await expect(page.locator(".status")).to_have_text("live")


async def test_an_empty_fleet_says_so(open_page: OpenPage, fake: FakeControlPlane) -> None:
    fake.nodes.clear()
    fake.functions.clear()
    page = await open_page()
    await expect(page.locator(".map-note")).to_have_text("No node has joined yet.")
    for path, words in {
        "/nodes": "No node has joined yet.",
        "/functions": "No function is deployed yet.",
        "/events": "Nothing has happened yet.",
    }.items():
        await page.goto(path)
        await expect(page.locator(".page .empty").first).to_contain_text(words)


async def test_events_arrive_by_themselves_newest_first(open_page: OpenPage, fake: FakeControlPlane) -> None:
    await fake.happen(Event.KIND_NODE_JOINED, "first", node="tokyo-1")
    page = await open_page("/events")
    await expect(page.locator(".event")).to_have_count(1)
    await fake.happen(Event.KIND_DEPLOY_COMPLETE, "second", function="hello", version=3)
    await expect(page.locator(".event").first).to_contain_text("deploy complete")
    await page.get_by_label("Kind").select_option("node_joined")
    await expect(page).to_have_url(re.compile(r"kind=node_joined$"))
    await expect(page.locator(".event")).to_have_count(1)


async def test_the_back_button_and_a_reload_keep_the_view(open_page: OpenPage) -> None:
    page = await open_page("/nodes")
    await page.get_by_role("link", name="tokyo-1").click()
    await page.keyboard.press("1")
    await expect(page).to_have_url(re.compile("/map$"))
    await page.go_back()
    await expect(page.get_by_role("heading", level=1)).to_have_text("tokyo-1")
    await page.reload()
    await expect(page.get_by_role("heading", level=1)).to_have_text("tokyo-1")
    await expect(page).to_have_title("tokyo-1 · Nearhop")


async def test_everything_can_be_done_from_the_keyboard(open_page: OpenPage, fake: FakeControlPlane) -> None:
    page = await open_page()
    await expect(page.locator(".pin")).to_have_count(5)
    await pin(page, "tokyo-1").focus()
    await page.keyboard.press("Enter")
    button = page.get_by_role("button", name="Drain")
    await button.focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Uncordon")).to_be_visible()
    assert fake.nodes["tokyo-1"].draining
    await page.keyboard.press("Escape")
    await expect(page).to_have_url(re.compile("/map$"))


@pytest.mark.parametrize(
    "path", ["/map", "/map?ip=133.11.0.1", "/functions", "/functions/hello", "/nodes", "/nodes/tokyo-1", "/events"]
)
async def test_a_phone_shows_it_without_sideways_scrolling(
    open_page: OpenPage, fake: FakeControlPlane, path: str
) -> None:
    await fake.happen(Event.KIND_DEPLOY_FAILED, "refused by tokyo-1: " + "x" * 90, function="hello", version=3)
    page = await open_page(path, viewport=PHONE)
    await expect(page.locator(".loading")).to_have_count(0) if path != "/map" else await expect(
        page.locator(".pin")
    ).to_have_count(5)
    widths = await page.evaluate("[document.documentElement.scrollWidth, document.querySelector('main').scrollWidth]")
    assert max(widths) <= PHONE["width"]
    await expect(page.get_by_role("navigation")).to_be_in_viewport()


async def test_dark_follows_the_system_and_can_be_chosen(open_page: OpenPage) -> None:
    page = await open_page(color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert await page.evaluate(ground) == "rgb(13, 17, 22)"
    theme = page.get_by_role("button", name="Theme")
    await theme.click()
    assert await page.evaluate(ground) == "rgb(244, 245, 247)"
    await page.reload()
    await expect(theme).to_have_text("Theme: light")
    assert await page.evaluate(ground) == "rgb(244, 245, 247)"


async def test_the_geo_datas_makers_are_named(open_page: OpenPage) -> None:
    page = await open_page()
    for words in ("DB-IP, CC BY 4.0", "GeoNames, CC BY 4.0", "Natural Earth"):
        await expect(page.locator(".credit")).to_contain_text(words)
