"""Files that a program imports as text, bytes or a WebAssembly module, as Wrangler and Vercel read them without being told: each becomes a module.

An import map leads the bundler to the made module; one of deno.json's goes into the same map, because the bundler reads a single one.
"""

import base64
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from controlplane.bundle import jsonc
from controlplane.bundle.errors import UnusableSource
from controlplane.bundle.vercel import SUFFIXES

SOURCES_MAX = 5000
FILE_MAX_BYTES = 16 << 20
_SOURCE_MAX_BYTES = 1 << 20
# A default import: Deno's own imports of such files name a kind (with { type: "text" }) or exports.
_IMPORT = re.compile(
    r"""\bimport\s+[\w$]+\s+from\s*(["'])(?P<path>\.{1,2}/[^"'\n]+\.(?P<kind>txt|html|sql|bin|wasm))(?P<query>\?module)?\1(?!\s*(?:with|assert)\b)"""
)
_BYTES = 'Uint8Array.from(atob("{}"), (c) => c.charCodeAt(0))'


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file under the URL by which it is imported, and the text of the module that stands for it."""

    url: str
    module: str


def find(root: Path) -> list[Attachment]:
    """Return what the sources in *root* import so. Raises UnusableSource for a file that cannot be read."""
    found: dict[str, Attachment] = {}
    for source in _sources(root):
        for match in _IMPORT.finditer(source.read_text("utf-8", "replace")):
            file = Path(os.path.normpath(source.parent / match["path"]))
            url = file.as_uri() + (match["query"] or "")
            if url not in found and file.is_file():
                found[url] = Attachment(url, _module(file, match["kind"]))
    return [found[url] for url in sorted(found)]


def _sources(root: Path) -> Iterator[Path]:
    seen = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name != "node_modules" and not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if not name.endswith(SUFFIXES) or name.endswith(".d.ts") or path.stat().st_size > _SOURCE_MAX_BYTES:
                continue
            seen += 1
            if seen > SOURCES_MAX:
                return
            yield path


def _module(file: Path, kind: str) -> str:
    try:
        body = file.read_bytes()
    except OSError as error:
        raise UnusableSource(f"{file} cannot be read: {error.strerror}") from error
    if len(body) > FILE_MAX_BYTES:
        raise UnusableSource(f"{file.name} has {len(body):,} bytes; at most {FILE_MAX_BYTES:,} can be imported")
    if kind in ("bin", "wasm"):
        made = _BYTES.format(base64.b64encode(body).decode("ascii"))
        return f"export default {made}.buffer;\n" if kind == "bin" else f"export default new WebAssembly.Module({made});\n"  # fmt: skip
    return f"export default {json.dumps(body.decode('utf-8', 'replace'))};\n"


def write(root: Path, attachments: list[Attachment], folder: Path) -> Path:
    """Write the modules and their import map into *folder*, and return the map's path."""
    imports, scopes = _own_map(root)
    for number, attachment in enumerate(attachments):
        file = folder / f"attachment{number}.mjs"
        file.write_text(attachment.module, "utf-8")
        imports[attachment.url] = file.as_uri()
    path = folder / "imports.json"
    path.write_text(json.dumps({"imports": imports, "scopes": scopes}), "utf-8")
    return path


def _own_map(root: Path) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The project's own import map, with its relative addresses made whole."""
    name = next((name for name in ("deno.json", "deno.jsonc") if (root / name).is_file()), None)
    if name is None:
        return {}, {}
    table = jsonc.parse(name, (root / name).read_text("utf-8", "replace"))
    base = root.as_uri() + "/"
    scopes = table.get("scopes")
    return _absolute(table.get("imports"), base), {
        urljoin(base, scope): _absolute(imports, base)
        for scope, imports in (scopes.items() if isinstance(scopes, Mapping) else ())
    }


def _absolute(imports: Any, base: str) -> dict[str, str]:
    if not isinstance(imports, Mapping):
        return {}
    return {_whole(key, base): _whole(value, base) for key, value in imports.items() if isinstance(value, str)}


def _whole(address: str, base: str) -> str:
    return urljoin(base, address) if address.startswith(("./", "../", "/")) else address
