"""A browser's page on a dashboard over a fake control plane. Every test fails on a console error and on any request to another host."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page

from tests.controlplane.dashboard.fake import FakeControlPlane
from tests.controlplane.dashboard.serving import dashboard
from tests.dashboard.browser import DESKTOP, chromium

OpenPage = Callable[..., Awaitable[Page]]


class Watch:
    """What a page must not do; *allowed* are console texts that the test provokes on purpose."""

    def __init__(self) -> None:
        self.allowed: list[str] = []
        self.console: list[str] = []
        self.hosts: set[str] = set()
        self.hosts_allowed = {"127.0.0.1"}

    def follow(self, page: Page) -> None:
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.console.append(f"uncaught: {error}"))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or request.url))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(text in message.text for text in self.allowed):
            self.console.append(f"{message.type}: {message.text}")

    def judge(self) -> None:
        assert self.console == []
        assert self.hosts <= self.hosts_allowed, self.hosts


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    """A browser for one test, in the test's own loop."""
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_browser() -> AsyncIterator[Browser]:
    """One browser for all tests that run in the session's loop; each opens contexts of its own."""
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def fake() -> AsyncIterator[FakeControlPlane]:
    async with FakeControlPlane() as fake:
        yield fake


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    watch.judge()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(shared_browser: Browser, fake: FakeControlPlane, watch: Watch) -> AsyncIterator[OpenPage]:
    """Opens a path of the dashboard in a fresh context; keyword arguments are the context's."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(dashboard(fake.address))

        async def open_at(path: str = "/map", **options: object) -> Page:
            context = await shared_browser.new_context(base_url=url, **{"viewport": DESKTOP, **options})  # type: ignore[arg-type]
            context.set_default_timeout(8000)
            stack.push_async_callback(context.close)
            page = await context.new_page()
            watch.follow(page)
            await page.goto(path)
            return page

        yield open_at


@pytest.fixture
def tokens(fake: FakeControlPlane) -> FakeControlPlane:
    """The same control plane, wanting tokens."""
    fake.tokens = {"admin-token": "admin", "viewer-token": "viewer"}
    return fake
