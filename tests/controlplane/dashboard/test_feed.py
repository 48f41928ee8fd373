"""A feed serves slow pages and goes when nobody listens."""

import asyncio
from typing import Any

import pytest

from controlplane.dashboard import feed as feed_module
from controlplane.dashboard.control import Caller, ControlPlanes
from controlplane.dashboard.feed import Feed, Feeds, TooManyPages
from nearhop import tasks
from tests.controlplane.dashboard.fake import FakeControlPlane
from tests.harness.eventually import eventually


@pytest.fixture
async def control(fake: FakeControlPlane) -> Any:
    control = ControlPlanes([fake.address], timeout_s=2)
    yield control
    await control.close()


async def test_a_page_that_falls_behind_gets_the_whole_state(fake: FakeControlPlane, control: ControlPlanes) -> None:
    feed = Feed(control, Caller(), interval_s=0.05)
    async with asyncio.TaskGroup() as group:
        running = tasks.spawn(group, feed.run(), name="feed")
        slow, quick = feed.page(), feed.page()
        assert (await anext(slow)).startswith("event: state\n")
        assert (await anext(quick)).startswith("event: state\n")
        for index in range(feed_module._MAILBOX_MAX + 20):
            await fake.happen(4, f"event {index}")
        async with asyncio.timeout(10):
            async for message in quick:
                if f"event {feed_module._MAILBOX_MAX + 19}" in message:
                    break
        assert (await anext(slow)).startswith("event: state\n")
        for page in (slow, quick):
            await page.aclose()  # type: ignore[attr-defined]
        await tasks.cancel(running)


async def test_pages_are_bounded(control: ControlPlanes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "SUBSCRIBERS_MAX", 1)
    feed = Feed(control, Caller(), interval_s=0.05)
    async with asyncio.TaskGroup() as group:
        running = tasks.spawn(group, feed.run(), name="feed")
        page, another = feed.page(), feed.page()
        await anext(page)
        with pytest.raises(TooManyPages):
            await anext(another)
        await page.aclose()  # type: ignore[attr-defined]
        await tasks.cancel(running)


async def test_an_idle_feed_ends_and_a_new_one_starts_on_demand(
    fake: FakeControlPlane, control: ControlPlanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "LINGER_S", 0.2)
    stop = asyncio.Event()
    feeds = Feeds(control, interval_s=0.05)
    async with asyncio.TaskGroup() as group:
        feeds.open(group, stop)
        feed = feeds.get(None)
        assert feeds.get(None) is feed
        assert len((await feed.state())["nodes"]) == 5

        async def ended() -> bool:
            return not feeds._feeds

        await eventually(ended, within=5)
        assert feeds.get(None) is not feed
        stop.set()
