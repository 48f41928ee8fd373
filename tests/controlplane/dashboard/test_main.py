"""The process: starts, says what is wrong when it cannot, stops cleanly with a page listening."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest

from nearhop import children
from tests.controlplane.dashboard.fake import FakeControlPlane
from tests.harness.eventually import eventually

pytestmark = pytest.mark.acceptance


async def run(folder: Path, text: str) -> asyncio.subprocess.Process:
    path = folder / "dashboard.toml"
    path.write_text(text, encoding="utf-8")
    return await children.spawn(
        [sys.executable, "-m", "controlplane.dashboard", "--config", path], stderr=asyncio.subprocess.PIPE
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("listen = '127.0.0.1:0'", "control_planes"),
        ("control_planes = ['127.0.0.1:1']\nlisten = 'nowhere'", "listen"),
        ("control_planes = ['127.0.0.1:1']\nlisten = '127.0.0.1:99999'", "not a port"),
        ("control_planes = ['127.0.0.1:1']\nliste = '127.0.0.1:0'", "liste"),
        ("control_planes = [", "TOML"),
    ],
)
async def test_a_wrong_configuration_is_named_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    process = await run(tmp_path, text)
    _, error = await process.communicate()
    assert process.returncode == 3
    assert words in error.decode()
    assert len(error.decode().splitlines()) == 1


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process = await run(tmp_path, f"listen = '{address}'\ncontrol_planes = ['127.0.0.1:1']")
        _, error = await process.communicate()
    assert process.returncode == 3
    assert address in error.decode()


async def test_stops_cleanly_while_a_page_listens(tmp_path: Path, fake: FakeControlPlane) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    process = await run(tmp_path, f"listen = '{address}'\ncontrol_planes = ['{fake.address}']")
    async with httpx.AsyncClient(base_url=f"http://{address}", timeout=10) as http:

        async def ready() -> bool:
            try:
                return (await http.get("/healthz")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(ready, within=15)
        await http.get("/api/session")
        async with http.stream("GET", "/api/stream") as reply:
            lines = reply.aiter_lines()
            assert await anext(lines) == "event: state"
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(5):
                async for _ in lines:
                    pass
    async with asyncio.timeout(5):
        assert await process.wait() == 0
    assert process.stderr is not None
    log = (await process.stderr.read()).decode()
    assert "Traceback" not in log
