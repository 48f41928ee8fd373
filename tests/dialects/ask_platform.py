"""Asks a program on its platform's local tool."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from tests.dialects.asking import ASKED, told
from tests.dialects.platforms import running


async def answers(name: str, folder: Path | None) -> list[dict[str, Any]]:
    """Return what the tool answers to everything that the program is asked."""
    found = []
    async with running(name, folder) as url, httpx.AsyncClient(timeout=20) as client:
        for ask in ASKED[name]:
            await asyncio.sleep(ask.after_s)
            reply = await client.request(ask.method, url + ask.path, headers=ask.headers, content=ask.content)
            found.append(told(reply))
    return found
