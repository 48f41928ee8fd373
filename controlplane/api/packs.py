"""Judging packs of static files without keeping the server from its other work."""

import asyncio

from controlplane.bundle import validate_pack


async def inspect(data: bytes) -> list[str]:
    """Say why *data* is no pack. It is read in a thread: a large one takes a while."""
    return await asyncio.to_thread(validate_pack, data)
