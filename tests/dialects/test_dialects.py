"""Programs in each platform's documented idioms, unmodified: our answers are those that the platform's local tool has given (answers/).

`python -m tests.dialects.record` asks the tools anew; test_platforms.py compares them with what is recorded.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.dialects.asking import ASKED, ENV, HERE, source, told
from tests.node.sandbox.guests import Boot, booting


@pytest.fixture
async def boot(tmp_path: Path, real: None) -> AsyncIterator[Boot]:
    async with booting(tmp_path) as boot:
        yield boot


@pytest.mark.parametrize("name", ASKED)
async def test_the_answers_are_the_platform_s(boot: Boot, name: str) -> None:
    recorded = json.loads((HERE / "answers" / f"{name}.json").read_text())
    guest = await boot(source(name).read_text(), name.partition("/")[0], env=ENV)
    assert guest.error == ""
    answers = []
    for ask in ASKED[name]:
        await asyncio.sleep(ask.after_s)
        reply = await guest.send(ask.method, ask.path, headers=ask.headers, content=ask.content)
        assert isinstance(reply, httpx.Response)
        answers.append(told(reply))
    assert answers == recorded


def test_every_program_is_asked() -> None:
    programs = {path.relative_to(HERE).with_suffix("").as_posix() for path in HERE.glob("*/*.js")}
    assert programs == set(ASKED)
    assert min(sum(name.startswith(f"{dialect}/") for name in ASKED) for dialect in ("workers", "vercel", "deno")) >= 10
