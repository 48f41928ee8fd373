"""What is recorded in answers/ is what the platforms' local tools answer today: real workerd, edge-runtime and Deno."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.dialects.ask_platform import answers
from tests.dialects.asking import ASKED, HERE
from tests.dialects.platforms import Missing, install
from tests.dialects.routing_rules import RECORDED, read_by_vercel

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def packages() -> Path:
    try:
        return asyncio.run(install())
    except Missing as error:
        pytest.skip(f"the platforms' local tools are not here: {error}")


def _recorded(name: str) -> object:
    return json.loads((HERE / "answers" / f"{name}.json").read_text())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [name for name in ASKED if not name.startswith("deno/")])
def test_npm_s_tools_answer_as_recorded(packages: Path, name: str) -> None:
    assert asyncio.run(answers(name, packages)) == _recorded(name)


@pytest.mark.parametrize("name", [name for name in ASKED if name.startswith("deno/")])
async def test_deno_answers_as_recorded(name: str) -> None:
    assert await answers(name, None) == _recorded(name)


@pytest.mark.timeout(300)
def test_vercel_s_package_reads_rules_as_recorded(packages: Path) -> None:
    assert asyncio.run(read_by_vercel(packages)) == json.loads(RECORDED.read_text())
