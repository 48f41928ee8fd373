"""What every pack of static files must be, whatever is in it: a zip archive that is whole, within bounds, and holds an index."""

import asyncio
import io
import zipfile

INDEX = "index.json"
_ENTRIES_MAX = 60_001
_UNPACKED_MAX_BYTES = 256 << 20


async def inspect(data: bytes) -> list[str]:
    """Say why *data* is no pack. It is read in a thread: a large one takes a while."""
    return await asyncio.to_thread(reasons, data)


def reasons(data: bytes) -> list[str]:
    """Say why *data* is no pack."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        return [f"is not a zip archive: {error}"]
    found = []
    if len(entries) > _ENTRIES_MAX:
        found.append(f"holds {len(entries):,} entries; at most {_ENTRIES_MAX:,} are allowed")
    if sum(entry.file_size for entry in entries) > _UNPACKED_MAX_BYTES:
        found.append(f"unpacks to more than {_UNPACKED_MAX_BYTES:,} bytes")
    if INDEX not in {entry.filename for entry in entries}:
        found.append(f"holds no {INDEX}")
    if any(entry.flag_bits & 0x1 for entry in entries):
        found.append("holds an encrypted entry")
    return found
