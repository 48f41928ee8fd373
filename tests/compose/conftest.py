"""The one fleet that these tests share: brought up by the command that the README names, and ended after them. A test that breaks it mends it."""

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose import fleet


@pytest.fixture(scope="session")
def compose_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Build the image, start every part, wait until all are healthy, and deploy a first version."""
    folder = tmp_path_factory.mktemp("source")
    asyncio.run(_refuse_a_fleet_in_use())
    try:
        asyncio.run(_bring_up(folder))
        yield
    finally:
        asyncio.run(fleet.must("make", "compose-down", "PURGE=1"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured beside the bounds that were asserted."""
    if fleet.FIGURES:
        terminalreporter.section("bounds")
        for text in fleet.FIGURES:
            terminalreporter.write_line(text)


async def _refuse_a_fleet_in_use() -> None:
    there = await fleet.docker("ps", "--all", "--filter", "label=com.docker.compose.project=nearhop", "--quiet")
    assert not there, "a fleet is here already, and these tests would break it: make compose-down PURGE=1"


async def _bring_up(folder: Path) -> None:
    begin = time.monotonic()
    await fleet.must("make", "compose-up", within=420)
    started = time.monotonic()
    try:
        await fleet.log_in(folder)
        await fleet.all_healthy()
        deployed = await fleet.deploy(folder, "first")
        assert deployed.status == 0, deployed.stderr
    except BaseException:
        for part in ("init", "join", *fleet.PARTS):
            logs = await fleet.run("docker", "logs", "--tail", "20", fleet.container(part))
            sys.stderr.write(f"--- {part}\n{logs.stdout}{logs.stderr}")
        raise
    fleet.figure(
        f"make compose-up: {started - begin:.1f} s; a first function on every node {time.monotonic() - started:.1f} s later"
    )
