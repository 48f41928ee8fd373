"""Which shared objects a program needs, asked of its own dynamic loader."""

import re
import struct
import subprocess
from pathlib import Path

_LISTED = re.compile(r"^\s*(?:(\S+) => )?(/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)
_PT_INTERP = 3


def needed(program: Path) -> dict[str, str]:
    """Return the paths that *program* opens when it starts, and where each is; nothing for a static one. Raises OSError."""
    loader = interpreter(program)
    if loader is None:
        return {}
    listed = subprocess.run([loader, "--list", program], capture_output=True, text=True, timeout=20, check=False)
    if listed.returncode != 0:
        raise OSError(f"{loader} cannot list what {program} needs: {listed.stderr.strip()[:200]}")
    return {loader: loader} | {path: path for _, path in _LISTED.findall(listed.stdout)}


def interpreter(program: Path) -> str | None:
    """Return the dynamic loader that a 64-bit ELF file asks for."""
    with program.open("rb") as file:
        head = file.read(64)
        if head[:5] != b"\x7fELF\x02":
            return None
        order = "<" if head[5] == 1 else ">"
        offset, size, count = struct.unpack_from(order + "Q14xHH", head, 32)
        file.seek(offset)
        table = file.read(size * count)
        for entry in range(count):
            kind, at, length = struct.unpack_from(order + "I4xQ16xQ", table, entry * size)
            if kind == _PT_INTERP:
                file.seek(at)
                return file.read(length).rstrip(b"\0").decode()
    return None
