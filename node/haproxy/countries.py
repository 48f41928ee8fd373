"""Where the country map of a City database is cached, and the process that builds it."""

import asyncio
import hashlib
import sys
from pathlib import Path

import maxminddb

from nearhop import children
from nearhop.errors import NearhopError

_FORMAT = 3  # of the map's text; a new one makes new files


class CountryMapError(NearhopError):
    """The country map could not be built; the ingress goes on without countries."""


def cached(database: Path, cache_dir: Path) -> Path:
    """Return where the map of *database* is or will be: the same for every node on the machine. Raises CountryMapError."""
    try:
        with maxminddb.open_database(database, maxminddb.MODE_MMAP_EXT) as reader:
            epoch = reader.metadata().build_epoch
        key = f"{epoch}-{database.stat().st_size}-{_FORMAT}"
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise CountryMapError(f"{database} is not a geo database: {error}") from error
    return cache_dir / f"countries-{hashlib.sha256(key.encode()).hexdigest()[:16]}.map"


async def build(database: Path, out: Path) -> None:
    """Make *out*, or wait until another process has made it. Raises CountryMapError."""
    process = await children.spawn(
        [sys.executable, "-m", "node.haproxy.country_build", database, out], stderr=asyncio.subprocess.PIPE
    )
    try:
        _, errors = await process.communicate()
    except asyncio.CancelledError:
        await children.stop(process, grace_s=0)
        raise
    if process.returncode != 0:
        last = errors.decode(errors="replace").strip().splitlines()[-1:]
        raise CountryMapError(f"building the country map failed: {''.join(last) or process.returncode}")
