"""Packages of the platforms, from npm and unmodified: NextResponse of next/server, and @vercel/functions."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import pytest

from controlplane.bundle import UnusableSource, bundle, locate
from tests.dialects.asking import HERE
from tests.node.sandbox.guests import Boot, Booted, booting

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

CLIENT = {"x-nearhop-country": "JP", "x-real-ip": "203.0.113.9"}


@pytest.fixture
async def boot(tmp_path: Path, real: None) -> AsyncIterator[Boot]:
    async with booting(tmp_path) as boot:
        yield boot


async def started(boot: Boot) -> Booted:
    project = locate(HERE / "packages")
    try:
        made = await bundle(project)
    except UnusableSource as error:
        if "needs the network" in str(error):
            pytest.skip(f"npm's packages cannot be had: {error}")
        raise
    manifest = {
        "matchers": list(project.settings.matchers),
        "edge_routes": [asdict(route) for route in project.settings.edge_routes],
    }
    assert made.dialect.value == "vercel"
    return await boot(made.source.decode(), "vercel", manifest=manifest, region="tokyo")


async def test_next_server_and_vercel_functions(boot: Boot) -> None:
    guest = await started(boot)
    assert guest.error == ""
    moved = await guest.get("/old")
    assert (moved.status_code, moved.headers["location"]) == (307, "http://a.example.org:7480/api/hello")
    told = (await guest.get("/api/json", **CLIENT)).json()
    assert told == {"geo": {"country": "JP", "flag": "🇯🇵", "region": "tokyo"}, "ip": "203.0.113.9"}
    assert (await guest.get("/api/alias")).json() == {"path": "/api/hello", "user": None}
    passed = await guest.get("/api/hello")
    assert passed.json() == {"path": "/api/hello", "user": "ada"}
    assert passed.headers["set-cookie"] == "seen=1; Path=/"
    await guest.logged("logged")
    assert (await guest.get("/elsewhere")).status_code == 404
