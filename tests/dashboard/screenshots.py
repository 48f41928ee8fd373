"""Makes the README's screenshots: python -m tests.dashboard.screenshots [--url URL] [--token TOKEN] [--out FOLDER].

With --url it shows that dashboard's fleet; without, a fleet in memory. Look at them before you commit them.
"""

import argparse
import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, expect

from nearhop.v1 import nodes_pb2
from tests.controlplane.dashboard.fake import Event, FakeControlPlane
from tests.controlplane.dashboard.serving import dashboard
from tests.dashboard.browser import DESKTOP, PHONE, chromium

OUT = Path(__file__).parents[2] / "docs" / "images"


@dataclass(frozen=True)
class Shot:
    name: str
    path: str
    ready: str  # a selector that is there when the view has drawn itself
    dark: bool = False
    phone: bool = False


SHOTS = [
    Shot("map", "/map", ".flow"),
    Shot("map-dark", "/map", ".flow", dark=True),
    Shot("decision", "/map?at=25.2,55.27&country=AE&label=Dubai", ".candidates li"),
    Shot("function", "/functions/hello", "section[aria-label=Versions] tbody tr"),
    Shot("nodes-dark", "/nodes", "table.nodes tbody tr", dark=True),
    Shot("phone", "/map", ".flow", phone=True),
]


async def main(url: str, token: str, out: Path) -> None:
    """Take every shot into *out*."""
    async with AsyncExitStack() as stack:
        if not url:
            url = await stack.enter_async_context(dashboard((await stack.enter_async_context(await a_fleet())).address))
        browser = await stack.enter_async_context(chromium())
        for shot in SHOTS:
            await take(browser, shot, url, token, out / f"dashboard-{shot.name}.png")
            print(out / f"dashboard-{shot.name}.png")


async def take(browser: Browser, shot: Shot, url: str, token: str, path: Path) -> None:
    context = await browser.new_context(
        viewport=PHONE if shot.phone else DESKTOP,  # type: ignore[arg-type]
        color_scheme="dark" if shot.dark else "light",
        device_scale_factor=2,
        reduced_motion="reduce",
    )
    page = await context.new_page()
    await page.goto(f"{url.rstrip('/')}{shot.path}" + (f"#token={token}" if token else ""))
    await expect(page.locator(".status")).to_have_text("live", timeout=15_000)
    await page.locator(shot.ready).first.wait_for(state="attached", timeout=15_000)
    await page.wait_for_timeout(1200)  # a second reading, so that rates are known
    await page.screenshot(path=path)
    await context.close()


async def a_fleet() -> FakeControlPlane:
    fake = FakeControlPlane(10, 6)
    await fake.happen(Event.KIND_DEPLOY_COMPLETE, "every connected node serves it", function="hello", version=3)
    await fake.set_health("saopaulo-1", nodes_pb2.Node.HEALTH_UNHEALTHY, "r1 sees its ingress down: connection refused")
    return fake


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="")
    parser.add_argument("--token", default="")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(given.url, given.token, given.out))
