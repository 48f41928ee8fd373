"""A fake control plane, a dashboard over it and a page that has opened its session."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.controlplane.dashboard.fake import FakeControlPlane
from tests.controlplane.dashboard.serving import Page, dashboard


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeControlPlane]:
    async with FakeControlPlane() as fake:
        yield fake


@pytest_asyncio.fixture
async def page(fake: FakeControlPlane) -> AsyncIterator[Page]:
    async with dashboard(fake.address) as url:
        page = Page(url)
        async with page.http:
            await page.open()
            yield page
